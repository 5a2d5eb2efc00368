"""Killed at any moment, a run goes on where it was and comes to the same end."""

import signal
import time
from importlib.util import find_spec

import duckdb
import pytest

from curate.api.run import run
from curate.storage.sql_views import NAME
from curate.storage.store import Store
from tests.jobs import job, last_run, query, question, tables
from tests.killed import replies_kept, started

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed"),
]
PROMPTS, SAMPLES = 12, 4


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """The recipe, and the tables of a run of it that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = job(folder, tiny, [question(i) for i in range(PROMPTS)], n=SAMPLES, max_tokens=40, batch_tokens=260)
    store = Store(folder / "store")
    run(recipe, store)
    assert last_run(store)["requests"] == PROMPTS * SAMPLES
    return recipe, tables(store)


def signal_after(child, store, least, kind):
    """Signal the process once the log has this many replies; meanwhile any other process can read the store."""
    looked, count = 0, 0
    while count < least:
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.02)
        before, count = count, replies_kept(store)
        if count > before and (store.path / NAME).exists():
            with duckdb.connect(str(store.path / NAME), read_only=True) as con:
                assert con.execute("SELECT count(*) FROM prompts").fetchone() in ((0,), (PROMPTS,))
                assert con.execute("SELECT count(*) FROM sft").fetchone() == (0,)
            looked += 1
    child.send_signal(kind)
    _, errors = child.communicate(timeout=60)
    assert looked > 0
    return errors


def test_killed_again_and_again_a_run_comes_to_the_same_end(whole, tmp_path):
    recipe, expected = whole
    store = Store(tmp_path / "store")
    for least in (1, 20):
        child = started(recipe, store)
        signal_after(child, store, least, signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        assert least <= replies_kept(store) < PROMPTS * SAMPLES
    had = replies_kept(store)
    run(recipe, store)
    assert tables(store) == expected
    assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (PROMPTS * SAMPLES - had, had)
    assert query(store, "SELECT status FROM runs ORDER BY run_id")["status"].to_list() == ["killed"] * 2 + ["finished"]
    assert replies_kept(store) == PROMPTS * SAMPLES  # none is there twice
    assert not [p for p in store.path.rglob(".*")]
    with duckdb.connect(str(store.path / NAME), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM completions").fetchone() == (PROMPTS * SAMPLES,)


def test_a_stopped_run_says_so_in_a_line_and_goes_on_later(whole, tmp_path):
    recipe, expected = whole
    store = Store(tmp_path / "store")
    child = started(recipe, store)
    errors = signal_after(child, store, 12, signal.SIGINT)
    assert child.returncode == 130
    assert errors.splitlines()[-1] == "error: stopped; finished work is kept: run the same command again to continue"
    assert errors.count("error:") == 1 and "Traceback" not in errors
    assert last_run(store)["status"] == "interrupted"
    had = replies_kept(store)
    run(recipe, store)
    assert tables(store) == expected
    assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (PROMPTS * SAMPLES - had, had)


# While the packages are imported, as the run begins, as it opens the model, and with all replies in and no row of them.
MOMENTS = [
    "open .*/transformers/",
    "rename .*/runs/",
    "open .*/tiny.*/tokenizer_config.json",
    "mkdir .*/stages/.*sample",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_before_or_after_the_replies_loses_nothing(whole, tmp_path, moment):
    recipe, expected = whole
    store = Store(tmp_path / "store")
    child = started(recipe, store, killed_at=moment)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == -signal.SIGKILL, errors
    had = replies_kept(store)
    assert had == (PROMPTS * SAMPLES if "sample" in moment else 0)
    run(recipe, store)
    assert tables(store) == expected
    assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (PROMPTS * SAMPLES - had, had)
