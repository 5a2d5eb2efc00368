"""Time of ``gristmill check`` for a recipe with 10,000 prompts and an empty store, in a fresh process."""

import json
import random
import tempfile
from pathlib import Path

from benchmarks.measure import GRISTMILL, Row, medians, wall
from benchmarks.models import random_llama

ROWS = 10_000
RECIPE = """
name: big
models: {student: model}
prompts:
  - source: rows.jsonl
  - dedup: {use: minhash, threshold: 0.8}
completions:
  - generate: {use: sample, model: student, n: 4, max_tokens: 64}
  - score: exact_match
datasets:
  sft: {type: sft, select: best_of_n, by: exact_match}
  dpo: {type: preference, select: best_vs_worst, by: exact_match}
  rl: {type: prompt, where: "pass_rate between 0.1 and 0.9"}
split: {test: 0.1}
train:
  sft: {trainer: sft, dataset: sft, model: student, lora: {r: 16}}
  dpo: {trainer: dpo, dataset: dpo, model: sft, beta: 0.1}
"""


def measure() -> list[Row]:
    """Return medians of 5 runs. The model is a small random one, with a tokenizer trained on the prompts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompts = write_rows(folder / "rows.jsonl")
        random_llama(folder / "model", prompts[:500], hidden=64, layers=2)
        (folder / "big.yaml").write_text(RECIPE)
        (plan,) = medians(lambda: wall(*GRISTMILL, "check", "big.yaml", folder=folder), times=5)
        (help_,) = medians(lambda: wall(*GRISTMILL, "check", "--help", folder=folder), times=5)
        return [Row(f"check, {ROWS:,} prompts, empty store", plan, "s", "2 s", "check --help", help_)]


def write_rows(path: Path) -> list[str]:
    """Write distinct prompts of 10 to 50 made-up words, each with a ground truth, and return them."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(5000)]
    prompts = [f"Question {i}: {' '.join(draw.choices(words, k=draw.randint(10, 50)))}?" for i in range(ROWS)]
    rows = [json.dumps({"prompt": prompt, "ground_truth": str(i)}) for i, prompt in enumerate(prompts)]
    path.write_text("\n".join(rows) + "\n")
    return prompts
