"""An adapter that was stored and is loaded gives the model that was trained, whatever the options of LoRA."""

from pathlib import Path
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from curate.models.weights import load, load_classifier
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import preference_rows, recipe_with, sft_rows, write_stage
from train.plan import check_training_sections, trained_ref
from train.run import train_recipe
from train.trl_check import check_with_trl

pytestmark = [needs("trl", "peft"), pytest.mark.slow]

STEPS = "per_device_train_batch_size: 2, max_steps: 2, learning_rate: 0.02"
OPTIONS = {
    "plain": "{r: 4}",
    "dora": "{r: 4, use_dora: true}",
    "rslora": "{r: 4, use_rslora: true}",
    "gaussian": "{r: 4, init_lora_weights: gaussian}",
    "orthogonal": "{r: 4, init_lora_weights: orthogonal}",
    "mica": "{r: 4, init_lora_weights: mica}",
    "random": "{r: 4, init_lora_weights: false}",
    "pissa": "{r: 4, init_lora_weights: pissa}",
    "pissa_niter": "{r: 4, init_lora_weights: pissa_niter_4}",
    "pissa_dora": "{r: 4, init_lora_weights: pissa_niter_2, use_dora: true, modules_to_save: [norm]}",
    "pissa_patterns": "{r: 4, init_lora_weights: pissa_niter_2, use_rslora: true, rank_pattern: {q_proj: 2}, "
    "alpha_pattern: {k_proj: 4}}",
    "olora": "{r: 4, init_lora_weights: olora, target_modules: [q_proj, v_proj]}",
    "patterns": "{r: 4, rank_pattern: {q_proj: 2}, alpha_pattern: {q_proj: 4}}",
    "bias": "{r: 4, bias: all}",
    "layers": "{r: 4, target_modules: [q_proj], layers_to_transform: [0]}",
    "embedding": "{r: 4, target_modules: [q_proj, embed_tokens]}",
    "embedding_dora": "{r: 4, target_modules: [q_proj, embed_tokens], use_dora: true}",
    "pissa_embedding": "{r: 4, target_modules: [q_proj, embed_tokens], init_lora_weights: pissa_niter_2}",
    "saved_embedding": "{r: 4, target_modules: [q_proj], modules_to_save: [embed_tokens]}",
    "saved_both": "{r: 4, target_modules: [q_proj], modules_to_save: [embed_tokens, lm_head]}",
    "saved_tied": "{r: 4, target_modules: [q_proj], modules_to_save: [embed_tokens], ensure_weight_tying: true}",
    "saved_head": "{r: 4, target_modules: [q_proj], modules_to_save: [lm_head, norm]}",
    "parameters": "{r: 4, lora_dropout: 0, target_modules: [q_proj], target_parameters: [mlp.up_proj.weight]}",
    "qalora": "{r: 4, use_qalora: true}",
    "kasa": "{r: 4, kasa_config: {}}",
    "monteclora": "{r: 4, monteclora_config: {}}",
    "velora": "{r: 4, velora_config: {}}",
}


def outputs(model: Any) -> Any:
    import torch

    model.eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([[5, 6, 7, 8, 9, 1, 2, 30, 40, 50]])).logits.float()


def untied(tiny: Path, folder: Path) -> ModelRef:
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, tie_word_embeddings=False)
    model.lm_head.weight.data.mul_(2)
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast.from_pretrained(tiny).save_pretrained(folder)
    return ModelRef("student", "untied@0", str(folder))


def trained(folder: Path, ref: ModelRef, monkeypatch: Any, lora: str, trainer: str = "sft") -> Any:
    """Train, and return the outputs as trained, and the model that the training made."""
    from train import row_training

    kept, real = {}, row_training.fit

    def fit(its: Any, *others: Any) -> Any:
        done = real(its, *others)
        kept["outputs"] = outputs(its.model)
        return done

    monkeypatch.setattr(row_training, "fit", fit)
    data = ("sft", "sft", sft_rows(6)) if trainer == "sft" else ("dpo", "preferences", preference_rows(6))
    section = f"train:\n  t: {{trainer: {trainer}, dataset: {data[0]}, model: student, {STEPS}, lora: {lora}}}\n"
    recipe = recipe_with(folder, section)
    check_training_sections(recipe)
    check_with_trl(recipe, ["t"], {"student": ref})
    store = Store(folder / "store")
    (stage,) = train_recipe(recipe, store, {data[0]: write_stage(store, *data[1:])}, {"student": ref}, None, Progress())
    return kept["outputs"], trained_ref(stage, ref, "t")


@pytest.mark.parametrize("tied", ["tied", "untied"])
@pytest.mark.parametrize("lora", OPTIONS.values(), ids=OPTIONS.keys())
def test_trained_equals_loaded_and_saved_again(tmp_path, tiny, ref, monkeypatch, lora: str, tied: str):
    ref = ref if tied == "tied" else untied(tiny, tmp_path / "untied")
    expected, made = trained(tmp_path, ref, monkeypatch, lora)
    model, _ = load(made)
    assert float((outputs(model) - expected).abs().max()) < 1e-4
    assert float((outputs(load(ref)[0]) - expected).abs().max()) > 1e-3
    again, _ = load(saved(model, tiny, tmp_path / "merged"))  # as for vLLM, and for a training that quantises
    assert float((outputs(again) - expected).abs().max()) < 1e-4


def saved(model: Any, tiny: Path, folder: Path) -> ModelRef:
    import transformers

    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast.from_pretrained(tiny).save_pretrained(folder)
    return ModelRef("merged", "merged@0", str(folder))


@pytest.mark.parametrize("init", ["pissa_niter_4", "olora"])
def test_a_reward_model_keeps_its_head_beside_such_an_adapter(tmp_path, ref, monkeypatch, init: str):
    expected, made = trained(tmp_path, ref, monkeypatch, f"{{r: 4, init_lora_weights: {init}}}", trainer="reward")
    model, _ = load_classifier(made)
    assert float((outputs(model) - expected).abs().max()) < 1e-4


def test_an_adapter_on_a_model_whose_embeddings_were_untied(tmp_path, ref, monkeypatch):
    lora = "{r: 4, target_modules: [q_proj, embed_tokens]}"
    _, first = trained(tmp_path / "1", ref, monkeypatch, lora)
    expected, second = trained(tmp_path / "2", first, monkeypatch, lora)
    assert float((outputs(load(second)[0]) - expected).abs().max()) < 1e-4


def test_a_stored_adapter_that_gives_another_model_is_not_kept(tmp_path, ref, monkeypatch):
    # As if PEFT changed how pissa is loaded.
    monkeypatch.setattr("train.launch.saved_model.store_change", lambda *_: None)
    with pytest.raises(
        UserError, match=r"train.t: lora: the adapter as stored does not give the model .* r, init_lora"
    ):
        trained(tmp_path, ref, monkeypatch, "{r: 4, init_lora_weights: pissa_niter_4}")


def test_a_model_trained_in_bfloat16_is_compared_in_bfloat16(tmp_path, ref, monkeypatch):
    from train import stored_adapter

    monkeypatch.setattr(stored_adapter, "DIFFERENCE", {stored_adapter.torch.float32: 1e-5})
    lora = "{r: 4, init_lora_weights: gaussian}, bf16: true"
    _, made = trained(tmp_path, ref, monkeypatch, lora)
    assert load(made)[0].dtype == stored_adapter.torch.float32
