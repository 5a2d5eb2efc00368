"""A real gristmill against a real server, each of which goes wrong or is killed: nothing lost, nothing asked twice."""

import random
import signal
import threading
import time

import pytest

from curate.api.run import run
from curate.storage.store import Store
from tests.jobs import last_run, query, tables
from tests.killed import finished, replies_kept, started
from tests.served import SCORE, served, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

STEPS = (
    "\n  - generate: {use: sample, model: a, n: 2, temperature: 0.8, max_tokens: 30, max_failed: 0.5}"
    "\n  - generate: {use: rewrite, model: a, instruction: shorter, max_tokens: 40, max_failed: 0.5, "
    "where: sample_index = 0}"
) + SCORE
ROWS = 12
NEEDED = ROWS + ROWS  # requests: two samples of a prompt are one


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
}


QUICK = ("500", "half_json")  # what make test-quick runs


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in (*FAULTS, "all")]
)
def test_whatever_goes_wrong_once_the_tables_are_the_same(tmp_path, expected, name):
    faults = {k: {**how, "every": 8} for k, how in FAULTS.items()} if name == "all" else {name: FAULTS[name]}
    with Stub(faults=faults) as stub:
        store = Store(tmp_path / "store")
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="timeout: 1, concurrency: 8")
        code, errors = finished(recipe, store) if name == "all" else (run(recipe, store) and 0, "")
        assert code == 0, errors
        stats = stub.stats()
        assert sum(stats["faults"].values()) >= 2 and stats["requests"] == NEEDED + sum(stats["faults"].values())
        assert {*stats["answered"].values()} == {1} and len(stats["answered"]) == NEEDED
        assert tables(store) == expected
        # What may have been billed is counted; a request that was turned away is not.
        turned_away = sum(count for fault, count in stats["faults"].items() if fault in ("429", "500"))
        assert total(store, "requests") == stats["requests"] - turned_away and total(store, "replies") == 3 * ROWS


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_wrong_number_of_choices_loses_and_adds_no_sample(tmp_path, count):
    """Of a server that ignores ``n``, and of one that sends more than was asked for."""
    with Stub(faults={"choices": {"count": count, "times": 0}}) as stub:
        store = Store(tmp_path / "store")
        run(served(tmp_path, stub.url, rows=ROWS, completions=STEPS), store)
        made = query(store, "SELECT prompt_id, sample_index FROM completions WHERE parent_id IS NULL")
        assert made.height == 2 * ROWS and made.n_unique() == 2 * ROWS and total(store, "failed") == 0
        requests = stub.stats()["requests"]
        run(served(tmp_path, stub.url, rows=ROWS, completions=STEPS), store)
        assert stub.stats()["requests"] == requests == total(store, "requests")


@pytest.mark.slow
def test_a_prompt_too_long_for_the_model_is_a_row_with_the_error(tmp_path):
    with Stub(faults={"context": {"match": "question 7"}}) as stub:
        store = Store(tmp_path / "store")
        code, errors = finished(served(tmp_path, stub.url, rows=ROWS, completions=STEPS), store)
        assert code == 0 and "2 requests failed: 2 x" in errors
        failed = query(store, "SELECT response, error FROM completions WHERE error IS NOT NULL")
        assert failed.height == 2 and all("maximum context length" in said for said in failed["error"])
        assert stub.stats()["requests"] == NEEDED - 1 and total(store, "replies") == 3 * ROWS - 3


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back_loses_nothing(tmp_path, expected):
    with Stub(delay=0.05) as stub:
        store = Store(tmp_path / "store")
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="concurrency: 2")
        child = started(recipe, store)
        out = []
        reader = threading.Thread(target=lambda: out.extend(child.communicate(timeout=120)))
        reader.start()
        while replies_kept(store) < 10:
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


