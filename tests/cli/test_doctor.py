"""The command doctor, and the other commands on a store that is damaged."""

from typing import Any

import duckdb
import polars as pl
import pytest

from curate.storage.store import Store
from tests.command import call, mistake

LABEL = "completions.score.x"


@pytest.fixture
def damaged(tmp_path):
    """A folder with a store of two tables, of which scores is cut short."""
    store = Store(tmp_path / "store")
    for stage_id, label, rows in (
        ("1a", LABEL, {"row_id": ["c_1"], "scorer": "x", "value": 1.0}),
        ("1b", "prompts.source.s", {"prompt_id": ["p_1"], "prompt": ["hi"]}),
    ):
        with store.new_stage(stage_id, label, what={}, result="") as writer:
            writer.write("scores" if label == LABEL else "prompts", pl.DataFrame(rows))
    used = [
        {"path": one.path.name, "stage_id": one.stage_id, "stage": "x", "position": 0} for one in store.whole_stages()
    ]
    run: Any = {"run_id": "1", "recipe": "a", "command": "run", "status": "finished", "stages": used, "number": 1}
    store.save_run(run)
    next((store.path / "stages").glob("*-1a/scores-*")).write_bytes(b"PAR1")
    return tmp_path


def test_damage_is_one_line_where_it_is_needed_only(damaged):
    assert '"n": 1' in call(damaged, "sql", "SELECT count(*) AS n FROM prompts", "--format", "json").out
    said = mistake(call(damaged, "sql", "SELECT * FROM scores"))
    assert said.startswith(f"{damaged}/store/stages/{LABEL}-1a/scores-0000.parquet: damaged: ") and "doctor" in said
    shown = call(damaged, "show")
    assert shown.code == 0 and "damaged" in shown.out and call(damaged, "why", "p_1").code == 0


def test_the_doctor_says_what_is_lost_and_repairs(damaged):
    found = call(damaged, "doctor")
    assert found.code == 1 and f"lost: 1 row of scores of {LABEL}-1a, used by a" in found.out
    assert "1 damaged part; 'gristmill doctor --repair'" in found.err
    repaired = call(damaged, "doctor", "--repair")
    assert repaired.code == 0 and "set aside: " in repaired.out and "repaired: 1 stage and 1 run" in repaired.out
    again = call(damaged, "doctor")
    assert again.code == 0 and "no damage: 1 stage and 1 run are whole" in again.out
    assert '"n": 0' in call(damaged, "sql", "SELECT count(*) AS n FROM scores", "--format", "json").out


def test_a_repair_gives_an_older_catalogue_the_views_of_now(damaged):
    call(damaged, "doctor", "--repair")
    catalogue = damaged / "store" / "gristmill.duckdb"
    catalogue.unlink()
    with duckdb.connect(str(catalogue)) as con:
        con.execute("CREATE VIEW prompts AS SELECT 1 AS old")
    assert "no damage" in call(damaged, "doctor", "--repair").out
    with duckdb.connect(str(catalogue), read_only=True) as con:
        assert con.execute("SELECT prompt FROM candidates").fetchall() == []
        assert con.execute("SELECT prompt FROM prompts").fetchall() == [("hi",)]
