"""Killed at any moment, a run goes on where it was and comes to the same end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from curate.api.run import run
from curate.storage.reply_log import ReplyLog
from curate.storage.sql_views import NAME
from curate.storage.store import Store
from tests.jobs import ask, job, last_run, question, tables

pytest.importorskip("transformers")
ROOT = Path(__file__).parents[2]
# A shell may start the tests with Ctrl-C ignored; a person's terminal does not.
COMMAND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from cli.main import main; main()"
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


def start(recipe, store):
    """`gristmill run`, as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", str(recipe.path), "--store", str(store.path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def replies(store):
    """How many replies the log holds, as any other process sees it."""
    with ReplyLog.open_for_reading(store) as log:
        return log.db.execute("SELECT count(*) FROM replies WHERE failed = 0").fetchone()[0]


def signal_after(child, store, least, kind):
    """Signal the process once the log has this many replies; meanwhile any other process can read the store."""
    looked = 0
    while replies(store) < least:
        assert child.poll() is None, child.communicate()[1]
        if (store.path / NAME).exists():
            with duckdb.connect(str(store.path / NAME), read_only=True) as con:
                assert con.execute("SELECT count(*) FROM prompts").fetchone()[0] in (0, PROMPTS)
                assert con.execute("SELECT count(*) FROM sft").fetchone()[0] == 0
            looked += 1
        time.sleep(0.005)
    child.send_signal(kind)
    _, errors = child.communicate(timeout=60)
    assert looked > 0
    return errors


def test_a_run_that_is_killed_again_and_again_comes_to_the_same_end(whole, tmp_path):
    recipe, expected = whole
    store = Store(tmp_path / "store")
    for least in (1, 20):
        child = start(recipe, store)
        signal_after(child, store, least, signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        assert least <= replies(store) < PROMPTS * SAMPLES
    had = replies(store)
    run(recipe, store)
    assert tables(store) == expected
    assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (PROMPTS * SAMPLES - had, had)
    assert ask(store, "SELECT status FROM runs ORDER BY run_id")["status"].to_list() == ["running"] * 2 + ["finished"]
    assert replies(store) == PROMPTS * SAMPLES  # none is there twice
    assert not [p for p in store.path.rglob(".*")]
    with duckdb.connect(str(store.path / NAME), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM completions").fetchone() == (PROMPTS * SAMPLES,)


def test_a_run_that_is_stopped_says_so_in_a_line_and_goes_on_later(whole, tmp_path):
    recipe, expected = whole
    store = Store(tmp_path / "store")
    child = start(recipe, store)
    errors = signal_after(child, store, 12, signal.SIGINT)
    assert child.returncode == 130
    assert errors.splitlines()[-1] == "error: stopped; finished work is kept: run the same command again to continue"
    assert errors.count("error:") == 1 and "Traceback" not in errors
    assert last_run(store)["status"] == "interrupted"
    had = replies(store)
    run(recipe, store)
    assert tables(store) == expected
    assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (PROMPTS * SAMPLES - had, had)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 2, 3, 4, 5])
def test_a_kill_at_any_time_loses_nothing(whole, tmp_path, seconds):
    recipe, expected = whole
    store = Store(tmp_path / "store")
    child = start(recipe, store)
    try:
        child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
    had = replies(store)
    run(recipe, store)
    assert tables(store) == expected
    assert last_run(store)["requests"] <= PROMPTS * SAMPLES - had
