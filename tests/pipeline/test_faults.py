"""A real gristmill against a real server, each of which goes wrong or is killed: nothing lost, nothing asked twice."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from curate.api.run import run
from curate.storage.reply_log import ReplyLog
from curate.storage.store import Store
from tests.jobs import ask, last_run, tables
from tests.served import SCORE, served, total
from tests.stub_server import Stub

ROOT = Path(__file__).parents[2]
STEPS = (
    "\n  - generate: {use: sample, model: a, n: 2, temperature: 0.8, max_tokens: 30, max_failed: 0.5}"
    "\n  - generate: {use: rewrite, model: a, instruction: shorter, max_tokens: 40, max_failed: 0.5, "
    "where: sample_index = 0}"
) + SCORE
ROWS = 12
NEEDED = ROWS + ROWS  # requests: two samples of a prompt are one


def start(recipe, store):
    """`gristmill run`, as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", "run", str(recipe.path), "--store", str(store.path)],
        env=environment,
        cwd=recipe.path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(recipe, store):
    child = start(recipe, store)
    _, errors = child.communicate(timeout=120)
    return child.returncode, errors


def kept(store):
    with ReplyLog.open_for_reading(store) as log:
        return log.db.execute("SELECT count(*) FROM replies WHERE failed = 0").fetchone()[0]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The tables of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    with Stub() as stub:
        run(served(folder, stub.url, rows=ROWS, completions=STEPS), Store(folder / "store"))
        assert stub.stats()["requests"] == NEEDED
    return tables(Store(folder / "store"))


# What hits every third request or so, once; the key is the fault's name for the server.
FAULTS = {
    "429": {"every": 3, "retry_after": 0.2},
    "500": {"every": 3},
    "half_json": {"every": 3},
    "close": {"every": 3},
    "drop": {"every": 3},
    "hang": {"every": 5},
    "empty": {"every": 3},
    "bad_utf8": {"every": 3},
    "null": {"every": 3},
}


RARE = ("drop", "empty", "null")  # what "all" covers


@pytest.mark.parametrize("name", [*(pytest.param(n, marks=[pytest.mark.slow] * (n in RARE)) for n in FAULTS), "all"])
def test_whatever_goes_wrong_once_the_tables_are_as_undisturbed(tmp_path, expected, name):
    faults = {k: {**how, "every": 8} for k, how in FAULTS.items()} if name == "all" else {name: FAULTS[name]}
    with Stub(faults=faults) as stub:
        store = Store(tmp_path / "store")
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="timeout: 1, concurrency: 8")
        code, errors = finish(recipe, store) if name == "all" else (run(recipe, store) and 0, "")
        assert code == 0, errors
        stats = stub.stats()
        assert sum(stats["faults"].values()) >= 2 and stats["requests"] == NEEDED + sum(stats["faults"].values())
        assert {*stats["answered"].values()} == {1} and len(stats["answered"]) == NEEDED
        assert tables(store) == expected
        # What may have been billed is counted; a request that was turned away is not.
        turned_away = sum(count for fault, count in stats["faults"].items() if fault in ("429", "500"))
        assert total(store, "requests") == stats["requests"] - turned_away and total(store, "replies") == 3 * ROWS


@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_number_of_choices_loses_no_sample_and_makes_none_up(tmp_path, count):
    """Of a server that ignores ``n``, and of one that sends more than was asked for."""
    with Stub(faults={"choices": {"count": count, "times": 0}}) as stub:
        store = Store(tmp_path / "store")
        run(served(tmp_path, stub.url, rows=ROWS, completions=STEPS), store)
        made = ask(store, "SELECT prompt_id, sample_index FROM completions WHERE parent_id IS NULL")
        assert made.height == 2 * ROWS and made.n_unique() == 2 * ROWS and total(store, "failed") == 0
        requests = stub.stats()["requests"]
        run(served(tmp_path, stub.url, rows=ROWS, completions=STEPS), store)
        assert stub.stats()["requests"] == requests == total(store, "requests")


