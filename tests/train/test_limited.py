"""A smoke run's trainings and evaluations are kept apart from those of the whole recipe."""

import json
from pathlib import Path

import pytest

from curate.storage.sql_views import connect
from curate.storage.store import Store
from tests.command import call
from tests.optional import needs

pytestmark = [needs("trl"), pytest.mark.slow]

RECIPE = """
name: job
models: {student: "MODEL"}
prompts:
  - source: a.jsonl
datasets:
  sft: {type: sft}
split: 0.25
train:
  tuned: {trainer: sft, dataset: sft, model: student, per_device_train_batch_size: 2, max_steps: 1}
evaluate: {models: [student, tuned], dataset: sft, by: [length], max_tokens: 3}
"""


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which both the smoke run and the whole run were made, trained and evaluated."""
    folder = tmp_path_factory.mktemp("limited")
    rows = [{"prompt": f"answer {n}", "completion": f"the cat {n}"} for n in range(12)]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "r.yaml").write_text(RECIPE.replace("MODEL", str(tiny)), encoding="utf-8")
    for flags in (["--limit", "4"], []):
        for command in ("run", "train", "evaluate"):
            done = call(folder, command, "r.yaml", *flags)
            assert done.code == 0, done.err
            if not flags or command != "run":
                continue
            refused = call(folder, "train", "r.yaml")
            assert refused.code == 2 and "gristmill run r.yaml" in refused.err
    return folder


def held(folder: Path, query: str, recipe: str | None = None) -> list[tuple]:
    with connect(Store(folder / "store"), recipe, query) as con:
        return con.execute(query).fetchall()


def test_the_tables_show_the_training_of_the_whole_recipe(folder: Path):
    rows = "SELECT rows, settings ->> 'limit' FROM trainings"
    assert held(folder, rows) == [(9, None)]
    assert held(folder, rows, "job.limit4") == [(3, "4")]
    assert held(folder, "SELECT count(DISTINCT row_id), count(*) FROM training_rows") == [(9, 9)]
    evaluated = "SELECT model, count(*) FROM evaluations WHERE scorer = 'length' GROUP BY 1 ORDER BY 1"
    assert held(folder, evaluated) == [("student", 3), ("tuned", 3)]
    assert held(folder, evaluated, "job.limit4") == [("student", 1), ("tuned", 1)]


def test_the_models_folder_and_card_say_that_it_is_a_smoke_run(folder: Path):
    (path,) = (folder / "store" / row[0] for row in held(folder, "SELECT path FROM trainings", "job.limit4"))
    assert path.parent.name.startswith("train-tuned.limit4-")
    card = (path / "README.md").read_text(encoding="utf-8")
    assert "# job.limit4: tuned" in card and "sft of the recipe job.limit4, 3 rows" in card
    assert "| `test` | `length` | `tuned` | 1 |" in card  # what evaluate found, of the smoke run alone
    (path,) = (folder / "store" / row[0] for row in held(folder, "SELECT path FROM trainings"))
    assert "| `test` | `length` | `tuned` | 3 |" in (path / "README.md").read_text(encoding="utf-8")
    assert "limit" not in path.parent.name and "limit" not in (path / "README.md").read_text(encoding="utf-8")


def test_both_are_reused(folder: Path):
    stages = len(Store(folder / "store").stages())
    for flags in (["--limit", "4"], []):
        done = call(folder, "evaluate", "r.yaml", *flags)
        assert done.code == 0 and call(folder, "train", "r.yaml", *flags).code == 0
    assert len(Store(folder / "store").stages()) == stages


def test_a_killed_smoke_training_is_not_in_the_tables(folder: Path):
    """A training is in the store before the record of its run names it."""
    store = Store(folder / "store")
    before = held(folder, "SELECT count(*) FROM trainings")
    with store.new_stage("orphan", "train-tuned.limit9", what={"limit": 9}) as writer:
        import polars as pl

        writer.write("trainings", pl.DataFrame({"training_id": ["orphan"]}))
    assert held(folder, "SELECT count(*) FROM trainings") == before
