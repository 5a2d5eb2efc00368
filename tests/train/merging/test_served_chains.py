"""A trained chain as it is served writes the greedy tokens of the model in memory: by transformers and by vLLM."""

import json
from typing import Any

import pytest

from curate.models.engine import engine_of
from schemas.progress import Progress
from schemas.requests import Sampling, make_request
from tests.asking import Asked, groups
from tests.optional import needs
from tests.train.merging.chains import ONE, SAMPLED, trained
from tests.with_vllm import PYTHON, with_vllm

pytestmark = [needs("trl", "peft"), pytest.mark.slow]

TEXTS = ["the cat sings", "a dog", "answer in lower case now please", "red blue seven", "lines", "the dog reads"]
CHAIN = (
    f"  s: {{trainer: sft, dataset: sft, model: student, lora: {{r: 4}}, {ONE}}}\n"
    f"  d: {{trainer: dpo, dataset: dpo, model: s, lora: {{r: 4}}, {ONE}}}\n"
    f"  g: {{trainer: grpo, dataset: rl, model: d, lora: {{r: 4}}, beta: 0.1, rewards: [length], {SAMPLED}}}\n"
)
MERGED = CHAIN.replace("model: d, lora", "model: d, merge: true, lora")


def served(ref: Any, engine: str) -> list[str]:
    """Return what an engine writes to some texts, greedily."""
    from dataclasses import replace

    ref = replace(ref, engine=engine, settings=(("python", PYTHON),) if engine == "vllm" else ())
    how = Sampling(max_tokens=24, temperature=0)
    messages = [json.dumps([{"role": "user", "content": text}]) for text in TEXTS]
    requests = [make_request(ref.identity, one, None, how, 0) for one in messages]
    started = engine_of(ref).tasks["generate"](ref, Progress())
    try:
        found = Asked(groups(requests)).by(started)
    finally:
        started.close()
    return [(found[one.key].text or "").rstrip("\ufffd") for one in requests]


def in_memory(monkeypatch: Any) -> dict[str, list[str]]:
    """Keep what each training's model writes greedily at its end."""
    from train import row_training
    from train.online import online_training

    kept: dict[str, list[str]] = {}

    def wrapped(real: Any) -> Any:
        def fit(trainer: Any, job: Any, *others: Any) -> Any:
            done = real(trainer, job, *others)
            kept[job.name] = [written(trainer, text) for text in TEXTS]
            return done

        return fit

    for module in (row_training, online_training):
        monkeypatch.setattr(module, "fit", wrapped(module.fit))
    return kept


def written(trainer: Any, text: str) -> str:
    """Return a model's likeliest answer, token by token, without a cache."""
    import torch

    tokenizer, model = trainer.processing_class, trainer.model.eval()
    messages = [{"role": "user", "content": text}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    start = len(ids)
    for _ in range(24):
        with torch.no_grad():
            ids = [*ids, int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
        if ids[-1] == tokenizer.eos_token_id:
            break
    return tokenizer.decode(ids[start:], skip_special_tokens=True).rstrip("\ufffd")


@pytest.mark.parametrize("section", [CHAIN, MERGED], ids=["adapters", "merged"])
def test_the_engine_transformers_serves_what_was_trained(tmp_path, wide, monkeypatch, section: str):
    from curate.models.model_ref import ModelRef

    expected = in_memory(monkeypatch)
    done = trained(tmp_path, ModelRef("student", "wide@0", str(wide)), section)
    assert len({*map(tuple, expected.values())}) == 3, "each training changed the answers"
    for name in "sdg":
        assert served(done.refs[name], "transformers") == expected[name], name


@with_vllm
@pytest.mark.parametrize("section", [CHAIN, MERGED], ids=["adapters", "merged"])
def test_vllm_serves_what_was_trained(tmp_path, wide, monkeypatch, section: str):
    from curate.models.model_ref import ModelRef

    monkeypatch.setenv("GRISTMILL_CACHE", str(tmp_path / "cache"))
    expected = in_memory(monkeypatch)
    done = trained(tmp_path, ModelRef("student", "wide@0", str(wide)), section)
    assert served(done.refs["g"], "vllm") == expected["g"]
