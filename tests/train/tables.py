"""Small dataset tables, and the stages and recipes that go with them."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe

WORDS = "the a cat dog sings reads writes red blue seven lines in lower case without commas please answer now".split()

# Options of a plain TRL config that compute as our trainings of these recipes do: on a CPU, without checkpoints.
PLAIN_TRL: dict[str, Any] = {
    "seed": 3,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "save_strategy": "no",
}


def turns(role: str, text: str) -> str:
    """Return a conversation of one message, as JSON text."""
    return json.dumps([{"role": role, "content": text}])


def prompt(i: int) -> str:
    """Return the prompt of row ``i``."""
    return turns("user", f"answer {WORDS[i % len(WORDS)]} {i}")


def sft_rows(n: int, held_out: int = 0) -> pl.DataFrame:
    """Return ``n`` SFT rows of different lengths, the last ``held_out`` of them in the split test."""
    return pl.DataFrame(
        {
            "row_id": [f"r_{i}" for i in range(n)],
            "prompt_id": [f"p_{i}" for i in range(n)],
            "prompt": [prompt(i) for i in range(n)],
            "completion": [turns("assistant", " ".join(WORDS[: 2 + i % 7])) for i in range(n)],
            "dataset": "sft",
            "split": ["train"] * (n - held_out) + ["test"] * held_out,
        }
    )


def two_answer_rows(n: int) -> pl.DataFrame:
    """Return ``n`` SFT rows of which every second one has an answer in its prompt."""
    said = [("user", "answer the 0"), ("assistant", " ".join(WORDS[:9])), ("user", "answer now")]
    two = json.dumps([{"role": role, "content": text} for role, text in said])
    return sft_rows(n).with_columns(
        prompt=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit(two)).otherwise("prompt")
    )


def preference_rows(n: int, held_out: int = 0) -> pl.DataFrame:
    """Return ``n`` pairs, the last ``held_out`` of them in the split test."""
    return pl.DataFrame(
        {
            "row_id": [f"r_{i}" for i in range(n)],
            "prompt_id": [f"p_{i}" for i in range(n)],
            "prompt": [prompt(i) for i in range(n)],
            "chosen": [turns("assistant", " ".join(WORDS[: 2 + i % 5])) for i in range(n)],
            "rejected": [turns("assistant", " ".join(WORDS[5 : 8 + i % 3])) for i in range(n)],
            "dataset": "dpo",
            "split": ["train"] * (n - held_out) + ["test"] * held_out,
        }
    )


def unpaired_rows(n: int, held_out: int = 0) -> pl.DataFrame:
    """Return ``n`` unpaired rows, every third of them bad, the last ``held_out`` of them in the split test."""
    return sft_rows(n, held_out).with_columns(label=pl.int_range(pl.len()) % 3 != 2, dataset=pl.lit("kto"))


def rl_rows(n: int, held_out: int = 0) -> pl.DataFrame:
    """Return ``n`` RL prompts, the last ``held_out`` of them in the split test."""
    return pl.DataFrame(
        {
            "row_id": [f"r_{i}" for i in range(n)],
            "prompt_id": [f"p_{i}" for i in range(n)],
            "prompt": [prompt(i) for i in range(n)],
            "ground_truth": [str(i) for i in range(n)],
            "dataset": "rl",
            "split": ["train"] * (n - held_out) + ["test"] * held_out,
        }
    )


def write_stage(store: Store, table: str, rows: pl.DataFrame) -> Stage:
    """Write a dataset's stage, as a run would have made it."""
    stage_id = f"{table[:3]}{rows.height:09d}"
    with store.new_stage(stage_id, f"datasets-{table}") as writer:
        writer.write(table, rows)
    stage = store.stage(stage_id)
    assert stage
    return stage


def recipe_with(folder: Path, sections: str, models: str = "") -> Recipe:
    """Return a recipe with the given sections ``train`` and ``evaluate``, and the others that they need."""
    text = (
        f"name: tiny\nseed: 3\nmodels: {{student: tiny{models and ', '}{models}}}\nprompts:\n  - source: seeds.jsonl\n"
        "datasets:\n  sft: {type: sft}\n  dpo: {type: preference}\n  kto: {type: unpaired}\n  rl: {type: prompt}\n"
        "split: {test: 0.1}\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(text + sections, encoding="utf-8")
    return load_recipe(folder / "recipe.yaml")
