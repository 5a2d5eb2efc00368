"""The recipe of the tests of rounds: a tiny model learns to write answers with many letters e."""

import json
from pathlib import Path
from typing import Any

import yaml

from curate.storage.sql_views import connect
from curate.storage.store import Store
from tests.command import Result, call
from tests.train.tables import WORDS

PROMPTS = [{"prompt": f"answer {WORDS[i % len(WORDS)]} {i}"} for i in range(40)]
LETTERS = "(length(response) - length(replace(response, 'e', '')))::double"


def sections(model: str | Path = "smollm2-135m", source: str = "seeds.jsonl", **changed: Any) -> dict[str, Any]:
    """Return the recipe, with some sections changed: best-of-8 by the letters e, SFT, two held-out splits."""
    sft = {"trainer": "sft", "dataset": "sft", "model": "student", "learning_rate": 1e-2}
    return {
        "name": "loop",
        "seed": 3,
        "models": {"student": str(model)},
        "prompts": [{"source": source}],
        "completions": [
            {"generate": {"use": "sample", "model": "student", "n": 8, "max_tokens": 8, "where": "split = 'train'"}},
            {"score": {"use": "combine", "as": "es", "sql": LETTERS}},
        ],
        "datasets": {"sft": {"type": "sft", "select": "best_of_n", "by": "es"}, "held_out": {"type": "prompt"}},
        "split": {"dev": 0.2, "test": 0.2, "near_duplicates": 0},
        "train": {"sft": {**sft, "per_device_train_batch_size": 8, "num_train_epochs": 4}},
        "evaluate": {
            "models": ["student", "sft"],
            "dataset": "held_out",
            "by": ["es"],
            "n": 4,
            "temperature": 1.0,
            "max_tokens": 8,
            "retention": False,
        },
        "rounds": {"most": 3, "split": "dev", "patience": 9},
    } | changed


def write(folder: Path, model: Path, **changed: Any) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in PROMPTS)
    (folder / "seeds.jsonl").write_text(lines, encoding="utf-8")
    (folder / "r.yaml").write_text(yaml.safe_dump(sections(model, **changed), sort_keys=False), encoding="utf-8")


def sql(folder: Path, query: str, recipe: str | None = None) -> list[tuple]:
    with connect(Store(folder / "store"), recipe, query) as con:
        return con.execute(query).fetchall()


def done(folder: Path, *arguments: str) -> Result:
    result = call(folder, *arguments)
    assert result.code == 0, result.err
    return result
