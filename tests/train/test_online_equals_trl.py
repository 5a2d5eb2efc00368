"""grpo and rloo give the losses, rewards and advantages of a plain TRL script, to the last digit."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import PLAIN_TRL, recipe_with, rl_rows, write_stage
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

ROWS, HELD_OUT = 9, 1
COMMON = {
    "per_device_train_batch_size": 4,
    "max_steps": 3,
    "learning_rate": 1e-2,
    "num_generations": 4,
    "max_completion_length": 8,
    "reward_weights": [1.0, 0.25],
}
REUSED = {"gradient_accumulation_steps": 2, "steps_per_generation": 4, "num_iterations": 2}
CASES = {
    "grpo": ("grpo", True, {}),
    "grpo with a reference": ("grpo", False, {"beta": 0.1, "scale_rewards": "batch"}),
    "grpo, answers reused": ("grpo", True, REUSED | {"beta": 0.1}),
    "rloo": ("rloo", True, {}),
    "rloo, full weights": ("rloo", False, {"normalize_advantages": True} | REUSED),
    "rloo, evaluated": ("rloo", True, {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 4}),
}
TIMED = ("step_time", "runtime", "samples_per_second", "steps_per_second")


def rewards_of(text: str) -> tuple[float, float | None]:
    """The two rewards of an answer: its length, and whether it has an "e", which a short one has no say about."""
    return float(len(text)), float("e" in text) if len(text) > 12 else None


OWN = """
import polars as pl

def length(response):
    return response.str.len_chars().cast(float)

def has_e(response):
    frame = pl.DataFrame({"r": response})
    return frame.select(value=pl.when(pl.col("r").str.len_chars() > 12).then(pl.col("r").str.contains("e").cast(float)))
"""


def plain(trainer: str, lora: bool, given: dict[str, Any], folder: str, out: Path) -> tuple[list, list]:
    """Train with TRL alone; return its log, and (answer, advantage) of each answer."""
    import trl
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = getattr(trl, f"{trainer.upper()}Trainer")
    sampled: list[tuple[str, float]] = []

    class Noted(base):
        def _generate_and_score_completions(self, inputs: list) -> dict:
            found = super()._generate_and_score_completions(inputs)
            texts = [c[0]["content"] for c in list(self._logs["completion"])[-len(inputs) :]]
            sampled.extend(zip(texts, found["advantages"].tolist(), strict=True))
            return found

    def length(completions: list, **others: Any) -> list[float]:
        return [rewards_of(c[0]["content"])[0] for c in completions]

    def has_e(completions: list, **others: Any) -> list[float | None]:
        return [rewards_of(c[0]["content"])[1] for c in completions]

    rows = [{"prompt": json.loads(p)} for p in rl_rows(ROWS)["prompt"]]
    adapter = LoraConfig(r=4, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM")
    args = getattr(trl, f"{trainer.upper()}Config")(
        output_dir=str(out), **(PLAIN_TRL | {"report_to": "none", "disable_tqdm": True} | given)
    )
    done = Noted(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype="float32"),
        reward_funcs=[length, has_e],
        args=args,
        processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=adapter if lora else None,
        train_dataset=Dataset.from_list(rows[: ROWS - HELD_OUT]),
        eval_dataset=Dataset.from_list(rows[ROWS - HELD_OUT :]),
    )
    done.train()
    return done.state.log_history, sampled


@pytest.mark.parametrize("name", list(CASES))
def test_it_equals_a_plain_trl_script(tmp_path, tiny, monkeypatch, name):
    trainer, lora, further = CASES[name]
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    given = COMMON | further
    options = ", ".join(f"{key}: {json.dumps(value)}" for key, value in given.items())
    sections = (
        f"train:\n  t: {{trainer: {trainer}, dataset: rl, model: student, lora: {'{r: 4}' if lora else 'false'}, "
        f"{options}, rewards: [own.length, own.has_e]}}\n"
    )
    store = Store(tmp_path / "store")
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(ROWS, HELD_OUT))}
    models = {"student": ModelRef("student", "tiny@0", str(tiny))}
    (stage,) = train_recipe(recipe_with(tmp_path, sections), store, datasets, models, None, Progress())
    log, sampled = plain(trainer, lora, given, str(tiny), tmp_path / "plain")

    history = json.loads(stage.read("trainings")["metrics"][0])["history"]
    assert [timeless(entry) for entry in history] == [timeless(e) for e in log if "train_runtime" not in e]
    rollouts = stage.read("rollouts")
    assert rollouts.filter(reward="own.length").select("response", "advantage").rows() == sampled
    values = {"own.length": [rewards_of(text)[0] for text, _ in sampled]}
    values["own.has_e"] = [rewards_of(text)[1] for text, _ in sampled]
    for reward, expected in values.items():
        found = rollouts.filter(reward=reward)
        assert found["value"].to_list() == expected and found["advantage"].to_list() == [a for _, a in sampled]
    assert any(advantage for _, advantage in sampled) and None in values["own.has_e"]
    assert rollouts["prompt_id"].to_list() == [f"p_{row.removeprefix('r_')}" for row in rollouts["row_id"]]
    held_out = rollouts.filter(pl.col("row_id") == f"r_{ROWS - 1}")
    assert (held_out["phase"] == "eval").all() and (rollouts["phase"] == "eval").sum() == held_out.height
    assert held_out["step"].unique().sort().to_list() == ([2, 3] if "eval_steps" in given else [])


def timeless(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the log without what a clock measured, and by our names of the rewards."""
    return {
        key.replace("rewards/own.", "rewards/"): value
        for key, value in entry.items()
        if not any(word in key for word in TIMED)
    }
