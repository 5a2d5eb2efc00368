"""A store that gristmill 0.1.0 made before its code moved into rooms: it opens, and no reply in it is asked again.

``old_store.tar.gz`` holds a recipe, its seeds and the store of one run at commit ef93e88, against ``tests.stub_server``
as it was then.
"""

import tarfile
from pathlib import Path

import pytest

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.rows import PROMPTS
from tests.jobs import OWN, TABLES, query
from tests.stub_server import Stub

ARCHIVE = Path(__file__).with_name("old_store.tar.gz")


FILE = list(PROMPTS).index("file")  # a column of the prompts that came after this store: null in its rows
NEW = {"completions": "answered_by"}  # of the other tables: a column each, null in all rows, then too
SPLIT = ("sft", "preferences", "rl_prompts")


def tables(store):
    """Return every data table's rows, sorted, but for the run and the split: its shares were met on average before."""
    columns = {table: "* EXCLUDE (split)" if table in SPLIT else OWN for table in TABLES}
    for table, name in NEW.items():
        assert query(store, f"SELECT count({name}) FROM {table}").item() == 0
        columns[table] = f"* EXCLUDE ({name})"
    return {table: query(store, f"SELECT {shown} FROM {table} ORDER BY ALL").rows() for table, shown in columns.items()}


@pytest.fixture
def old(tmp_path):
    """The folder with the recipe, the seeds and the store."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_its_tables_can_be_read_before_anything_is_made(old):
    store = Store(old / "store", create=False)
    counts = "SELECT (SELECT count(*) FROM completions), (SELECT count(*) FROM sft), (SELECT count(*) FROM preferences)"
    assert query(store, counts).row(0) == (96, 32, 16)
    new = query(store, "SELECT answered_by, file FROM completions JOIN prompts USING (prompt_id)")
    assert new.columns == ["answered_by", "file"] and new.null_count().row(0) == (96, 96)


@pytest.mark.slow
def test_stages_are_remade_at_most_once_and_no_reply_asked_again(old):
    store = Store(old / "store", create=False)
    before = tables(store)
    with Stub() as stub:
        recipe = load_recipe(old / "old.yaml", [f"models.a.base_url={stub.url}"])
        assert plan(recipe, store).requests == 0
        run(recipe, store)
        assert stub.stats()["requests"] == 0
    runs = "SELECT count(*) FILTER (reused), count(*) FROM stages GROUP BY run_id ORDER BY run_id"
    assert query(store, runs).rows()[1:] == [(0, 13)]
    after = tables(store)
    assert {row[FILE] for row in after["prompts"]} == {None, "seeds.jsonl"}  # none for what a model wrote
    assert {row[FILE] for row in before["prompts"]} == {None}
    without = {"prompts": [row[:FILE] + row[FILE + 1 :] for row in sorted(after["prompts"], key=lambda row: row[0])]}
    held = {"prompts": [row[:FILE] + row[FILE + 1 :] for row in sorted(before["prompts"], key=lambda row: row[0])]}
    assert after | without == before | held
    for table in SPLIT:
        assert query(store, f"SELECT DISTINCT split FROM {table} ORDER BY 1").rows() == [("test",), ("train",)]
    sizes = "SELECT split, count(*) FROM rl_prompts GROUP BY 1 ORDER BY 1"
    assert dict(query(store, sizes).rows())["test"] == pytest.approx(0.3 * len(before["rl_prompts"]), abs=1)
    run(recipe, store)
    assert query(store, runs).rows()[2:] == [(13, 13)]
