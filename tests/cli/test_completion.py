"""What the shell offers from a store: columns of a table, runs; and formats."""

from typing import Any

import polars as pl
import pytest

from curate.storage.store import Store
from tests.command import call

SCORERS = ["length", "$(touch x)"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a store of two scorers, one of which a shell would run, and two runs."""
    folder = tmp_path_factory.mktemp("completed")
    store = Store(folder / "store")
    used = []
    with store.new_stage("1a", "completions.score.s", what={"use": "s"}, result="") as writer:
        rows = pl.DataFrame({"row_id": "c_1", "scorer": SCORERS, "value": 1.0, "error": None, "metadata": None})
        writer.write("scores", rows.with_columns(pl.col("error", "metadata").cast(pl.String)))
    for stage in store.whole_stages():
        used.append({"path": stage.path.name, "stage_id": stage.stage_id, "stage": "s", "position": 0})
    for number, recipe in enumerate(("a", "b;c"), 1):
        run: Any = {"run_id": f"r{number}", "recipe": recipe, "command": "run", "status": "finished", "stages": used}
        run["number"] = number
        store.save_run(run)
    return folder


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sql --format js", ["json", "jsonl"]),
        ("show scores --format mar", ["markdown"]),
        ("show scores --columns row_id,sc", ["row_id,scorer"]),
        ("show scores --columns a", ["all"]),
        ("show candidates --columns len", ["length"]),
        ("show candidates --columns $", []),
        ("show --columns r", []),
        ("show nothing --columns r", []),
        ("show --store elsewhere scores --columns r", []),
        ("agree length --format json", ["json", "jsonl"]),
        ("show scores --recipe ", ["a"]),
        ("diff ", ["r2", "r1", "a"]),
        ("diff r1 r", ["r2", "r1"]),
        ("diff --store elsewhere r", []),
    ],
)
def test_a_shell_is_offered(folder, monkeypatch, typed, offered):
    words = f"gristmill {typed}"
    monkeypatch.setenv("_GRISTMILL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    done = call(folder)
    assert done.out.split() == offered and done.err == ""
