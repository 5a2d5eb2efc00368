"""The process that starts a training's processes: it shows and scores, and none of them is left, whatever happens."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.pipeline.scorer import Answer
from schemas.errors import Failed, OneLine, Stopped, UserError
from schemas.progress import Progress
from train.answer_scorers import AnswerScorer
from train.job import TrainingJob
from train.launch.channel import listening
from train.launch.launcher import LOG
from train.launch.processes import Processes

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "acting.py"


class Shown(Progress):
    """Notes what the user is shown."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        self.shown.append((label, total, unit))

    def advance(self, done: int, note: str = "") -> None:
        self.shown.append((done, note))

    def say(self, message: str) -> None:
        self.shown.append(message)


class Length(AnswerScorer):
    """Scores an answer by its length and the number of answers asked about; notes what it was asked."""

    def values(self, answers: pl.DataFrame, answer: Answer) -> pl.DataFrame:
        asked.append(answers["response"].to_list())
        if len(asked) > limit[0]:
            raise Stopped("budget: $1 is used up")
        return answers.select(value=pl.len() + pl.int_range(pl.len()), error=pl.lit(None), detail=pl.lit(None))


asked: list[list[str]] = []
limit = [10]


@contextmanager
def acting(folder: Path, *parts: str, trainer: str = "grpo") -> Generator[Processes]:
    """Yield the processes of some parts."""
    nothing = pl.DataFrame()
    ref = ModelRef("student", "tiny@0", "tiny")
    job = TrainingJob(
        name="t", trainer=trainer, ref=ref, rows=nothing, eval_rows=nothing, settings={}, lora=None,
        rewards={"length": Length(())}, seed=0, work_folder=folder, progress=Shown(),
    )  # fmt: skip
    asked.clear()
    with listening() as listener, (folder / LOG).open("wb") as log:
        launcher = subprocess.Popen(
            [sys.executable, str(SCRIPT), listener.getsockname(), *parts],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=folder,
            stderr=log,
        )
        yield Processes(job, len(parts), listener, launcher, folder)
        launcher.wait()


def left(processes: Processes) -> list[int]:
    """The processes that are still there; a zombie's parent, the launcher, has ended."""
    return [pid for pid in processes.pids.values() if Path(f"/proc/{pid}").exists()]


def test_the_first_process_says_how_it_went(tmp_path: Path):
    with acting(tmp_path, "done", "done") as processes:
        outcome = processes.outcome_of_all()
    assert (outcome.steps, outcome.metrics, outcome.learnt) == (2, {}, {})
    assert outcome.fates.rows() == [("r_0",)] and outcome.rollouts.is_empty()
    shown: Any = processes.job.progress
    assert shown.shown == [("train t", 2, "steps"), (1, "loss 1.0"), "one line\nwith \x1b[31mred"]


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (("wrong", "hangs"), UserError, "t: a row is wrong"),
        (("hangs", "killed"), Failed, "train.t: process 2 of 2 ended without a word, as one does that is killed"),
        (("lost contact", "killed"), Failed, "train.t: process 2 of 2 ended without a word"),
        (("crashed", "lost contact"), Failed, "train.t: process 1 of 2 ValueError: no such thing"),
        (("crashed", "done"), Failed, "train.t: process 1 of 2 ValueError: no such thing"),
        (("no start",), Failed, "train.t: the launcher ended before the training was done"),
    ],
)
def test_one_that_fails_ends_the_others(tmp_path: Path, parts: tuple[str, ...], error: type[OneLine], message: str):
    (tmp_path / "process-0.log").write_text("Traceback\n\nValueError: \x1b[31mno such thing\n")
    with acting(tmp_path, *parts) as processes, pytest.raises(error) as raised:
        processes.outcome_of_all()
    assert str(raised.value).startswith(message)
    assert left(processes) == []
    shown: Any = processes.job.progress
    if parts[0] == "crashed":
        assert shown.shown[-2:] == ["  Traceback", "  ValueError:  [31mno such thing"]
        assert str(tmp_path / "process-0.log") in str(raised.value)
    if parts == ("no start",):
        assert shown.shown == ["  accelerate: no such option"]


def test_answers_of_all_processes_are_scored_together(tmp_path: Path):
    limit[0] = 10
    with acting(tmp_path, "score", "score") as processes:
        processes.outcome_of_all()
    assert asked == [["00", "01", "10", "11", "12"]] * 2
    assert (tmp_path / "scores-0").read_text() == "[5, 6]\n" * 2
    assert (tmp_path / "scores-1").read_text() == "[7, 8, 9]\n" * 2


def test_a_trainer_of_a_dotted_path_may_ask_in_one_process(tmp_path: Path):
    limit[0] = 10
    with acting(tmp_path, "score", "done", trainer="own.trainer") as processes:
        processes.outcome_of_all()
    assert asked == [["00", "01"]] * 2


def test_a_used_up_budget_ends_all(tmp_path: Path):
    limit[0] = 1
    with acting(tmp_path, "score", "score") as processes, pytest.raises(Stopped, match="is used up"):
        processes.outcome_of_all()
    assert left(processes) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_none_is_left_when_the_starting_process_is_killed(tmp_path: Path, number: int):
    script = tmp_path / "start.py"
    script.write_text(
        "import signal\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a worker of pytest-xdist may ignore it
        "from tests.train.launch.test_processes import acting\n"
        f"with acting(Path({str(tmp_path)!r}), 'hangs', 'hangs') as processes:\n"
        "    while len(processes.pids) < 2:\n"
        "        processes._hear(60)\n"
        "    print(*processes.pids.values(), processes.launcher.pid, flush=True)\n"
        "    processes.outcome_of_all()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as starting:
        assert starting.stdout
        pids = [int(pid) for pid in starting.stdout.readline().split()]
        assert len(pids) == 3
        opened = [os.pidfd_open(pid) for pid in pids]
        starting.send_signal(number)
        starting.wait()
        ended(opened)


def ended(opened: list[int]) -> None:
    """Wait until processes have ended, given as file descriptors; the test hangs if one does not."""
    import select

    poll = select.poll()
    for one in opened:
        poll.register(one, select.POLLIN)
        assert poll.poll(60_000)
        poll.unregister(one)
        os.close(one)