@pytest.mark.slow
def test_a_server_that_stays_away_ends_the_run_in_a_line(tmp_path, expected):
    with Stub(delay=0.05) as stub:
        store = Store(tmp_path / "store")
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="concurrency: 2, retries: 1")
        child = started(recipe, store)
        while replies_kept(store) < 6:
            assert child.poll() is None
            time.sleep(0.005)
        stub.kill()
        _, errors = child.communicate(timeout=60)
        (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
        assert child.returncode == 2 and "has stopped answering" in line and "start the server and run again" in line
        had = replies_kept(store)
        assert had >= 6 and last_run(store)["status"] == "failed"
        stub.restart()
        assert finished(recipe, store)[0] == 0
        assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (3 * ROWS - had, had)
        assert tables(store) == expected


# The moments at which a run is killed, in the order in which one comes to them: the n-th file operation that is found
# so (see ``started``), or "reply": the n-th reply is in the log. After each, another process goes on.
MOMENTS = [
    ("rename .*/runs/", 1),  # the run's record is written, not yet in place
    ("rename .*/stages/.prompts.source[^/]*$", 1),  # the first stage is whole, not yet in place
    ("rename .*/runs/", 2),  # the stage is in place, not yet in the record
    ("rename .*/.gristmill.duckdb", 1),  # so are the SQL views
    ("reply", 1),
    ("reply", 9),
    ("reply", 22),
    ("mkdir .*/stages/.completions.generate.sample", 1),  # all replies of the step are there, none of its rows
    ("rename .*/stages/.completions.generate.sample.*/.stage.json", 1),  # the rows are there, not what describes them
    ("rename .*/stages/.completions.generate.sample[^/]*$", 1),
    ("reply", 28),  # of the second step
    ("rename .*/stages/.completions.generate.rewrite[^/]*$", 1),
    ("rename .*/stages/.completions.score.chars[^/]*$", 1),
    ("rename .*/stages/.datasets.sft.*/.stage.json", 1),
    ("rename .*/stages/.datasets.rl[^/]*$", 1),
    ("rename .*/.gristmill.duckdb", 1),  # every stage is in place, the views are those of before
]


@pytest.mark.slow
def test_killed_at_each_moment_it_comes_to_the_same_end(tmp_path, expected):
    with Stub(delay=0.05) as stub:
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="concurrency: 2")
        store, had = Store(tmp_path / "store"), [0]
        for moment, count in MOMENTS:
            kill_at(recipe, store, moment, count)
            had.append(replies_kept(store))
            assert had[-1] >= had[-2], f"{moment} {count}: what had arrived is there"
        code, errors = finished(recipe, store)
        assert code == 0, errors
        assert tables(store) == expected, had
        assert len({*had}) >= 5 and last_run(store)["requests"] == 3 * ROWS - had[-1] == 0
        assert replies_kept(store) == 3 * ROWS == total(store, "replies") and total(store, "requests") == NEEDED
        # Asked again was only what was in flight: at most two requests a kill.
        stats = stub.stats()
        assert stats["requests"] - NEEDED <= 2 * len(MOMENTS), stats["requests"]
        assert not [*store.path.rglob(".*")]


@pytest.mark.slow
def test_killed_at_random_times_it_comes_to_the_same_end(tmp_path, expected):
    with Stub(delay=0.05) as stub:
        recipe = served(tmp_path, stub.url, rows=ROWS, completions=STEPS, more="concurrency: 2")
        store, killed = Store(tmp_path / "store"), 0
        for seconds in random.Random(12).choices([0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4], k=6):
            child = started(recipe, store)
            time.sleep(seconds)
            child.kill()
            child.communicate(timeout=120)
            killed += child.returncode == -signal.SIGKILL
        code, errors = finished(recipe, store)
    assert code == 0 and killed, errors
    assert tables(store) == expected and replies_kept(store) == 3 * ROWS


def kill_at(recipe, store, moment, count):
    """Go on with the run in another process until it is killed at this moment."""
    if moment == "reply":
        child = started(recipe, store)
        while replies_kept(store) < count:
            assert child.poll() is None, (moment, count, child.communicate()[1])
            time.sleep(0.002)
        child.kill()
    else:
        child = started(recipe, store, killed_at=moment, times=count)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == -signal.SIGKILL, (moment, count, errors)