def test_a_prompt_that_is_too_long_for_the_model_is_a_row_with_the_error_and_is_not_tried_again(tmp_path):
    with Stub(faults={"context": {"match": "question 7"}}) as stub:
        store = Store(tmp_path / "store")
        code, errors = finish(served(tmp_path, stub.url, rows=ROWS, completions=STEPS), store)
        assert code == 0 and "2 requests failed: 2 x" in errors
        failed = ask(store, "SELECT response, error FROM completions WHERE error IS NOT NULL")
        assert failed.height == 2 and all("maximum context length" in said for said in failed["error"])
        assert stub.stats()["requests"] == NEEDED - 1 and total(store, "replies") == 3 * ROWS - 3


def test_a_server_that_is_killed_and_comes_back_loses_nothing(tmp_path, expected):
    with Stub(delay=0.05) as stub:
        store = Store(tmp_path / "store")
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="concurrency: 2")
        child = start(recipe, store)
        out = []
        reader = threading.Thread(target=lambda: out.extend(child.communicate(timeout=120)))
        reader.start()
        while kept(store) < 10:
            assert child.poll() is None
            time.sleep(0.005)
        stub.kill()
        time.sleep(0.3)
        stub.restart()
        reader.join()
        assert child.returncode == 0, out
        stats = stub.stats()
        assert tables(store) == expected and stats["requests"] <= NEEDED + 2 * 2
        assert {*stats["answered"].values()} == {1} and len(stats["answered"]) == NEEDED


def test_a_server_that_stays_away_ends_the_run_in_a_line_and_the_next_goes_on(tmp_path, expected):
    with Stub(delay=0.05) as stub:
        store = Store(tmp_path / "store")
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="concurrency: 2, retries: 1")
        child = start(recipe, store)
        while kept(store) < 6:
            assert child.poll() is None
            time.sleep(0.005)
        stub.kill()
        _, errors = child.communicate(timeout=60)
        (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
        assert child.returncode == 2 and "has stopped answering" in line and "start the server and run again" in line
        had = kept(store)
        assert had >= 6 and last_run(store)["status"] == "failed"
        stub.restart()
        assert finish(recipe, store)[0] == 0
        assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (3 * ROWS - had, had)
        assert tables(store) == expected


def killed_run(tmp_path, expected, kills, seed, delay=0.1):
    """Kill gristmill at random moments, each time starting it again; returns how often it was really killed."""
    rng, done = random.Random(seed), 0
    with Stub(delay=delay) as stub:
        store = Store(tmp_path / "store")
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="concurrency: 2")
        moments = []
        for number in range(kills):
            child, before, began = start(recipe, store), kept(store), time.monotonic()
            # Half of the kills come at a random time, startup and planning included; half a while after a new reply.
            if number % 2:
                while kept(store) <= before and child.poll() is None and kept(store) < 3 * ROWS:
                    time.sleep(0.002)
                time.sleep(rng.uniform(0, 0.15))
            else:
                time.sleep(rng.uniform(0, 2.0))
            child.kill()
            child.communicate()
            done += child.returncode == -signal.SIGKILL
            moments.append((round(time.monotonic() - began, 2), before, kept(store)))
            assert kept(store) >= before, "what had arrived is there"
        had = kept(store)
        assert finish(recipe, store)[0] == 0
        stats = stub.stats()
        assert tables(store) == expected, moments
        assert last_run(store)["requests"] == 3 * ROWS - had
        assert kept(store) == 3 * ROWS == total(store, "replies")
        # Asked again was only what was in flight: at most two requests a kill.
        assert stats["requests"] - NEEDED <= 2 * done, (stats["requests"], moments)
        assert total(store, "requests") == NEEDED
        assert not [*store.path.rglob(".*")]
    return done, moments


def test_killed_at_three_moments_of_one_run_it_comes_to_the_same_end(tmp_path, expected):
    done, moments = killed_run(tmp_path, expected, 3, seed=1)
    assert done >= 2 and len({have for *_, have in moments}) >= 2, moments


@pytest.mark.slow
def test_killed_at_twenty_moments_of_one_run_it_comes_to_the_same_end(tmp_path, expected):
    # So slow a server that the run, which gets on by a reply or two at a time, lasts for all twenty.
    done, moments = killed_run(tmp_path, expected, 20, seed=2, delay=1.0)
    assert done >= 10 and len({have for *_, have in moments}) >= 6, moments
