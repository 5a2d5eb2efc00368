"""Small jobs over recorded answers: a recipe without a model, its store, and what a dataset came to."""

import json
from pathlib import Path

from curate.api.run import run
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe
from tests.jobs import query


def recorded(prompt: str, *answers: tuple, **more: object) -> dict:
    """A source row; an answer is (text, score) or (text, score, model)."""
    completions = [
        {"response": text, **({} if score is None else {"quality": score}), **({"model": m[0]} if m else {})}
        for text, score, *m in answers
    ]
    return {"prompt": prompt, "completions": completions, **more}


def recipe(folder: Path, rows: list[dict], datasets: str, more: str = "") -> Recipe:
    """Write the rows and a recipe with these datasets (YAML, a line each), and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    lines = "".join(f"  {line.strip()}\n" for line in datasets.strip().splitlines())
    (folder / "r.yaml").write_text(
        f"name: r\nseed: 5\nprompts:\n  - source: rows.jsonl\ndatasets:\n{lines}{more}", encoding="utf-8"
    )
    return load_recipe(folder / "r.yaml")


def built(folder: Path, rows: list[dict], datasets: str, more: str = "") -> tuple[Store, dict[str, str]]:
    """Run such a recipe; returns the store and what each dataset's stage says came of it."""
    store = Store(folder / "store")
    made = run(recipe(folder, rows, datasets, more), store)
    return store, {name: stage.manifest["result"] for name, stage in made.stages.items()}


def pairs(store: Store, dataset: str) -> list[tuple[str, str, str]]:
    """A preference dataset as (prompt, chosen, rejected), sorted."""
    return query(
        store,
        f"""SELECT prompt ->> '$[0].content', chosen ->> '$[0].content', rejected ->> '$[0].content'
                          FROM preferences WHERE dataset = '{dataset}' ORDER BY ALL""",
    ).rows()


def picks(store: Store, dataset: str) -> list[tuple[str, str]]:
    """An SFT dataset as (prompt, completion), sorted."""
    return query(
        store,
        f"""SELECT prompt ->> '$[0].content', completion ->> '$[0].content' FROM sft
                          WHERE dataset = '{dataset}' ORDER BY ALL""",
    ).rows()
