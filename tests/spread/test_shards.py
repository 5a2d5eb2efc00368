"""Shards answer as one process does: whatever is killed or started twice, whatever the clocks say, however hostile."""

import importlib
import os
import random
import shutil
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import get_type_hints

import msgspec
import pytest

from curate.pipeline.score_parts import PlainScorer, ScorePart, make_part
from curate.spread import shard_worker as worker_module
from curate.spread import shards as shards_module
from curate.spread.shard_files import (
    MOST,
    RunSign,
    ShardFailure,
    call_name,
    check_own,
    look,
    put,
    shards_folder,
    versions_here,
)
from curate.spread.shard_worker import ShardWorker
from curate.spread.shards import Shards
from curate.spread.spread import run_by, spread
from curate.spread.task_calls import Call, call_of
from curate.steps.own_code import only_allowed
from schemas.errors import Failed, UserError
from tests.spread.shard_process import FUNCTIONS, in_threads, started
from tests.spread.tasks import Counted, Number, counted, doubled, only_there, refused, written

TASKS = [Number(n) for n in range(40)]
RUN = "0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folders of a store."""
    (tmp_path / "store" / "work" / "parts").mkdir(parents=True)
    return tmp_path / "store"


@pytest.fixture
def kept(store: Path) -> Path:
    return store / "work" / "parts"


def left(store: Path) -> list[str]:
    """The files of calls and of failures that are left."""
    return sorted(path.name for path in shards_folder(store).rglob("*") if path.name not in ("0", "1", "run", "sign"))


def a_run(store: Path, shards: int = 1, versions: str = "", *calls: Call) -> Path:
    """Write what a run writes; return the folder of its shards."""
    folder = shards_folder(store)
    for shard in range(shards):
        (folder / str(shard)).mkdir(parents=True)
    put(folder / "run", RunSign(RUN, shards, versions or versions_here()))
    for number, call in enumerate(calls):
        put(folder / str(number % shards) / call_name(RUN, number, "call"), call)
    return folder


def test_shards_answer_in_order_and_share_the_calls(store, kept):
    with in_threads(store, 2) as workers, Shards(store, 2) as runner, run_by(runner):
        assert list(spread(doubled, TASKS, kept)) == [Number(2 * n) for n in range(40)]
        assert list(spread(doubled, TASKS[:3], kept)) == [Number(2 * n) for n in range(3)]
    assert [worker.calls for worker in workers] == [20, 20]  # what was answered once was not asked again
    assert left(store) == []


def test_calls_whose_answers_are_not_kept_are_made_here(store, kept):
    with Shards(store, 2) as runner, run_by(runner):  # and nobody works
        assert list(spread(doubled, TASKS)) == [Number(2 * n) for n in range(40)]
        assert list(spread(doubled, TASKS[:1], kept)) == [Number(0)]


def test_a_task_that_fails_raises_its_error_in_the_run(store, kept):
    said = []
    with in_threads(store, 2), Shards(store, 2, said.append) as runner:
        made = spread(refused, TASKS, kept, runner)
        assert [next(made) for _ in range(3)] == TASKS[:3]
        with pytest.raises(ValueError, match="3 is refused"):
            next(made)
    assert said == ["shard 1/2 failed, so it is done here: ValueError: 3 is refused"] and left(store) == []


def test_what_fails_elsewhere_alone_is_done_by_the_run(store, kept):
    said = []
    with in_threads(store, 1), Shards(store, 1, said.append) as runner:
        assert list(spread(only_there, TASKS[:4], kept, runner)) == TASKS[:4]
    assert said == ["shard 0/1 failed, so it is done here: OSError: no such folder here"] * 4


def test_a_call_that_workers_would_refuse_is_made_here(store, kept, monkeypatch):
    monkeypatch.setattr(shards_module, "MOST", 10)
    with Shards(store, 2) as runner:  # and nobody works
        assert list(spread(doubled, TASKS, kept, runner)) == [Number(2 * n) for n in range(40)]


def test_calls_are_taken_back_where_nobody_waits(store, kept):
    with in_threads(store, 2, only=(0,)), Shards(store, 2) as runner:
        made = spread(doubled, TASKS, kept, runner)
        assert next(made) == Number(0) and len(left(store)) >= 16  # of shard 1
        made.close()
        assert left(store) == []


