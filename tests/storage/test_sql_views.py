"""The tables in SQL: the latest finished run of each recipe, in views that are never half there."""

import duckdb
import polars as pl
import pytest

from curate.storage.sql_views import NAME, connect, publish
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.rows import HISTORY_TABLES, RUN_TABLES, STAGE_TABLES


def stage(store, stage_id, *ids, scorer="x", value=1.0):
    with store.new_stage(stage_id, f"completions.score.{scorer}", what={}) as writer:
        writer.write("scores", pl.DataFrame({"row_id": ids, "scorer": scorer, "value": value}))
    return store.stage(stage_id)


def record(store, run_id, recipe, status, *stages, command="run", limit_of=None):
    used = [{"path": s.path.name, "stage_id": s.stage_id, "stage": "x", "position": i} for i, s in enumerate(stages)]
    store.save_run(
        {
            "run_id": run_id,
            "recipe": recipe,
            "command": command,
            "status": status,
            "stages": used,
            "started_at": "2026-11-24T05:00:00.000",
            "resolved": {"name": recipe},
            "limit_of": limit_of,
        }
    )


def rows(store, query="SELECT row_id FROM scores ORDER BY ALL", recipe=None):
    with connect(store, recipe) as con:
        return [r[0] if len(r) == 1 else r for r in con.execute(query).fetchall()]


def test_an_empty_store_has_every_table_with_its_columns(store):
    with connect(store) as con:
        for table, columns in {**{t: c for t, (c, _) in STAGE_TABLES.items()}, **HISTORY_TABLES}.items():
            found = con.execute(f"DESCRIBE {table}").fetchall()
            by_run = [("run_id", "VARCHAR")] if table in RUN_TABLES else []
            assert [(r[0], r[1]) for r in found] == [*columns.items(), *by_run]
            assert con.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_full_table_begins_with_the_same_columns(store):
    record(store, "1", "a", "finished", stage(store, "s1", "c_1"))
    columns = STAGE_TABLES["scores"][0]
    assert [(r[0], r[1]) for r in rows(store, "DESCRIBE scores")][: len(columns)] == list(columns.items())


def test_the_latest_finished_run_of_each_recipe_is_shown(store):
    record(store, "1", "a", "finished", stage(store, "s1", "c_old"))
    record(store, "2", "b", "finished", stage(store, "s2", "c_b"))
    record(store, "3", "a", "finished", stage(store, "s3", "c_new"))
    assert rows(store) == ["c_b", "c_new"]


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_an_unfinished_run_hides_nothing(store, status):
    record(store, "1", "a", status, stage(store, "s1", "c_1"))
    assert rows(store) == ["c_1"]  # nothing better yet
    record(store, "2", "a", "finished", stage(store, "s2", "c_2"))
    record(store, "3", "a", status, stage(store, "s3", "c_3"))
    assert rows(store) == ["c_2"]
    assert rows(store, "SELECT status FROM runs ORDER BY run_id") == [status, "finished", status]


def test_other_commands_do_not_stand_for_a_run(store):
    record(store, "1", "a", "finished", stage(store, "s1", "c_1"))
    record(store, "2", "a", "finished", command="train")
    assert rows(store) == ["c_1"]


def test_a_run_with_a_limit_hides_nothing_and_is_hidden(store):
    record(store, "1", "a.limit9", "finished", stage(store, "s1", "c_9"), limit_of="a")
    assert rows(store) == ["c_9"], "there is nothing better yet"
    record(store, "2", "a.limit5", "running", stage(store, "s2", "c_5"), limit_of="a")
    assert rows(store) == ["c_5"], "the latest limit"
    record(store, "3", "a", "finished", command="train")
    assert rows(store) == ["c_5"], "no run of the whole recipe"
    record(store, "4", "a", "finished", stage(store, "s4", "c_all"))
    record(store, "5", "a.limit9", "finished", store.stage("s1"), limit_of="a")
    record(store, "6", "b.limit9", "finished", stage(store, "s6", "c_b"), limit_of="b")
    assert rows(store) == ["c_all", "c_b"]
    assert rows(store, recipe="a.limit9") == ["c_9"] and rows(store, recipe="a") == ["c_all"]
    assert len(rows(store, "FROM runs")) == 6 and len(rows(store, "FROM runs", "a.limit9")) == 2
    with pytest.raises(UserError, match="no recipe .in the store. called 'a.limit8'; did you mean 'a.limit9'"):
        connect(store, "a.limit8")


def test_a_row_that_two_recipes_reach_is_shown_once(store):
    record(store, "1", "a", "finished", stage(store, "s1", "c_1", "c_2"))
    record(store, "2", "b", "finished", stage(store, "s2", "c_2", "c_3"), stage(store, "s3", "c_2", scorer="y"))
    assert rows(store) == ["c_1", "c_2", "c_2", "c_3"]
    assert rows(store, "SELECT scorer FROM scores WHERE row_id = 'c_2' ORDER BY ALL") == ["x", "y"]


def test_a_stage_that_was_removed_by_hand_is_left_out(store):
    gone = stage(store, "s1", "c_1")
    record(store, "1", "a", "finished", gone, stage(store, "s2", "c_2"))
    for file in gone.path.iterdir():
        file.unlink()
    gone.path.rmdir()
    assert rows(store) == ["c_2"]


def test_history_is_told_in_order(store):
    record(store, "1", "a", "failed", stage(store, "s1", "c_1"))
    record(store, "2", "a", "finished", store.stage("s1"), stage(store, "s2", "c_2"))
    assert rows(store, "SELECT run_id, stage_id, position FROM stages ORDER BY ALL") == [
        ("1", "s1", 0),
        ("2", "s1", 0),
        ("2", "s2", 1),
    ]
    assert rows(store, "SELECT DISTINCT resolved ->> 'name' FROM runs") == ["a"]


def test_the_file_is_replaced_whole_and_old_readers_keep_theirs(store):
    record(store, "1", "a", "finished", stage(store, "s1", "c_1"))
    publish(store)
    before = (store.path / NAME).stat().st_ino
    with duckdb.connect(str(store.path / NAME), read_only=True) as reader:
        assert reader.execute("SELECT row_id FROM scores").fetchall() == [("c_1",)]
        record(store, "2", "a", "finished", stage(store, "s2", "c_2"))
        publish(store)
        assert reader.execute("SELECT row_id FROM scores").fetchall() == [("c_1",)]
    assert (store.path / NAME).stat().st_ino != before
    with duckdb.connect(str(store.path / NAME), read_only=True) as reader:
        assert reader.execute("SELECT row_id FROM scores").fetchall() == [("c_2",)]
    assert [p.name for p in store.path.glob(".*")] == []


def test_a_reader_that_does_not_let_go_hinders_nobody(store):
    publish(store)
    with duckdb.connect(str(store.path / NAME)) as other:  # even one that opened it for writing
        record(store, "1", "a", "finished", stage(store, "s1", "c_1"))
        publish(store)
        assert rows(store) == ["c_1"]
        assert other.execute("SELECT count(*) FROM scores").fetchone() == (0,)


def test_a_path_with_quotes_and_spaces_is_a_path(tmp_path):
    store = Store(tmp_path / 'it\'s a "store" {x} [1]')
    record(store, "1", "a", "finished", stage(store, "s1", "c_1"))
    publish(store)
    assert rows(store) == ["c_1"]
