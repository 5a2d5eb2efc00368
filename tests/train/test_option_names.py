"""Errors on mistyped options, on options of other tools, and on wrong values."""

from typing import Any

import pytest

from schemas.errors import UserError
from schemas.recipe import Training
from tests.optional import needs
from train.finding.find_trainer import trainer_names
from train.options import options
from train.options.config_fields import config_fields, lora_config_fields
from train.options.option_names import GONE, NOTES, OTHER_NAMES

pytestmark = needs("trl", "peft")

WHERE = "r.yaml:9"
ONLINE = ("grpo", "rloo", "ppo")


def said(trainer: str = "sft", **given: Any) -> str:
    rewards = ["length"] if trainer in ONLINE else []
    with pytest.raises(UserError) as error:
        options.check(Training(trainer=trainer, dataset="d", model="m", rewards=rewards, **given), WHERE)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", "'learning_rate'"),
        ("learning_rat", "'learning_rate'"),
        ("learning-rate", "'learning_rate'"),
        ("epochs", "'num_train_epochs'"),
        ("num_epoch", "'num_train_epochs'"),
        ("batch_size", "'per_device_train_batch_size'"),
        ("per_device_batch_size", "'per_device_eval_batch_size' or 'per_device_train_batch_size'"),
        ("max_seq_length", "'max_length'"),
        ("evaluation_strategy", "'eval_strategy'"),
        ("rank", "'lora: {r: ...}'"),
        ("lora_alpha", "'lora: {lora_alpha: ...}'"),
        ("quantise", "'quantize'"),
        ("peft_config", "'lora'"),
    ],
)
def test_a_name_that_is_none_has_its_nearest_named(name: str, meant: str):
    given: dict[str, Any] = {name: 1}
    assert said(**given) == f"{WHERE}: no option of trl.SFTConfig called {name!r}; did you mean {meant}?"


def test_a_name_near_to_none_lists_no_others():
    assert said(zzz=1).startswith(f"{WHERE}: no option of trl.SFTConfig called 'zzz' (")
    assert len(said(zzz=1)) < 100


def test_what_has_another_meaning_today_says_how():
    assert "'warmup_steps'? (a value of warmup_steps below 1 is a share of all steps)" in said(warmup_ratio=0.1)
    assert "'quantize'? (quantize: 4bit)" in said(load_in_4bit=True)
    assert "TRL cuts no prompts any more; drop long ones with a filter; remove it" in said("dpo", max_prompt_length=9)
    assert "it is the model's own" in said(tokenizer="x") and "the device decides it" in said(torch_dtype="bfloat16")


@pytest.mark.parametrize(("name", "meant"), [("rank", "r"), ("alpha", "lora_alpha"), ("dropout", "lora_dropout")])
def test_names_of_lora_are_found(name: str, meant: str):
    assert (
        said(lora={name: 8}) == f"{WHERE}: lora: no option of peft.LoraConfig called {name!r}; did you mean {meant!r}?"
    )


def test_an_option_of_the_training_is_not_one_of_lora():
    assert said(lora={"lr": 1.0}).endswith("called 'lr'; did you mean 'learning_rate, of the training itself'?")


def test_every_name_that_is_suggested_exists():
    known = {name for trainer in trainer_names() for name in config_fields(trainer)} | set(lora_config_fields())
    known |= set(Training.model_fields)
    unknown = {old: new for old, names in OTHER_NAMES.items() for new in names if new not in known}
    assert unknown == {}
    assert set(NOTES) <= set(OTHER_NAMES)
    assert {name for name in (*GONE, *OTHER_NAMES) if name in config_fields("sft")} == set()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"lr_scheduler_type": "cosin"},
            "no value of lr_scheduler_type called 'cosin'; did you mean 'cosine'? (there are:",
        ),
        ({"optim": "adam"}, "did you mean 'adamw_torch'? (there are: adamw_torch, "),
        ({"eval_strategy": "step"}, "did you mean 'steps'? (there are: no, steps, epoch)"),
        ({"save_strategy": True}, "no value of save_strategy called True"),
        ({"loss_type": "nnl"}, "no value of loss_type called 'nnl'; did you mean 'nll'? (there are: nll, dft"),
        ({"generation_kwargs": 3}, "no option of trl.SFTConfig called 'generation_kwargs'"),
        ({"lr_scheduler_kwargs": 3}, "lr_scheduler_kwargs: expected dict | str | null, found 3"),
        ({"learning_rate": -1.0}, "learning_rate: expected a number from 0, found -1.0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a number from 0, found nan"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size: expected a number from 1, found 0"),
        ({"num_train_epochs": 0}, "num_train_epochs: expected a number above 0, found 0"),
        ({"lora": {"r": 0}}, "lora: r: expected the adapter's rank, a number from 1 to 65,536, found 0"),
        ({"lora": {"r": "8"}}, "lora: r: expected int, found '8'"),
        ({"lora": {"bias": "al"}}, "lora: bias: expected one of ['none', 'all', 'lora_only'], found 'al'"),
        ({"lora": {"lora_dropout": 1.0}}, "lora: lora_dropout: expected a number from 0 to below 1, found 1.0"),
        (
            {"lora": {"target_modules": ["q_proj", "lm_head"]}},
            "remove 'lm_head' (all-linear, the default, leaves it out)",
        ),
        ({"save_only_model": True}, "save_only_model cannot be set in a recipe"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(given: dict[str, Any], message: str):
    assert message in said(**given)


def test_other_values_pass():
    cases: list[tuple[str, dict[str, Any]]] = [
        (
            "sft",
            {"eval_strategy": False, "lr_scheduler_type": "cosine", "lora": {"init_lora_weights": "pissa_niter_4"}},
        ),
        ("dpo", {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.1], "lora": {"target_modules": ["q_proj"]}}),
        ("grpo", {"rewards": ["length"], "scale_rewards": False, "reward_weights": [0.5]}),
    ]
    for trainer, given in cases:
        options.check(Training(trainer=trainer, dataset="d", model="m", **given), WHERE)
