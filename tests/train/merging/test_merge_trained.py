"""``merge: true``: whole weights that are the model as trained, or an error and the adapter."""

import json
from pathlib import Path
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from curate.models.weights import load, load_classifier
from schemas.errors import UserError
from tests.optional import needs
from tests.train.merging.chains import ONE, SAMPLED, outputs, spied, trained

pytestmark = [needs("trl", "peft"), pytest.mark.slow]

DIFFERS = (
    r"train.s: merge: the merged weights are not the model that was trained: to the prompt of \w+ token 1 is '.*' "
    r"instead of '.*', whose logit lies \S+ of their spread higher \(up to 0.0001 is rounding\)"
)

LORA = {
    "plain": "{r: 4}",
    "dora": "{r: 4, use_dora: true}",
    "pissa": "{r: 4, init_lora_weights: pissa}",
    "bias": "{r: 4, bias: all}",
    "embedding": "{r: 4, target_modules: [q_proj, embed_tokens]}",
    "saved_embedding": "{r: 4, target_modules: [q_proj], modules_to_save: [embed_tokens]}",
    "saved_head": "{r: 4, target_modules: [q_proj], modules_to_save: [lm_head, norm]}",
    "tokens": "{r: 4, target_modules: [q_proj], modules_to_save: [embed_tokens], ensure_weight_tying: true}",
}


def sft(lora: str = "{r: 4}") -> str:
    return f"  s: {{trainer: sft, dataset: sft, model: student, merge: true, lora: {lora}, {ONE}}}\n"


@pytest.mark.parametrize("lora", LORA.values(), ids=LORA.keys())
def test_whole_weights_need_no_peft(tmp_path, ref, monkeypatch, lora: str):
    import transformers

    kept = spied(monkeypatch)
    done = trained(tmp_path, ref, sft(lora))
    stage = done.stages["s"]
    whole = transformers.AutoModelForCausalLM.from_pretrained(stage.folder("model"))
    assert float((outputs(whole) - kept["s"]["model"]).abs().max()) < 1e-4
    assert not (stage.folder("model") / "adapter_config.json").exists() and not stage.manifest["adapter"]
    assert done.refs["s"].adapters == () and done.refs["s"].location == str(stage.folder("model"))
    assert float((outputs(load(done.refs["s"])[0]) - kept["s"]["model"]).abs().max()) < 1e-4
    beside = ref.trained("s", "x", stage.folder("adapter"), adapter=True)
    assert float((outputs(load(beside)[0]) - kept["s"]["model"]).abs().max()) < 1e-4
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(stage.folder("model"))
    assert tokenizer.chat_template


def test_what_was_compared_is_told_and_kept(tmp_path, ref):
    done = trained(tmp_path, ref, sft())
    (record,) = done.stages["s"].read("trainings").rows(named=True)
    merged = json.loads(record["metrics"])["merged"]
    assert merged | {"tokens": 0} == {"dtype": "float32", "prompts": 8, "tokens": 0, "ties": 0}
    assert any("the same greedy tokens as base + adapter on 8 prompts" in line for line in done.said.lines)
    assert json.loads(record["settings"])["merge"] is True and record["path"].endswith("/model")
    card = (done.stages["s"].folder("model") / "README.md").read_text()
    assert "- its LoRA adapter is merged: whole weights in float32" in card and "library_name: transformers" in card
    assert [one.name for one in done.stages["s"].folder("adapter").glob("*.md")] == [], "PEFT's card says nothing"
    assert "merged" in done.said.ended["train.s"]


def test_a_reward_model_keeps_its_head(tmp_path, ref, monkeypatch):
    kept = spied(monkeypatch)
    section = f"  s: {{trainer: reward, dataset: dpo, model: student, merge: true, lora: {{r: 4}}, {ONE}}}\n"
    done = trained(tmp_path, ref, section)
    assert float((outputs(load_classifier(done.refs["s"])[0]) - kept["s"]["model"]).abs().max()) < 1e-5
    found = json.loads(done.stages["s"].read("trainings")["metrics"][0])["merged"]
    assert found["answers"] == 16 and found["difference"] < 1e-5
    assert any("the same scores as base + adapter for 16 answers" in line for line in done.said.lines)


