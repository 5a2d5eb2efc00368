"""A whole run whose model is behind four servers has the tables and the log of a run with one that nothing befell."""

import contextlib
import random
import signal
import threading
import time

import pytest

from curate.api.run import run
from curate.storage.reply_log import ReplyLog
from curate.storage.store import Store
from schemas.errors import UserError
from tests.jobs import last_run, tables
from tests.killed import finished, replies_kept, started
from tests.served import served, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow
ROWS, SAMPLES = 40, 4


@pytest.fixture(scope="module")
def stubs():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Stub(delay=0.02)) for _ in range(4)]


def job(folder, stubs, concurrency=4, retries=8):
    """A job whose model is behind these servers."""
    settings = f"model: big, identity: big, choices: 1, concurrency: {concurrency}, retries: {retries}"
    listed = ", ".join(f'"{stub.url}"' for stub in stubs)
    models = f"\n  a: {{engine: openai, base_url: [{listed}], {settings}}}\n"
    return served(folder, "", rows=ROWS, models=models)


def parquet(store):
    """The bytes of all tables."""
    return {str(file.relative_to(store.path)): file.read_bytes() for file in store.path.rglob("*.parquet")}


@pytest.fixture(scope="module")
def whole(stubs, tmp_path_factory):
    """The store of a run with one server that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    store = Store(folder / "store")
    run(job(folder, stubs[:1]), store)
    assert last_run(store)["requests"] == ROWS * SAMPLES
    return store


@contextlib.contextmanager
def disturbed(stubs, seed):
    """Kill servers at random, and restart them, until this ends; then all run."""
    rng, stop, killed = random.Random(seed), threading.Event(), []

    def disturb():
        while not stop.wait(rng.random() * 0.1):
            stub = rng.choice(stubs)
            stub.kill()
            killed.append(stub)
            time.sleep(rng.random() * 0.2)
            stub.restart()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def logged(store):
    """The keys in the log, failed ones too."""
    with ReplyLog.open_for_reading(store) as log:
        return sorted(log.db.execute("SELECT key, failed FROM replies").fetchall())


@pytest.mark.parametrize("seed", [1, 2])
def test_servers_killed_and_restarted_change_nothing(stubs, whole, tmp_path, seed):
    store = Store(tmp_path / "store")
    with disturbed(stubs, seed) as killed:
        run(job(tmp_path, stubs), store)
    assert killed and tables(store) == tables(whole)
    assert parquet(store) == parquet(whole) and len(parquet(store)) >= 3
    assert logged(store) == logged(whole) and len(logged(store)) == ROWS * SAMPLES
    assert total(store, "replies") == ROWS * SAMPLES and total(store, "failed") == 0


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_gristmill_itself_is_ended_in_the_middle(stubs, whole, tmp_path, kind):
    recipe, store = job(tmp_path, stubs, concurrency=1), Store(tmp_path / "store")
    with disturbed(stubs, 3):
        child = started(recipe, store)
        while not (store.path / "replies").exists() or replies_kept(store) < 20:
            assert child.poll() is None, child.communicate()[1]
            time.sleep(0.01)
        child.send_signal(kind)
        _, errors = child.communicate(timeout=30)
    assert child.returncode == (130 if kind == signal.SIGINT else -kind)
    assert "Traceback" not in errors and "never" not in errors
    had = replies_kept(store)
    assert 20 <= had < ROWS * SAMPLES
    code, errors = finished(recipe, store)
    assert code == 0 and "models.a: requests by server: " in errors
    assert tables(store) == tables(whole) and logged(store) == logged(whole)
    assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (ROWS * SAMPLES - had, had)


def test_all_servers_die_and_the_run_goes_on_later(stubs, whole, tmp_path):
    recipe, store = job(tmp_path, stubs, concurrency=1, retries=1), Store(tmp_path / "store")

    def kill():
        while not (store.path / "replies").exists() or replies_kept(store) < 20:
            time.sleep(0.01)
        for stub in stubs:
            stub.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(UserError, match="none of the 4 servers can be asked: .*; the replies so far are kept"):
            run(recipe, store)
    finally:
        killer.join()
        for stub in stubs:
            stub.restart()
    had = replies_kept(store)
    run(recipe, store)
    assert tables(store) == tables(whole)
    assert (last_run(store)["requests"], last_run(store)["requests_reused"]) == (ROWS * SAMPLES - had, had)


def test_the_order_of_the_list_and_a_list_of_one_are_no_matter(stubs, tmp_path):
    """Without the setting ``identity``, which names the model whatever its servers are."""
    texts = {
        "one": f'base_url: "{stubs[0].url}"',
        "list": f'base_url: ["{stubs[0].url}/"]',
        "two": f'base_url: ["{stubs[0].url}", "{stubs[1].url}"]',
        "turned": f'base_url: ["{stubs[1].url}", "{stubs[0].url}"]',
    }
    texts["moved"] = f'{texts["two"]}, identity: "big@{stubs[0].url[7:-3]}"'  # to go on with the replies of the first
    requests = {}
    for name, setting in texts.items():
        store = Store(tmp_path / ("two" if name in ("two", "turned") else "one"))
        models = f"\n  a: {{engine: openai, {setting}, model: big}}\n"
        run(served(tmp_path, "", rows=3, models=models), store)
        requests[name] = last_run(store)["requests"]
    assert requests == {"one": 12, "list": 0, "two": 12, "turned": 0, "moved": 0}
