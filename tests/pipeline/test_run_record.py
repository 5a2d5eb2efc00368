"""The record of a run: each finished stage is in it at once, so that a run which ends early leaves them there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from curate.api.run import run
from curate.pipeline.run_record import RunRecord, rows_out
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.progress import Progress
from schemas.rows import OTHER_METADATA
from tests.jobs import last_run, query

ROOT = Path(__file__).parents[2]
COMMAND = "from cli.main import main; main()"
RECIPE = """
name: r
prompts:
  - source: rows.jsonl
  - score: {use: ending.size}
  - score: {use: ending.broken}
datasets: {rl: {type: prompt}}
"""
OWN = """
import os
import signal

import polars as pl


def size(prompt: pl.Series) -> pl.Series:
    return prompt.str.len_chars().cast(pl.Float64)


def broken(prompt: pl.Series) -> pl.Series:
    if len(prompt) and os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)
    if len(prompt):
        raise RuntimeError("the scorer is broken")
    return pl.Series([], dtype=pl.Float64)
"""
FINISHED = ["prompts.source.rows", "prompts.score.size"]


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where steps of the user's own are looked for
    (tmp_path / "rows.jsonl").write_text('{"prompt": "name a river"}\n{"prompt": "name a town"}\n', encoding="utf-8")
    (tmp_path / "ending.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "r.yaml").write_text(RECIPE, encoding="utf-8")
    return load_recipe(tmp_path / "r.yaml")


def stages(store):
    return [stage["stage"] for stage in last_run(store)["stages"]]


def test_a_failed_run_has_its_finished_stages_in_record_and_sql(recipe, tmp_path):
    store = Store(tmp_path / "store")
    with pytest.raises(Exception, match="broken"):
        run(recipe, store)
    assert stages(store) == FINISHED and last_run(store)["status"] == "failed"
    assert query(store, "SELECT count(*) FROM scores").item() == 2


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True])
def test_a_killed_run_has_its_finished_stages_in_its_record(recipe, tmp_path, again):
    store = Store(tmp_path / "store")
    for _ in range(1 + again):  # the second run reuses the stages
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, "run", str(recipe.path), "--store", str(store.path)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "KILLED": "1"},
            capture_output=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert stages(store) == FINISHED and last_run(store)["status"] == "running"
    assert [stage["reused"] for stage in last_run(store)["stages"]] == [again, again]


KEPT = {"row_id": "p_1", "stage": "x", "kept": True}
OUT = {"row_id": "p_2", "stage": "x", "kept": False, "reason": "short"}
OTHER = {"row_id": "c_1", "stage": "x", "kept": True, "reason": OTHER_METADATA}
PROMPTS = [{"prompt_id": "p_3"}, {"prompt_id": "p_4"}]


@pytest.mark.parametrize(
    ("tables", "rows"),
    [
        ({"prompts": PROMPTS, "completions": [{"completion_id": "c_1"}], "decisions": [OUT, OTHER]}, 2),
        ({"completions": [{"completion_id": "c_1"}], "decisions": [OUT]}, 1),
        ({"scores": [{"row_id": "c_1"}]}, 1),
        ({"decisions": [KEPT, OUT], "diversity": [{"stage": "x"}, {"stage": "y"}]}, 1),
        ({"decisions": [OUT]}, 0),
        ({"decisions": [KEPT, OUT], "prompts": PROMPTS}, 3),  # repeats that mix adds
        ({"sft": [{"row_id": "r_1"}], "decisions": [KEPT, KEPT, OUT]}, 1),
        ({"trainings": [{"rows": 3}], "training_rows": [{"fate": "trained"}, {"fate": "too long"}]}, 1),
        ({"trainings": [{"rows": 3}]}, 3),
        ({"evaluations": [{"row_id": "r_1"}, {"row_id": "r_2"}]}, 2),
        ({}, 0),
    ],
)
def test_rows_out_counts_what_a_stage_gives(store, tables, rows):
    with store.new_stage("5a", "x", what={}) as writer:
        for table, held in tables.items():
            writer.write(table, pl.DataFrame(held, infer_schema_length=None))
    assert rows_out(writer.stage()) == rows


def test_what_goes_on_is_in_the_record_until_the_run_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("curate.pipeline.run_record.NOTED_EVERY", -1.0)
    (tmp_path / "r.yaml").write_text("name: r\nprompts: [{source: rows.jsonl}]\n")
    store, said = Store(tmp_path / "store"), []

    class Display(Progress):
        def advance(self, done, note=""):
            said.append((done, note))

    with RunRecord(load_recipe(tmp_path / "r.yaml"), store, "run") as record:
        shown = record.shown(Display())
        shown.begin("completions.generate", 10, "replies")
        shown.advance(3)
        shown.advance(1, "2 a second")
        held = store.runs()[-1].get("doing")
        assert held == {"stage": "completions.generate", "done": 4, "total": 10, "unit": "replies"}
    assert said == [(3, ""), (1, "2 a second")]
    assert store.runs()[-1]["doing"] is None


def test_views_that_take_long_to_write_wait_for_the_end(tmp_path):
    (tmp_path / "r.yaml").write_text("name: r\nprompts: [{source: rows.jsonl}]\n")
    store = Store(tmp_path / "store")

    def made(number: int) -> Stage:
        with store.new_stage(f"{number:012}", f"prompts.score.s{number}", what={}) as writer:
            writer.write("scores", pl.DataFrame({"row_id": ["p"], "scorer": ["x"], "value": [1.0]}))
        return writer.stage()

    def views() -> tuple[int, int] | None:
        file = store.path / "gristmill.duckdb"
        held = file.stat() if file.exists() else None
        return (held.st_ino, held.st_mtime_ns) if held else None

    with RunRecord(load_recipe(tmp_path / "r.yaml"), store, "run") as record:
        record.views_took = 3600.0
        seen = [views()]
        for step in (lambda: record.add(made(1), reused=False), record.publish, record.publish):
            step()
            seen.append(views())
        assert seen[0] == seen[1] != seen[2] == seen[3], "only a model that is asked has them written, and once"
        record.views_took = 3600.0
        record.add(made(2), reused=False)
        assert views() == seen[3]
    assert views() != seen[3]
