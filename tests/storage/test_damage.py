"""A damaged part of a store is named, stops only what needs it, and is set aside when it is made anew."""

import json

import duckdb
import polars as pl
import pytest

from curate.storage.damage import Damaged
from curate.storage.doctor import examine, repair, repair_marker
from curate.storage.files import file_hash
from curate.storage.sql_views import NAME, connect, publish
from curate.storage.store import Store


def stage(store, stage_id, table, rows, label):
    with store.new_stage(stage_id, label, what={}, result="done") as writer:
        writer.write(table, rows)
    return store.stage(stage_id)


def scores(store, stage_id="5c0e", value=1.0):
    rows = pl.DataFrame({"row_id": ["c_1", "c_2"], "scorer": "x", "value": value})
    return stage(store, stage_id, "scores", rows, "completions.score.x")


def record(store, name, *stages, recipe="a", **more):
    used = [{"path": s.path.name, "stage_id": s.stage_id, "stage": "x", "position": i} for i, s in enumerate(stages)]
    run = {"run_id": f"run{name}", "recipe": recipe, "command": "run", "status": "finished", "stages": used}
    store.save_run(run | more)


@pytest.fixture
def full(store):
    """A store with a run of two stages, and one of another recipe; it keeps what it says of damage."""
    prompts = stage(store, "9a", "prompts", pl.DataFrame({"prompt_id": ["p_1"], "prompt": ["hi"]}), "prompts.source.s")
    record(store, 1, prompts, scores(store))
    record(store, 2, prompts, recipe="b")
    return store


def opened(store):
    """Return the store as the next command opens it, and the list of what it says."""
    again, said = Store(store.path), []
    again.damaged = said.append
    return again, said


def count(store, table, query=None):
    with connect(store, None, query) as con:
        return con.execute(query or f"SELECT count(*) FROM {table}").fetchall()[0][0]


