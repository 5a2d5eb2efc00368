"""The store: a stage is whole or absent, one process writes at a time, and what was killed leaves no mark."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from curate.storage.polars_types import empty
from curate.storage.stage import conform
from curate.storage.store import Store, is_store
from schemas.errors import UserError
from schemas.rows import STAGE_TABLES
from schemas.version import STORE_FORMAT

ROOT = Path(__file__).parents[2]
# Another process: it does its part, says so, and waits for a line on its stdin before it goes on.
HOLDS = """
import sys
from curate.storage.store import Store
store = Store(sys.argv[1])
with store.lock():
    print("ready", flush=True)
    sys.stdin.readline()
"""
MAKES = """
import os, signal, sys
from curate.storage.store import Store
moment = sys.argv[2]
sys.addaudithook(lambda event, given: moment in f"{event} {given[:1]}" and os.kill(os.getpid(), signal.SIGKILL))
Store(sys.argv[1])
"""
WRITES = """
import sys
import polars as pl
from curate.storage.store import Store
store = Store(sys.argv[1])
with store.lock(), store.new_stage("abc", "score") as writer:
    writer.write("scores", pl.DataFrame({"row_id": ["c_1"], "scorer": ["x"], "value": [1.0]}))
    print("ready", flush=True)
    sys.stdin.readline()
