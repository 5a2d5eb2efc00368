"""A chain of trainings on adapters: each compares with the model that it names; what is served is what was trained."""

import json

import pytest

from curate.models.weights import load
from tests.optional import needs
from tests.train.merging.chains import ONE, SAMPLED, outputs, spied, trained

pytestmark = [needs("trl", "peft"), pytest.mark.slow]

SFT = f"  s: {{trainer: sft, dataset: sft, model: student, lora: {{r: 4}}, {ONE}}}\n"
DPO = f"  d: {{trainer: dpo, dataset: dpo, model: s, lora: {{r: 4}}, {ONE}}}\n"
GRPO = f"  g: {{trainer: grpo, dataset: rl, model: d, lora: {{r: 4}}, beta: 0.1, rewards: [length], {SAMPLED}}}\n"
CHAINS = {
    "adapters": SFT + DPO + GRPO,
    "full first": SFT.replace("lora: {r: 4}, ", "") + DPO + GRPO,
    "full last": SFT + DPO + GRPO.replace("lora: {r: 4}, ", ""),
    "full between": SFT + DPO.replace("lora: {r: 4}, ", "") + GRPO,
    "merged between": SFT + DPO.replace("lora", "merge: true, lora") + GRPO,
    "merged last": SFT + DPO + GRPO.replace("lora", "merge: true, lora"),
    "merged all": (SFT + DPO + GRPO).replace("lora", "merge: true, lora"),
    "kto": SFT + DPO.replace("dpo", "kto") + GRPO,
    "kto in full": SFT + DPO.replace("dpo", "kto").replace("lora: {r: 4}, ", "") + GRPO,
    "rloo": SFT + DPO + GRPO.replace("grpo", "rloo"),
    "ppo": SFT + DPO + GRPO.replace("grpo", "ppo"),
    "precomputed": SFT + DPO.replace("lora", "precompute_ref_log_probs: true, lora") + GRPO,
    "precomputed in full": SFT + DPO.replace("lora: {r: 4}", "precompute_ref_log_probs: true") + GRPO,
    "embeddings": SFT.replace("r: 4", "r: 4, target_modules: [q_proj, embed_tokens]")
    + DPO.replace("r: 4", "r: 4, use_dora: true, modules_to_save: [norm]")
    + GRPO.replace("r: 4", "r: 4, modules_to_save: [embed_tokens]"),
}


@pytest.mark.parametrize("section", CHAINS.values(), ids=CHAINS.keys())
def test_each_compares_with_its_start_and_is_what_is_served(tmp_path, ref, monkeypatch, section: str):
    kept = spied(monkeypatch)
    done = trained(tmp_path, ref, section)
    expected = {name: outputs(load(one)[0]) for name, one in done.refs.items()}
    for name, start in (("s", "student"), ("d", "s"), ("g", "d")):
        assert float((kept[name]["model"] - expected[name]).abs().max()) < 1e-4, name
        assert float((expected[name] - expected[start]).abs().max()) > 1e-3, "it learnt something"
        reference = kept[name]["reference"]
        if name != "s" and reference is not None:
            assert float((reference - expected[start]).abs().max()) < 1e-5, name
    first = {name: json.loads(done.stages[name].read("trainings")["metrics"][0])["history"][0] for name in "dg"}
    assert first["d"]["rewards/margins" if "kto" not in section else "kl"] == pytest.approx(0, abs=1e-5)
    assert first["g"]["kl"] == pytest.approx(0, abs=1e-6)


def test_the_reference_is_told_before_and_kept(tmp_path, ref):
    done = trained(tmp_path, ref, SFT + DPO + GRPO)
    told = [line for line in done.said.lines if " reference model: " in line]
    assert told == [
        "train d: reference model: s (tiny + s), the model it starts from, with the new adapter switched off",
        "train g: reference model: d (tiny + s + d), the model it starts from, with the new adapter switched off",
    ]
    config = json.loads((done.stages["g"].path / "model" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == ref.location, "no copy of the start model was written for it"
    metrics = {name: json.loads(one.read("trainings")["metrics"][0]) for name, one in done.stages.items()}
    assert [metrics[name].get("reference", "") for name in "sdg"] == ["", *(one.split(" model: ")[1] for one in told)]
    assert f"- {told[0].removeprefix('train d: ')}" in (done.stages["d"].path / "model" / "README.md").read_text()