def test_online_rl_is_merged_too(tmp_path, ref):
    section = (
        f"  s: {{trainer: grpo, dataset: rl, model: student, merge: true, lora: true, rewards: [length], {SAMPLED}}}\n"
    )
    assert trained(tmp_path, ref, section).refs["s"].adapters == ()


def scaled(real: Any) -> Any:
    """Return a ``write_merged`` that goes wrong: the weights of the output's norm are negative."""

    def write(ref: ModelRef, adapter: Path, folder: Path, *others: Any) -> None:
        from safetensors.torch import load_file, save_file

        real(ref, adapter, folder, *others)
        weights = load_file(folder / "model.safetensors")
        weights["model.norm.weight"] = -weights["model.norm.weight"]
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return write


def test_other_tokens_are_an_error_and_keep_the_adapter(tmp_path, ref, monkeypatch):
    from curate.models.engine_settings import resolve_model
    from schemas.recipe import Model
    from train.merging import merge_trained

    kept = spied(monkeypatch)
    monkeypatch.setattr(merge_trained, "write_merged", scaled(merge_trained.write_merged))
    with pytest.raises(UserError, match=DIFFERS) as error:
        trained(tmp_path, ref, sft())
    (adapter,) = (tmp_path / "store" / "work").glob("*/adapter")
    assert str(error.value).endswith(f"nothing is kept as merged, but the adapter is in {adapter}")
    assert list((tmp_path / "store" / "stages").glob("train-*")) == []
    found = resolve_model("a", Model(model=str(adapter)))
    assert float((outputs(load(found)[0]) - kept["s"]["model"]).abs().max()) < 1e-4


def test_other_scores_are_an_error(tmp_path, ref, monkeypatch):
    from train.merging import merge_trained

    monkeypatch.setattr(merge_trained, "write_merged", scaled(merge_trained.write_merged))
    section = f"  s: {{trainer: reward, dataset: dpo, model: student, merge: true, lora: {{r: 4}}, {ONE}}}\n"
    with pytest.raises(UserError, match=r"train.s: merge: .* an answer of r_\d is scored \S+ instead of"):
        trained(tmp_path, ref, section)


def test_an_adapter_with_nan_is_not_merged(tmp_path, ref):
    import torch
    from safetensors.torch import load_file, save_file

    section = sft().replace("merge: true, ", "")
    done = trained(tmp_path, ref, section)
    file = done.stages["s"].folder("model") / "adapter_model.safetensors"
    weights = load_file(file)
    save_file({name: torch.full_like(one, torch.nan) for name, one in weights.items()}, file, {"format": "pt"})
    with pytest.raises(UserError, match=r"model 's': the adapter in .* cannot be merged: NaNs detected"):
        load(done.refs["s"])


def in_bf16(tiny: Path, folder: Path) -> ModelRef:
    import torch
    import transformers

    transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.bfloat16).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast.from_pretrained(tiny).save_pretrained(folder)
    return ModelRef("student", "small@0", str(folder))


def test_the_weights_have_the_type_of_the_bases_file(tmp_path, tiny, monkeypatch):
    import torch
    import transformers

    from train.same_answers import compare

    ref = in_bf16(tiny, tmp_path / "bf16")
    done = trained(tmp_path / "1", ref, sft())
    whole = transformers.AutoModelForCausalLM.from_pretrained(done.refs["s"].location, dtype="auto")
    assert whole.dtype == torch.bfloat16
    monkeypatch.setattr("train.merging.merge_trained.compare", differs_in_16_bits(compare.compare))
    done = trained(tmp_path / "2", ref, sft())
    whole = transformers.AutoModelForCausalLM.from_pretrained(done.refs["s"].location, dtype="auto")
    assert whole.dtype == torch.float32
    assert any("it is another model" in one and "so they are written in float32" in one for one in done.said.lines)


def differs_in_16_bits(real: Any) -> Any:
    """Return a ``compare`` that finds another first token wherever the weights are of 16 bits."""

    def found(expected: Any, tokens: Any, dtype: str) -> Any:
        other = [[token + (dtype != "float32") for token in one] for one in tokens]
        return real(expected, other, dtype)

    return found