"""


def scores(*values):
    return pl.DataFrame({"row_id": [f"c_{i}" for i in range(len(values))], "scorer": "x", "value": list(values)})


def make(store, stage_id, *parts, table="scores", label="completions.score.x", **manifest):
    with store.new_stage(stage_id, label, **manifest) as writer:
        for rows in parts:
            writer.write(table, rows)
    return store.stage(stage_id)


def other_process(code, store):
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(store.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout and child.stdout.readline() == "ready\n"
    return child


def files(store):
    return sorted(str(p.relative_to(store.path)) for p in (store.path / "stages").rglob("*"))


def test_a_stage_reads_back_in_row_order(store):
    stage = make(store, "abc", scores(1.0, None), scores(3.0).with_columns(row_id=pl.lit("c_2")), what={"n": 1})
    assert stage.rows("scores") == 3 and stage.rows("prompts") == 0
    assert stage.read("scores").select("row_id", "value").rows() == [("c_0", 1.0), ("c_1", None), ("c_2", 3.0)]
    assert stage.read("scores").columns == list(STAGE_TABLES["scores"][0])
    assert stage.read("prompts").columns == list(STAGE_TABLES["prompts"][0]) and stage.read("prompts").height == 0
    assert stage.manifest["what"] == {"n": 1} and stage.manifest["label"] == "completions.score.x"
    assert store.stages() == {"abc": stage.path} and store.stage("ab") is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_a_stage_whose_making_fails_leaves_nothing(store, error):
    with pytest.raises(type(error)), store.new_stage("abc", "score") as writer:
        writer.write("scores", scores(1.0))
        raise error
    assert files(store) == [] and store.stage("abc") is None and store.stages() == {}


def test_a_stage_is_not_there_before_it_is_whole(store):
    with store.new_stage("abc", "score") as writer:
        writer.write("scores", scores(1.0))
        assert store.stage("abc") is None and store.stages() == {}
    assert store.stage("abc").rows("scores") == 1


def test_content_is_a_hash_of_the_rows(store):
    one, same = make(store, "a1", scores(1.0, 2.0)), make(store, "a2", scores(1.0, 2.0), what={"other": True})
    other, turned = make(store, "a3", scores(1.0, 2.5)), make(store, "a4", scores(2.0, 1.0))
    assert one.content("scores") == same.content("scores") and one.content() == same.content("scores")
    assert len({s.content("scores") for s in (one, other, turned)}) == 3
    assert one.content("prompts") == ""


def test_rows_are_given_the_columns_of_the_contract():
    rows = conform("scores", pl.DataFrame({"extra": [1], "value": [2], "row_id": ["c_1"]}))
    assert rows.columns == ["row_id", "scorer", "value", "error", "detail", "extra"]
    assert rows.row(0) == ("c_1", None, 2.0, None, None, 1)
    assert rows.select(list(STAGE_TABLES["scores"][0])).schema == empty("scores").schema


def test_a_newer_store_is_refused(store):
    (store.path / "store.json").write_text(json.dumps({"format": STORE_FORMAT + 1, "made_by": "gristmill 9.9"}))
    with pytest.raises(UserError, match=rf"format {STORE_FORMAT + 1}, made by gristmill 9\.9.*upgrade gristmill"):
        Store(store.path)


@pytest.mark.parametrize("marker", ["", "[]", "{}", '{"format": "new"}', "\x00"])
def test_a_damaged_marker_is_refused(store, marker):
    (store.path / "store.json").write_text(marker)
    with pytest.raises(UserError, match=r"store\.json: is damaged"):
        Store(store.path)


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is not a gristmill store, and not empty"):
        Store(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        Store(tmp_path / "thesis.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_store_that_is_missing_is_made_only_on_request(tmp_path):
    with pytest.raises(UserError, match="no store here"):
        Store(tmp_path / "new", create=False)
    assert not (tmp_path / "new").exists()
    assert Store(tmp_path / "new").stages() == {} and Store(tmp_path / "new", create=False).runs() == []


def test_the_lock_waits_for_another_process_and_says_so(store):
    child, messages = other_process(HOLDS, store), []

    def waiting(message):
        messages.append(message)
        child.stdin.write("go on\n")
        child.stdin.flush()

    store.waiting = waiting
    with store.lock():
        assert messages == [f"waiting for process {child.pid}, which is writing to {store.path}"]
        assert child.wait(10) == 0
    with store.lock():
        assert len(messages) == 1  # nobody to wait for any more
    child.communicate()


def test_a_killed_processs_leftovers_and_lock_are_removed(store):
    child = other_process(WRITES, store)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert any("scores-0000.parquet" in name for name in files(store))  # half a stage
    assert store.stage("abc") is None and store.stages() == {}
    store.waiting = pytest.fail
    with store.lock():
        assert files(store) == []
    assert make(store, "abc", scores(1.0)).rows("scores") == 1


def test_a_store_where_none_can_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="no store can be made here: Not a directory"):
        Store(tmp_path / "file" / "store")


def test_a_folder_is_a_store_once_one_is_made_there(tmp_path):
    assert not is_store(tmp_path) and not is_store(tmp_path / "none")
    Store(tmp_path / "store")
    assert is_store(tmp_path / "store")


def test_a_work_folder_stays_while_the_work_is_not_done(store):
    with pytest.raises(ValueError), store.work_folder("abc") as folder:
        (folder / "checkpoint").write_text("x")
        raise ValueError
    with store.work_folder("abc") as again:
        assert again == folder and (folder / "checkpoint").exists()
    assert not folder.exists()


def test_a_folder_in_a_stage_is_where_its_writer_said(store):
    with store.new_stage("abc", "train-a b") as writer:
        writer.folder("model").mkdir()
        announced = writer.finished_folder("model")
    assert store.stage("abc").folder("model").is_dir()
    assert announced == "stages/train-a-b-abc/model" and store.path / announced == store.stage("abc").folder("model")


def test_the_folders_of_caches_are_those_of_earlier_versions(store):
    assert store.cache_folder("embeddings", "org/model name", "0123").relative_to(store.path).parts == (
        "embeddings",
        "org-model-name-0123",
    )


def test_a_stage_moves_between_stores_whole(store, tmp_path):
    stage = make(Store(tmp_path / "other"), "abc", scores(1.0))
    moved = store.move_in(stage)
    assert moved.path.parent == store.path / "stages" and not stage.path.exists()
    assert moved.read("scores").height == 1 and moved.manifest == stage.manifest


def test_a_move_that_fails_leaves_nothing(store, tmp_path, monkeypatch):
    stage = make(Store(tmp_path / "other"), "abc", scores(1.0))

    def copy_half(source, target):
        Path(target).mkdir()
        (Path(target) / "scores-0000.parquet").write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr("shutil.move", copy_half)
    with pytest.raises(OSError, match="no space"):
        store.move_in(stage)
    assert list((store.path / "stages").iterdir()) == [] and stage.path.exists()


@pytest.mark.parametrize("moment", ["os.rename", "/stages", "/work"])
def test_a_kill_while_a_store_is_made_leaves_one_to_go_on_with(tmp_path, moment):
    done = subprocess.run([sys.executable, "-c", MAKES, tmp_path / "store", moment], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    store = Store(tmp_path / "store")
    assert is_store(store.path) and store.stages() == {} and store.runs() == []
