"""``gristmill.duckdb`` shows the rows of the store that it is in, wherever that is, also while a run writes."""

import shutil
import subprocess
import sys

import duckdb
import polars as pl
import pytest

from curate.storage.sql_views import NAME, connect, publish
from curate.storage.store import Store
from tests.storage.asked import candidate, prompt, record, score, write

QUERY = "SELECT prompt, response, x FROM candidates"
ROWS = [("How?", "So.", 1.0)]
READ = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchall())"
WRITE = """
import sys
from curate.storage.sql_views import publish
from curate.storage.store import Store
store = Store(sys.argv[1])
with store.lock():
    print("begun", flush=True)
    for _ in range(4):
        publish(store)
"""


@pytest.fixture
def moved(tmp_path):
    """The folder of a store that was made elsewhere, in a place that is not there any more."""
    store = Store(tmp_path / "made here" / "store")
    tables = {"prompts": [prompt("p_1")], "completions": [candidate("c_1")], "scores": [score("c_1", 1.0)]}
    record(store, "1", write(store, "prompts.source.s", "a", **tables))
    publish(store)
    folder = tmp_path / 'it\'s "moved" [1]' / "store"
    shutil.copytree(store.path, folder)
    shutil.rmtree(store.path.parent)
    return folder


@pytest.mark.parametrize(("cwd", "name"), [("/", None), ("..", f"store/{NAME}"), (".", NAME)])
def test_a_store_that_was_moved_opens_from_anywhere(moved, cwd, name):
    command = [sys.executable, "-c", READ, name or str(moved / NAME), QUERY]
    done = subprocess.run(command, cwd=moved / cwd, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(ROWS), done.stderr


def test_it_opens_read_only_while_a_process_writes(moved):
    with subprocess.Popen([sys.executable, "-c", WRITE, str(moved)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "begun\n"
        reads = 0
        while writer.poll() is None or not reads:
            with duckdb.connect(str(moved / NAME), read_only=True) as con:
                assert con.execute(QUERY).fetchall() == ROWS
            reads += 1
    assert writer.returncode == 0


def test_polars_reads_it(moved):
    with duckdb.connect(str(moved / NAME), read_only=True) as con:
        assert pl.read_database(QUERY, con).rows() == ROWS


def test_a_database_that_has_it_attached_is_told_where_it_is(moved):
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{str(moved / NAME).replace(chr(39), chr(39) * 2)}' AS held (READ_ONLY)")
        with pytest.raises(duckdb.Error, match="No files found"):
            con.execute(QUERY.replace("candidates", "held.candidates")).fetchall()
        con.execute("SET VARIABLE store = ?", [str(moved)])
        assert con.execute(QUERY.replace("candidates", "held.candidates")).fetchall() == ROWS
        con.execute("USE held")
        assert con.execute("FROM k_curve('x')").fetchall() == [(1, 1.0, 1)]
        publish(Store(moved))  # any run does this: from then on the new place is known
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{str(moved / NAME).replace(chr(39), chr(39) * 2)}' AS held (READ_ONLY)")
        assert con.execute(QUERY.replace("candidates", "held.candidates")).fetchall() == ROWS


def test_a_client_with_a_temporary_folder_of_its_own(moved, tmp_path):
    publish(Store(moved))
    with duckdb.connect(str(moved / NAME), read_only=True, config={"temp_directory": str(tmp_path)}) as con:
        assert con.execute(QUERY).fetchall() == ROWS


def test_gristmill_itself_reads_a_moved_store(moved, monkeypatch):
    monkeypatch.chdir(moved)
    with connect(Store("."), None, QUERY) as con:
        assert con.execute(QUERY).fetchall() == ROWS


COLUMNS = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY 1, column_index"


def test_the_file_has_the_views_that_memory_has(moved):
    """Views of views are made there before those of files are: their columns and rows are the same."""
    store = Store(moved)
    publish(store)
    with connect(store) as memory, duckdb.connect(str(moved / NAME), read_only=True) as file:
        columns = memory.execute(COLUMNS).fetchall()
        assert ("candidates", "x", "DOUBLE") in columns and file.execute(COLUMNS).fetchall() == columns
        for name in dict.fromkeys(name for name, _, _ in columns):
            rows = f"SELECT * FROM {name} ORDER BY ALL"
            assert file.execute(rows).fetchall() == memory.execute(rows).fetchall(), name
