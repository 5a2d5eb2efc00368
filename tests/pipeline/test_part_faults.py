"""A run of many parts that is killed, or whose disk fills, or that somebody reads meanwhile, makes the same files."""

import resource
import signal
import time

import duckdb
import pytest

from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from tests.killed import finished, started

pytestmark = pytest.mark.slow  # whole runs of 210,000 rows
ROWS = 210_000
RECIPE = """
name: parts
prompts:
  - source: {path: rows.jsonl}
completions:
  - score: length
  - score: sentences
  - dedup: exact
  - filter: {where: length > 7}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    with (folder / "rows.jsonl").open("w") as file:
        file.writelines(f'{{"prompt": "q{n // 3}", "completion": "a{n % 150_000}"}}\n' for n in range(ROWS))
    (folder / "r.yaml").write_text(RECIPE)
    return load_recipe(folder / "r.yaml")


@pytest.fixture(scope="module")
def expected(recipe, tmp_path_factory):
    """The files of a run that nothing disturbed."""
    store = Store(tmp_path_factory.mktemp("whole") / "store")
    code, errors = finished(recipe, store)
    assert code == 0, errors
    return files(store)


def files(store):
    """Return the bytes of the tables of each stage."""
    return {(path.parent.name, path.name): path.read_bytes() for path in store.path.glob("stages/*/*.parquet")}


def same(store, expected):
    assert files(store) == expected and len({stage for stage, _ in expected}) == 5
    assert not list((store.path / "work").iterdir()) and not [*store.path.rglob(".*")]


def after_parts(recipe, store, count):
    """Start the run, and return when it has so many parts of a stage, with the process."""
    child = started(recipe, store)
    while child.poll() is None and len(list(store.path.glob("work/parts-*/*.answer"))) < count:
        time.sleep(0.001)
    assert child.poll() is None, child.communicate()
    return child


def test_killed_in_the_middle_of_parts_it_goes_on(recipe, expected, tmp_path):
    store = Store(tmp_path / "store")
    for count in (1, 3):
        child = after_parts(recipe, store, count)
        child.kill()
        child.communicate(timeout=120)
    for moment in (
        "rename .*/stages/.completions.score.sentences.*/.stage",
        "rename .*/stages/.completions.dedup[^/]*$",
    ):
        child = started(recipe, store, killed_at=moment)
        _, errors = child.communicate(timeout=120)
        assert child.returncode == -signal.SIGKILL, (moment, errors)
    code, errors = finished(recipe, store)
    assert code == 0, errors
    same(store, expected)


def test_a_disk_that_fills_in_the_middle_is_a_line(recipe, expected, tmp_path):
    store = Store(tmp_path / "store")
    child = after_parts(recipe, store, 1)
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (2_000, 2_000))
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 1 and len(errors.strip().splitlines()[-1:]) == 1 and "Traceback" not in errors, errors
    assert "File too large" in errors and "finished work is kept" in errors
    assert list(store.path.glob("work/parts-*/*.answer"))
    assert finished(recipe, store)[0] == 0
    same(store, expected)


def test_a_slow_reader_changes_nothing(recipe, expected, tmp_path):
    store = Store(tmp_path / "store")
    child, rows = started(recipe, store), []
    while child.poll() is None and not list(store.path.glob("stages/completions.score.length-*")):
        time.sleep(0.002)
    (file,) = (store.path / "stages").glob("prompts.source.rows-*/prompts-0000.parquet")
    with duckdb.connect() as reader:
        count = reader.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchone()
        answer = reader.execute("SELECT prompt FROM read_parquet(?)", [str(file)])
        while child.poll() is None:
            rows += answer.fetchmany(2)
            time.sleep(0.05)
        rows += answer.fetchall()
    assert child.returncode == 0 and count == (len(rows),)
    same(store, expected)