DAMAGES = {
    "an empty manifest": lambda folder: (folder / "stage.json").write_text(""),
    "half a manifest": lambda folder: (folder / "stage.json").write_text('{"stage_id": "5c0e", "la'),
    "a manifest of another kind": lambda folder: (folder / "stage.json").write_text('{"tables": 7}'),
    "a manifest that leads elsewhere": lambda folder: (folder / "stage.json").write_text(
        (folder / "stage.json").read_text().replace("scores-0000", "../../secret")
    ),
    "no manifest": lambda folder: (folder / "stage.json").unlink(),
    "half a table": lambda folder: (folder / "scores-0000.parquet").write_bytes(b"PAR1 half"),
    "an empty table": lambda folder: (folder / "scores-0000.parquet").write_bytes(b""),
    "no table": lambda folder: (folder / "scores-0000.parquet").unlink(),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_stops_only_what_needs_it_until_it_is_remade(full, name):
    folder = full.stage("5c0e").path
    DAMAGES[name](folder)
    store, said = opened(full)
    assert count(store, "prompts") == 1 and count(store, "runs") == 2
    said_of = f"{folder.name}.*damaged: .*'gristmill run RECIPE' makes the stage anew"
    for query in ("scores", "scores WHERE scorer = 'x'", "scores WHERE value > 9", "prompts JOIN scores ON true"):
        with pytest.raises(duckdb.Error, match=said_of):
            count(store, query)
    publish(store)
    with duckdb.connect(str(store.path / NAME), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM prompts").fetchall() == [(1,)]
    assert store.stage("5c0e") is None and len([text for text in said if folder.name in text]) == 1
    assert scores(store).rows("scores") == 2
    assert count(store, "scores") == 2 and [p.name for p in (store.path / "damaged").iterdir()] == [folder.name]


def test_a_table_that_was_changed_is_not_reused(full):
    file = full.stage("5c0e").files("scores")[0]
    pl.read_parquet(file).with_columns(value=pl.lit(9.0)).write_parquet(file)
    store, said = opened(full)
    assert store.stage("5c0e") is None and store.stage("9a") is not None
    assert "the content of scores is not what was written" in said[0] and str(file) in said[0]


def test_strays_are_named_and_hinder_nothing(full):
    (full.path / "stages" / "notes.txt").write_text("mine")
    (full.path / "stages" / "empty-123").mkdir()
    (full.path / "runs" / "half.json").write_text('{"run_id": ')
    (full.path / "runs" / "other.json").write_text("[]")
    store, said = opened(full)
    assert count(store, "scores") == 2 and count(store, "runs") == 2 and {*store.stages()} == {"9a", "5c0e"}
    assert len(said) == 4 and all("damaged: " in text and "; " in text for text in said)


def test_only_the_tables_of_a_query_are_made(full):
    with connect(full, None, "SELECT count(*) FROM main.Scores s JOIN prompts ON true") as con:
        made = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
    assert made == [("prompts",), ("scores",)]
    for query in ("SHOW TABLES", "SELECT count(*) FROM duckdb_views(), runs", "SELECT 1; SELECT 2"):
        with connect(full, None, query) as con:
            assert len(con.execute("SHOW TABLES").fetchall()) > 15


def test_a_damaged_log_of_replies_stops_only_costs(full):
    (full.path / "replies" / "replies.sqlite").write_bytes(b"no database" * 1000)
    assert count(full, "scores") == 2
    with pytest.raises(duckdb.Error, match=r"replies\.sqlite.*doctor --repair"):
        count(full, "costs")


def test_the_newest_run_is_the_last_whatever_the_clock_says(full):
    newer = scores(full, "5c0f", 2.0)
    record(full, 0, newer, number=3, started_at="2001-01-01T00:00:00.000")  # its id sorts before the others
    assert [run["run_id"] for run in full.runs()] == ["run1", "run2", "run0"]
    assert [run["number"] for run in full.runs()] == [1, 2, 3]
    assert count(full, "", "SELECT DISTINCT value FROM scores") == 2.0
    assert count(full, "", "SELECT run_id FROM runs ORDER BY number DESC") == "run0"


def test_the_doctor_finds_all_says_what_is_lost_and_repairs(full):
    assert examine(full) == []
    full.stage("5c0e").files("scores")[0].write_bytes(b"PAR1")
    (full.path / "stages" / "notes.txt").write_text("mine")
    (full.path / "runs" / "half.json").write_text("")
    (full.path / "embeddings" / "m-1").mkdir()
    (full.path / "embeddings" / "m-1" / "x.parquet").write_bytes(b"")
    (full.path / NAME).write_bytes(b"no database" * 1000)
    found = examine(full)
    assert len(found) == 5 and "2 rows of scores of completions.score.x-5c0e, used by a" == found[0].lost
    assert all(one.repaired for one in repair(full, found)) and examine(full) == []
    assert len([*(full.path / "damaged").iterdir()]) == 4 and full.stage("5c0e") is None
    assert count(full, "scores") == 0 and scores(full).rows("scores") == 2 and count(full, "scores") == 2


def test_the_doctor_writes_a_marker_anew(full, tmp_path):
    (full.path / "store.json").write_text("")
    assert repair_marker(full.path) and not repair_marker(full.path) and not repair_marker(tmp_path)
    assert count(Store(full.path), "scores") == 2 and json.loads((full.path / "store.json").read_text())["format"]


def test_a_reader_of_a_damaged_file_names_it(full):
    held = full.stage("5c0e")
    assert held.manifest["tables"]["scores"]["content"] and file_hash(held.files("scores")[0])
    held.files("scores")[0].write_bytes(b"PAR1")
    with pytest.raises(Damaged, match=r"scores-0000\.parquet: damaged: is no whole Parquet file \(4 bytes\)"):
        held.read("scores")


@pytest.fixture
def trained(store):
    """The store with a stage that has a folder of weights, as a training has."""
    with store.new_stage("7a", "train-sft", what={}, result="done") as writer:
        writer.folder("model").mkdir()
        (writer.folder("model") / "model.safetensors").write_bytes(b"weights")
        (writer.folder("model") / "README.md").write_text("card")
    return store


def test_weights_that_were_cut_or_changed_are_found(trained):
    file = trained.stage("7a").folder("model") / "model.safetensors"
    (file.parent / "README.md").write_text("the card with an evaluation")
    assert examine(trained) == []
    file.write_bytes(b"weightX")
    assert opened(trained)[0].stage("7a") is not None  # of weights, only the size is looked at each time
    (found,) = examine(opened(trained)[0])
    assert "model.safetensors: damaged: the content is not what was written" in str(found.damage)
    assert "gristmill train RECIPE" in str(found.damage) and found.lost.startswith("model of train-sft-7a")
    file.write_bytes(b"half")
    store, said = opened(trained)
    assert store.stage("7a") is None and "has 4 bytes, and had 7" in said[0]
    file.unlink()
    store, said = opened(trained)
    assert store.stage("7a") is None and "model.safetensors: damaged: is missing" in said[0]


def test_stages_are_in_the_order_in_which_they_were_made(store, monkeypatch):
    times = iter(["2026-03-01T00:00:00.000", "2026-02-01T00:00:00.000", "2026-01-01T00:00:00.000"])
    monkeypatch.setattr("curate.storage.store.now", lambda: next(times))  # a clock that goes back
    made = [stage(store, name, "prompts", pl.DataFrame({"prompt_id": ["p_1"]}), "prompts.source.s") for name in "cba"]
    assert sorted(made, key=lambda one: one.order) == made
    assert [one.manifest["number"] for one in made] == [1, 2, 3] and store.newest_number() == 3