def test_a_shard_that_has_not_come_is_asked_for(store, kept, monkeypatch):
    monkeypatch.setattr(shards_module, "PATIENCE", 0.0)
    monkeypatch.setattr(shards_module, "TOLD", 0.0)
    said: Queue[str] = Queue()
    made: list[Number] = []
    with ExitStack() as workers, Shards(store, 2, said.put) as runner:
        thread = threading.Thread(target=lambda: made.extend(spread(doubled, TASKS, kept, runner)))
        thread.start()
        wanted = said.get()
        workers.enter_context(in_threads(store, 2))
        thread.join()
    assert made == [Number(2 * n) for n in range(40)]
    each = f"gristmill worker {store} --shard I/2"
    assert wanted == f"waiting for the shards 0/2, 1/2, which have not come yet; start each: {each}"


def test_a_long_wait_for_a_shard_is_a_warning(store, kept, monkeypatch):
    for name in ("PATIENCE", "TOLD", "SILENT"):
        monkeypatch.setattr(shards_module, name, 0.0)
    warned: Queue[str] = Queue()
    with ExitStack() as workers, Shards(store, 1, warn=warned.put) as runner:
        thread = threading.Thread(target=lambda: list(spread(doubled, TASKS, kept, runner)))
        thread.start()
        wanted = warned.get()
        workers.enter_context(in_threads(store, 1))
        thread.join()
    each = f"gristmill worker {store} --shard 0/1"
    assert wanted == f"waiting for shard 0/1, which has not come in 0 s; start it: {each}"


def test_no_clock_is_looked_at(store, kept):
    """Every file of the store is, all the time, of another day between 1970 and 2100."""
    ended, days = threading.Event(), random.Random(1)

    def shift() -> None:
        while not ended.is_set():
            for path in store.rglob("*"):
                if path.exists():
                    day = days.randrange(4_000_000_000)
                    try:
                        os.utime(path, (day, day))
                    except FileNotFoundError:
                        continue

    thread = threading.Thread(target=shift)
    thread.start()
    with in_threads(store, 2), Shards(store, 2) as runner:
        made = list(spread(counted, [Counted(n, str(kept)) for n in range(60)], kept, runner))
    ended.set()
    thread.join()
    assert made == [Number(n) for n in range(60)]
    assert len(list(kept.glob("*-*"))) == 60  # none was made twice


@pytest.mark.slow
def test_twenty_kills_change_nothing(store, kept, tmp_path):
    """Workers of two shards, one of which is started twice, are killed at random, and started again."""
    moments, over = random.Random(25), threading.Event()
    workers = [started(store, shard, 2) for shard in (0, 1, 1)]

    def kill() -> None:
        for _ in range(20):
            over.wait(moments.uniform(0.05, 0.4))
            place = moments.randrange(3)
            workers[place].kill()
            workers[place].wait()
            workers[place] = started(store, min(place, 1), 2)
        over.set()

    def tasks():
        number = 0
        while not over.is_set() or number < 50:
            yield Counted(number, str(kept))
            number += 1

    killer = threading.Thread(target=kill)
    killer.start()
    with Shards(store, 2) as runner:
        made = list(spread(written, tasks(), kept, runner))
    killer.join()
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert made == [Number(n) for n in range(len(made))]
    written(Counted(7, str(tmp_path)))
    assert (kept / "7.txt").read_bytes() == (tmp_path / "7.txt").read_bytes()
    sizes = {int(path.stem): path.stat().st_size for path in kept.glob("[0-9]*.txt")}
    assert sizes == {n: 4 * 500 * len(f"{n}: 0\n") for n in range(len(made))}


def test_a_worker_ends_where_no_run_comes(store):
    said = []
    ShardWorker(store, 0, 1, wait=0, say=said.append).work()
    a_run(store)
    with pytest.raises(Failed, match="no sign of the run for 0 s"):
        ShardWorker(store, 0, 1, wait=0, say=said.append).work()
    assert said[0].endswith("no run has come for 0 s")


def test_a_worker_ends_where_the_store_goes(store):
    folder = a_run(store)
    worker = ShardWorker(store, 0, 1, wait=2)
    thread = threading.Thread(target=worker.work)
    thread.start()
    while not (folder / "0" / "sign").exists():
        time.sleep(0.01)
    shutil.rmtree(store)
    thread.join()
    assert worker.calls == 0


def test_a_worker_of_other_shards_or_versions_is_refused(store):
    a_run(store, 4, "gristmill 9, polars 9")
    with pytest.raises(UserError, match=r"--shard 1/3: the run has 4 shards .*; expected I/4, with I from 0 to 3"):
        ShardWorker(store, 1, 3).work()
    with pytest.raises(UserError, match=r"the run has 'gristmill 9, polars 9', this worker gristmill .* polars"):
        ShardWorker(store, 1, 4).work()


