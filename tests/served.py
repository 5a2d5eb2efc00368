"""A job whose models are behind a stub server: its files, and what the server and the store counted."""

import json
from pathlib import Path

from curate.storage.reply_log import costs
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe

DATASETS = "\n  sft: {type: sft, select: best_of_n, by: chars}\n  rl: {type: prompt, by: chars}\n"
SCORE = "\n  - score: {use: length, unit: characters, as: chars}\n"
SAMPLE = "\n  - generate: {use: sample, model: a, n: 4, max_tokens: 40, temperature: 0.8}"


def questions(count: int) -> list[dict]:
    """Seeds that differ in what they say and in how long they are."""
    return [{"prompt": f"question {i}" + " please" * (i % 4)} for i in range(count)]


def served(
    folder: Path,
    url: str,
    *,
    rows: list[dict] | int = 8,
    models: str = "",
    more: str = "",
    prompts: str = "",
    completions: str = SAMPLE + SCORE,
    datasets: str = DATASETS,
    top: str = "",
    name: str = "job",
    split: str = "",
) -> Recipe:
    """Write seeds and a recipe into ``folder`` and read it. ``more`` are further settings of the model ``a``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = questions(rows) if isinstance(rows, int) else rows
    (folder / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    models = models or f"\n  a: {{{server(url, 'big')}{more and f', {more}'}}}\n"
    text = (
        f"name: {name}\nseed: 3\n{top}models:{models}prompts:\n  - source: seeds.jsonl{prompts}\n"
        f"completions:{completions}datasets:{datasets}{split}"
    )
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_recipe(folder / f"{name}.yaml")


def server(url: str, model: str) -> str:
    """The settings of a model behind a server: its identity is not its port."""
    return f'engine: openai, base_url: "{url}", model: {model}, identity: {model}'


def total(store: Store, column: str) -> float:
    """The sum of a column of the table ``costs``."""
    return sum(row[column] for row in costs(store))
