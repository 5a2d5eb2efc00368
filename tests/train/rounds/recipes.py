"""The recipe of the tests of rounds: a tiny model learns to write answers with many letters e."""

from pathlib import Path
from typing import Any

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
        },
        "rounds": {"most": 3, "split": "dev", "patience": 9},
    } | changed