@pytest.mark.parametrize("folder", ["gone", "a\0b", "\ufffd"])
def test_a_worker_without_the_folder_of_the_run_is_refused(store, folder):
    put(a_run(store) / "run", RunSign(RUN, 1, versions_here(), folder=folder))
    with pytest.raises(UserError, match="the run's current folder, where paths of its sources begin, is not on"):
        ShardWorker(store, 0, 1).work()


@pytest.mark.parametrize("to", ["../outside", "../../outside", "elsewhere", ""])
def test_a_call_that_writes_outside_of_work_is_refused(store, to):
    (store / "work" / "elsewhere").symlink_to(store.parent)
    folder = str(store / "work" / to) if to else ""
    a_run(store, 1, "", call_of(counted, Counted(1, folder), store / "work" / "0.answer"))
    with pytest.raises(UserError, match=r"writes to .*; expected a path in .*/store/work"):
        ShardWorker(store, 0, 1, functions=FUNCTIONS).work()


def test_an_answer_outside_of_work_is_refused(store):
    a_run(store, 1, "", call_of(doubled, Number(1), store.parent / "0.answer"))
    with pytest.raises(UserError, match=r"writes to '.*/0.answer'; expected a path in .*/store/work"):
        ShardWorker(store, 0, 1, functions=FUNCTIONS).work()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("os:system", msgspec.msgpack.encode("true")), r"asks for 'os:system'; a worker makes calls of tests.*"),
        (Call("tests.spread.tasks:doubled", b"\xc1"), "is no call of tests.spread.tasks:doubled"),
        (Call("tests.spread.tasks:doubled", msgspec.msgpack.encode({"number": "x"})), "is no call of"),
    ],
)
def test_a_call_that_is_not_listed_or_none_is_refused(store, call, words):
    a_run(store, 1, "", call)
    with pytest.raises(UserError, match=words):
        ShardWorker(store, 0, 1, functions=FUNCTIONS).work()


def test_every_function_that_may_be_called_says_where_it_writes():
    for name, field in worker_module.FUNCTIONS.items():
        module, _, function = name.partition(":")
        hints = get_type_hints(getattr(importlib.import_module(module), function))
        (task,) = (kind for key, kind in hints.items() if key != "return")
        assert get_type_hints(task)[field] is str


def test_no_code_runs_that_a_call_names(store, kept, tmp_path, monkeypatch):
    """A scorer of a user's own is a module; a call may name any."""
    monkeypatch.delenv("GRISTMILL_ALLOW_CODE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('ran', 'w')\ndef score(response): return response\n")
    scorer = PlainScorer("a", "evil.score", {}, {}, "")
    task = ScorePart(scorer, "id", [], str(tmp_path / "rows.arrow"), [], 0, str(kept), False)
    folder = a_run(store, 1, "", call_of(make_part, task, kept / "0.answer"))
    with only_allowed(), pytest.raises(Failed, match="no sign of the run"):
        ShardWorker(store, 0, 1, wait=0).work()
    failure = look(folder / "0" / call_name(RUN, 0, "failed"), ShardFailure)
    assert failure and "CodeNotAllowed" in failure.reason and not (tmp_path / "ran").exists()


def a_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST + 1)


def text(path: Path) -> None:
    path.write_text("hello")


def open_to_all(path: Path) -> None:
    put(path, Number(1))
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (a_link, "is a link"),
        (a_pipe, "is no file"),
        (a_huge_file, "has more than"),
        (text, "is damaged, or no file that a run wrote"),
        (open_to_all, "every user may write to it"),
    ],
)
def test_a_file_that_no_run_wrote_is_refused(tmp_path, made, words):
    made(tmp_path / "file")
    with pytest.raises(UserError, match=words):
        look(tmp_path / "file", Number)


def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert check_own(tmp_path) and not check_own(tmp_path / "none")
    for name, words in (("link", "found a link"), ("open", "every user may write to it")):
        with pytest.raises(UserError, match=words):
            check_own(tmp_path, tmp_path / name)


def test_what_another_user_owns_is_refused(tmp_path):
    other = Path("/etc")
    if os.geteuid() == 0:
        other = tmp_path / "other"
        other.mkdir()
        os.chown(other, 12345, 12345)
    with pytest.raises(UserError, match="belongs to user .* run both as the same one"):
        check_own(other)
