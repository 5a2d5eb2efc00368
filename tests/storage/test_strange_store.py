"""A store from a stranger: pipes, links and SQL in it are damage; nothing of them is read, followed or run."""

import os
import sqlite3

import duckdb
import polars as pl
import pytest

from curate.storage.damage import Damaged
from curate.storage.doctor import examine, repair
from curate.storage.reply_log import ReplyLog, costs
from curate.storage.sql_views import NAME, connect, publish
from curate.storage.store import Store
from schemas.errors import UserError

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n AS key, n AS id, n AS body FROM r"


@pytest.fixture
def held(store):
    """A store with a stage of two rows, as the next command opens it."""
    with store.new_stage("1a", "completions.score.x", what={}, result="") as writer:
        writer.write("scores", pl.DataFrame({"row_id": ["c_1", "c_2"], "scorer": "x", "value": 1.0}))
    used = [{"path": one.path.name, "stage_id": "1a", "stage": "x", "position": 0} for one in store.whole_stages()]
    store.save_run({"run_id": "r", "recipe": "a", "command": "run", "status": "finished", "stages": used, "number": 1})
    publish(store)
    return Store(store.path)


def damaged(store):
    again = Store(store.path)
    again.damaged = lambda message: None
    return again


def test_a_pipe_in_place_of_a_manifest_is_damage(held):
    file = held.stage("1a").path / "stage.json"
    file.unlink()
    os.mkfifo(file)
    store = damaged(held)
    assert store.whole_stages() == [] and "is no plain file" in str(examine(store)[0].damage)


@pytest.mark.parametrize("make", [os.mkfifo, lambda file: file.symlink_to("/etc/hostname")])
def test_a_pipe_or_a_link_in_place_of_a_table_is_damage(held, make):
    file = held.stage("1a").files("scores")[0]
    file.unlink()
    make(file)
    with connect(damaged(held)) as con, pytest.raises(duckdb.Error, match="is no plain file"):
        con.execute("SELECT count(*) FROM scores").fetchall()
    assert damaged(held).stage("1a") is None


def test_a_view_or_a_trigger_in_the_log_of_replies_is_not_run(held):
    with ReplyLog(held):
        pass
    file = held.path / "replies" / "replies.sqlite"
    with sqlite3.connect(file) as log:
        log.execute("DROP TABLE replies")
        log.execute(f"CREATE VIEW replies AS {ENDLESS}")
    log.close()
    (found,) = examine(damaged(held))
    assert "no table of a log of replies" in str(found.damage)
    assert repair(damaged(held), [found]) == [found] and file.is_file()
    with pytest.raises(Damaged, match="view replies"):
        ReplyLog(held)
    with pytest.raises(UserError, match="view replies"):
        costs(held)


def test_the_doctor_runs_no_view_of_the_catalogue(held):
    (held.path / NAME).unlink()
    with duckdb.connect(str(held.path / NAME)) as con:
        con.execute("CREATE VIEW runs AS SELECT count(*) FROM range(100000000000) a, range(1000000) b")
    assert examine(damaged(held)) == []


def test_a_pipe_among_the_embeddings_is_damage(held):
    (held.path / "embeddings" / "m-1").mkdir(parents=True)
    os.mkfifo(held.path / "embeddings" / "m-1" / "x.parquet")
    (found,) = examine(damaged(held))
    assert "is no plain file" in str(found.damage)


def test_what_is_damaged_is_moved_through_no_link(held, tmp_path):
    (held.stage("1a").path / "stage.json").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (held.path / "damaged").symlink_to(tmp_path / "elsewhere")
    store = damaged(held)
    with pytest.raises(UserError, match="is a link"):
        repair(store, examine(store))
    assert [*(tmp_path / "elsewhere").iterdir()] == []
