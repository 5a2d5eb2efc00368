"""A scorer that scores the rows part by part writes the tables that it writes at once."""

import json

import pytest

from curate.api.run import run
from curate.pipeline import score
from curate.spread.spread import run_by
from curate.spread.worker_processes import WorkerProcesses
from curate.storage import rows, stage
from curate.storage.store import Store
from schemas.progress import Progress

SCORERS = """
  - score: {use: length, as: own}
  - score: {use: exact_match, as: of_prompts}
  - score: {use: consensus, as: groups}
  - score: {use: combine, sql: "own + 2 * of_prompts", as: table}
  - filter: {where: own < 17}
  - score: {use: length, unit: words, as: after}
  - score: {use: regex, pattern: the, as: found}
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Yield a recipe whose files of rows have nine rows each; one process makes their scores."""
    monkeypatch.setattr(stage, "PART", 9)
    monkeypatch.setattr(rows, "BATCH", 9)
    made = [
        {
            "prompt": f"q{n}",
            "completions": [f"the answer is {n}", f"{n % 5}", f"{n % 3}"][: 1 + n % 3],
            "answer": str(n % 7),
        }
        for n in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in made))
    (tmp_path / "r.yaml").write_text(f"name: r\nprompts:\n  - source: {{path: rows.jsonl}}\ncompletions:{SCORERS}")
    with run_by(WorkerProcesses(1)):
        yield tmp_path / "r.yaml"


def tables(store):
    """Return the content of the tables' files by stage, and the stages' lines."""
    files = {
        path.name: {file.name: file.read_bytes() for file in path.glob("*.parquet")} for path in store.glob("stages/*")
    }
    return files, {one.manifest["label"]: one.manifest["result"] for one in Store(store).whole_stages()}


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_parts_give_the_tables_of_one_process(recipe, tmp_path, monkeypatch, processes):
    run(recipe, tmp_path / "once")
    monkeypatch.setattr(score, "FEWEST", 2)
    with run_by(WorkerProcesses(processes)):
        run(recipe, tmp_path / "parts")
    found = tables(tmp_path / "parts")
    assert found == tables(tmp_path / "once") and len(found[0]) == 8
    assert not list((tmp_path / "parts" / "work").iterdir())


class Interrupting(Progress):
    """Interrupts the run when a stage has had so many rows done."""

    def __init__(self, label, rows):
        self.wanted, self.rows, self.shown = label, rows, ""

    def begin(self, label, total=None, unit="rows"):
        self.shown = label

    def advance(self, done, note=""):
        if self.shown == self.wanted:
            self.rows -= done
            if self.rows <= 0:
                raise KeyboardInterrupt


def test_finished_parts_outlive_a_run(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(score, "FEWEST", 2)
    run(recipe, tmp_path / "whole")
    label = "completions.score.of_prompts"
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "store", Interrupting(label, 20))
    (folder,) = (tmp_path / "store" / "work").iterdir()
    finished = {file.stat().st_ino for file in folder.glob("*-scores-*.parquet")}
    assert len(finished) == 3 and len(list(folder.glob("*.answer"))) == 3
    run(recipe, tmp_path / "store")
    assert tables(tmp_path / "store")[0] == tables(tmp_path / "whole")[0]
    of_stage = next((tmp_path / "store" / "stages").glob(f"{label}-*")).glob("scores-*.parquet")
    assert finished <= {file.stat().st_ino for file in of_stage}
    assert not list((tmp_path / "store" / "work").iterdir())


def test_parts_of_stages_that_are_not_needed_go(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(score, "FEWEST", 2)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "store", Interrupting("completions.score.own", 20))
    recipe.write_text(recipe.read_text().replace("use: length, as", "use: length, unit: words, as"))
    run(recipe, tmp_path / "store")
    assert not list((tmp_path / "store" / "work").iterdir())


def test_an_error_of_a_part_is_the_scorers_own(recipe, tmp_path, monkeypatch):
    recipe.write_text(recipe.read_text().replace("pattern: the", "pattern: '('"))
    with pytest.raises(Exception) as once:
        run(recipe, tmp_path / "once")
    monkeypatch.setattr(score, "FEWEST", 2)
    with pytest.raises(type(once.value)) as parts:
        run(recipe, tmp_path / "parts")
    assert str(parts.value) == str(once.value)
