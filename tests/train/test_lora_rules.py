"""Options of an adapter that would train wrongly, late or not at all are errors of ``check``."""

from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.recipe import Training
from tests.optional import needs
from train.lora_check import check_adapter
from train.options import lora_targets, options

WHERE = "r.yaml:9: train.t"


def training(trainer: str, lora: dict[str, Any], **given: Any) -> Training:
    return Training(trainer=trainer, dataset="d", model="student", lora=lora, **given)


@needs("trl", "peft")
@pytest.mark.parametrize(
    ("trainer", "lora", "message"),
    [
        ("sft", {"lora_alpha": 0}, "lora_alpha: expected a number above 0"),
        ("sft", {"alpha_pattern": {"q_proj": 0}}, "alpha_pattern: q_proj: expected a number above 0"),
        ("sft", {"rank_pattern": {"q_proj": 0}}, "rank_pattern: q_proj: expected the adapter's rank"),
        ("sft", {"r": 0}, "r: expected the adapter's rank, a number from 1 to 65,536, found 0"),
        ("sft", {"lora_dropout": 1.0}, "lora_dropout: expected a number from 0 to below 1"),
        ("sft", {"layer_replication": [[0, 2], [1, 2]]}, "layer_replication cannot be used: the copies of layers"),
        ("sft", {"alora_invocation_tokens": [1]}, "alora_invocation_tokens cannot be used"),
        ("sft", {"init_lora_weights": "eva"}, "init_lora_weights: eva: this initialisation needs data or gradients"),
        ("sft", {"init_lora_weights": "corda"}, "set pissa or olora"),
        ("sft", {"init_lora_weights": "loftq"}, "weights are quantised by quantize: 4bit; remove it"),
        ("dpo", {"init_lora_weights": "pissa"}, "the trainer compares with the model before training"),
        ("kto", {"init_lora_weights": "olora"}, "the trainer compares with the model before training"),
        ("dpo", {"bias": "all"}, "bias: all: the trainer compares with the model before training"),
        ("dpo", {"kasa_config": {}}, "kasa_config: the trainer compares with the model before training"),
        ("sft", {"task_type": "SEQ_CLS"}, "task_type cannot be set in a recipe"),
        ("sft", {"inference_mode": True}, "inference_mode cannot be set in a recipe"),
    ],
)
def test_options_that_train_something_else_are_refused(trainer: str, lora: dict[str, Any], message: str):
    with pytest.raises(UserError) as error:
        options.check(training(trainer, lora), WHERE)
    assert f"{WHERE}: lora: " in str(error.value) and message in str(error.value) and "\n" not in str(error.value)


@needs("trl", "peft")
def test_a_reference_is_there_only_where_beta_asks_for_it():
    options.check(training("grpo", {"init_lora_weights": "pissa"}, rewards=["length"]), WHERE)
    with pytest.raises(UserError, match="init_lora_weights: pissa: the trainer compares with"):
        options.check(training("grpo", {"init_lora_weights": "pissa"}, rewards=["length"], beta=0.1), WHERE)


@needs("trl", "peft")
def test_quantised_weights_take_no_init_that_reads_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(options.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(UserError, match="pissa: it reads the weights, which are quantised"):
        options.check(training("sft", {"init_lora_weights": "pissa"}, quantize="4bit"), WHERE)


@needs("trl", "peft")
@pytest.mark.parametrize(("trainer", "task"), [("sft", "CAUSAL_LM"), ("reward", "SEQ_CLS")])
def test_pasted_settings_that_are_always_so_are_accepted(trainer: str, task: str):
    pasted = training(trainer, {"r": 4, "task_type": task, "inference_mode": False, "peft_type": "LORA"})
    options.check(pasted, WHERE)
    assert options.lora_options(pasted) == {"r": 4}


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("q_proj,v_proj", "a text is one regular expression for a module's whole name"),
        ("q_proj, v_proj", "write a list: [q_proj, v_proj]"),
        ("*proj", "no regular expression: '*proj': nothing to repeat at position 0"),
        (["*proj"], "not a pattern; for a pattern write one text: target_modules: '.*proj'"),
        (["q_proj", "all-linear"], "for a pattern write one text: target_modules: 'all-linear'"),
        (["lm_head"], "an adapter on it would never be trained"),
    ],
)
def test_the_form_of_target_modules_is_explained(targets: str | list[str], message: str):
    with pytest.raises(UserError) as error:
        lora_targets.check_form(targets, WHERE)
    assert message in str(error.value)


@needs("trl", "peft")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"target_modules": "q_proj"}, "write a list: [q_proj]"),
        ({"target_modules": "q_prj"}, "is called 'q_prj'; did you mean [q_proj]?"),
        ({"target_modules": ".*(q_proj|lm_head)"}, "an adapter on it would never be trained"),
        ({"target_modules": []}, "No `target_modules` passed"),
        ({"target_modules": ["q_proj"], "layers_to_transform": [0, 7]}, "7: the model has 2 layers, 0 to 1"),
        ({"target_parameters": ["mlp.up_proj.weight"]}, "(target_modules is 'all-linear' if not set)"),
        ({"target_modules": ["q_proj"], "target_parameters": ["mlp.up_pro.weight"]}, "no parameter was matched"),
        ({"modules_to_save": ["embed_token"]}, "is called 'embed_token'; did you mean 'embed_tokens'?"),
        ({"rank_pattern": {"q_prj": 2}}, "rank_pattern keys did not match any targeted module"),
        ({"exclude_modules": ["q_prj"]}, "no modules were excluded"),
        ({"trainable_token_indices": [5]}, "set modules_to_save: [embed_tokens], or remove it"),
        ({"lora_bias": True}, "merging LoRA weights won't be possible"),
        (
            {"target_modules": ["q_proj", "embed_tokens"], "ensure_weight_tying": True},
            "an adapter on it would never be trained",
        ),
    ],
)
def test_what_names_nothing_is_found_without_weights(ref, lora: dict[str, Any], message: str):
    with pytest.raises(UserError) as error:
        check_adapter(training("sft", lora), ref, WHERE)
    assert str(error.value).startswith(f"{WHERE}: lora: ") and message in str(error.value)
    assert "\n" not in str(error.value)


@needs("trl", "peft")
@pytest.mark.slow
def test_usable_options_pass_on_the_model_without_weights(ref):
    for lora in ({}, {"init_lora_weights": "pissa_niter_4"}, {"use_dora": True}, {"modules_to_save": ["norm"]}):
        check_adapter(training("sft", lora), ref, WHERE)
        check_adapter(training("reward", lora), ref, WHERE)


@needs("trl", "peft")
@pytest.mark.slow
def test_the_dropout_that_experts_refuse_is_named(tmp_path):
    from transformers import Qwen3MoeConfig

    Qwen3MoeConfig(
        vocab_size=64, hidden_size=32, moe_intermediate_size=16, num_hidden_layers=1, num_experts=2,
        num_attention_heads=4, num_key_value_heads=2,
    ).save_pretrained(tmp_path)  # fmt: skip
    moe = ModelRef("student", "moe", str(tmp_path))
    with pytest.raises(UserError, match="it is 0.05 if not set: set lora_dropout: 0"):
        check_adapter(training("sft", {}), moe, WHERE)
    check_adapter(training("sft", {"lora_dropout": 0}), moe, WHERE)
