"""Tasks that are spread give their results in order, wherever they are done, and those that are done stay done."""

import os
import signal
import threading
from concurrent.futures import Future
from contextlib import contextmanager

import polars  # noqa: F401 (it changes what Ctrl-C does)
import pytest

from curate.spread.spread import run_by, spread
from curate.spread.task_calls import call_of, kept_answer, make
from curate.spread.worker_processes import WorkerProcesses
from tests.spread.tasks import Counted, Number, Slow, counted, doubled, slow

TASKS = [Number(n) for n in range(40)]
DOUBLES = [Number(2 * n) for n in range(40)]


def test_a_process_does_its_own_tasks():
    assert list(spread(doubled, TASKS[:3])) == DOUBLES[:3] and list(spread(doubled, [])) == []


@pytest.mark.slow
def test_worker_processes_answer_in_order():
    with run_by(WorkerProcesses(2)):
        assert list(spread(doubled, TASKS)) == DOUBLES


def test_tasks_are_looked_at_as_they_are_needed():
    seen = []
    made = spread(doubled, (seen.append(n) or Number(n) for n in range(1000)))
    assert next(made) == Number(0) and len(seen) < 20


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_finished_tasks_are_not_done_again(tmp_path, processes):
    tasks = [Counted(n, str(tmp_path)) for n in range(6)]
    for tried in range(2):
        made = spread(counted, tasks, tmp_path / "kept", WorkerProcesses(processes))
        assert [next(made) for _ in range(3 + 3 * tried)] == [Number(n) for n in range(3 + 3 * tried)]
        made.close()
    files = sorted(file.name for file in tmp_path.iterdir() if file.is_file())
    assert {name.split("-")[0] for name in files} == {str(n) for n in range(6)}
    assert len([name for name in files if int(name[0]) < 3]) == 3  # each was done once
    again = list(spread(counted, tasks, tmp_path / "kept", WorkerProcesses(processes)))
    assert again == [Number(n) for n in range(6)]
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == files


def test_a_kept_answer_is_that_of_its_call_alone(tmp_path):
    call = call_of(counted, Counted(1, str(tmp_path)), tmp_path / "0.answer")
    assert kept_answer(call) is None
    answer = make(call)
    assert kept_answer(call) == answer
    assert kept_answer(call_of(counted, Counted(2, str(tmp_path)), tmp_path / "0.answer")) is None
    whole = (tmp_path / "0.answer").read_bytes()
    for cut in range(len(whole)):
        (tmp_path / "0.answer").write_bytes(whole[:cut])
        assert kept_answer(call) is None


def test_another_task_is_done_in_its_place(tmp_path):
    assert list(spread(counted, [Counted(1, str(tmp_path))], tmp_path / "kept")) == [Number(1)]
    assert list(spread(counted, [Counted(2, str(tmp_path))], tmp_path / "kept")) == [Number(2)]


def test_quick_tasks_are_done_where_they_are(tmp_path):
    tasks = [Counted(n, str(tmp_path)) for n in range(6)]
    assert list(spread(counted, tasks, runner=NoWorkers(), try_here=True)) == [Number(n) for n in range(6)]
    with pytest.raises(AssertionError, match="asked for workers"):
        list(spread(counted, tasks, runner=NoWorkers()))


@pytest.mark.slow
def test_slow_tasks_go_to_other_processes(tmp_path):
    tasks = [Slow(n, 1.1 if n == 0 else 0.0) for n in range(5)]
    made = list(spread(slow, tasks, runner=WorkerProcesses(2), try_here=True))
    assert made[0].process == os.getpid() and os.getpid() not in {one.process for one in made[1:]}
    assert [one.number for one in made] == [0, 1, 2, 3, 4]


def test_ctrl_c_ends_the_wait_for_a_worker_that_never_comes():
    late, main = LateWorker(), threading.main_thread().ident
    pressed = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
    given_up = threading.Timer(20, late.answer.set_result, (None,))
    pressed.start()
    given_up.start()
    with pytest.raises(KeyboardInterrupt):
        list(spread(doubled, TASKS[:2], runner=late))
    given_up.cancel()
    assert not late.answer.done()


class LateWorker:
    """A runner, and its workers, whose answer to all calls is not there yet."""

    elsewhere = True
    models = None
    ahead = 2

    def __init__(self):
        self.answer = Future()

    @contextmanager
    def workers(self, tasks, *, kept):
        yield self

    def submit(self, call):
        return self.answer


class NoWorkers:
    elsewhere = False
    models = None

    def workers(self, tasks, *, kept):
        raise AssertionError("asked for workers")
