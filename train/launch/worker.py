"""One of a training's processes: ``python -m train.launch.worker JOB MODEL ADDRESS``; ``accelerate launch`` starts it.

It trains as the job in the folder JOB says, and the first one writes the model into the folder MODEL. What the user is
told, and the outcome, go to the process at ADDRESS, which scores the sampled answers: the scorers' models, budgets and
replies are there. When that process ends, this one does. ADDRESS is a socket's path, or this machine's launch file.
"""

import faulthandler
import os
import queue
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import polars as pl

from curate.pipeline.scorer import Answer, no_model_calls
from schemas.errors import OneLine
from schemas.progress import Progress, StageWarning
from train.answer_scorers import AnswerScorer
from train.job import Outcome
from train.launch.channel import connect, receive, send
from train.launch.job_file import read_job, reward_names
from train.launch.run_trainer import run_trainer

TO_END = 60.0  # seconds that a process may take to end once its training is done
OUTCOME_TABLES = ("fates", "row_losses", "rollouts")


class Starter:
    """The process that started this one: it is told things, and asked for scores."""

    def __init__(self, connection: Connection) -> None:
        """Start to listen to it."""
        self.connection = connection
        self.answers: queue.SimpleQueue[pl.DataFrame] = queue.SimpleQueue()
        self.over = False
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, kind: str, tables: dict[str, pl.DataFrame] | None = None, **fields: Any) -> None:
        """Send a message."""
        send(self.connection, kind, tables, **fields)

    def scores(self, reward: str, answers: pl.DataFrame) -> pl.DataFrame:
        """Return ``value``, ``error`` and ``detail`` of each answer, by a reward."""
        self.tell("score", {"answers": answers}, reward=reward)
        return self.answers.get()

    def _listen(self) -> None:
        """Keep what is answered; end this process, and those that it started, when the other one has ended."""
        while True:
            try:
                self.answers.put(receive(self.connection)[2]["scores"])
            except (EOFError, OSError):
                if self.over:
                    time.sleep(TO_END)  # the process ends in order, which takes this thread with it
                end_now()


@dataclass(frozen=True)
class AskedScorer(AnswerScorer):
    """A scorer that another process runs.

    Attributes:
        reward: Its name.
        starter: That process.
    """

    reward: str
    starter: Starter

    def values(self, answers: pl.DataFrame, answer: Answer) -> pl.DataFrame:
        """Return the other process's values."""
        return self.starter.scores(self.reward, answers)


class ToldProgress(Progress):
    """Passes on what the user is told."""

    def __init__(self, starter: Starter) -> None:
        """Pass it to this process."""
        self.starter = starter

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        """Pass on that a stage begins."""
        self.starter.tell("begin", given=[label, total, unit])

    def advance(self, done: int, note: str = "") -> None:
        """Pass on what is done."""
        self.starter.tell("advance", given=[done, note])

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        """Pass on that a stage is finished."""
        self.starter.tell("end", given=[label, result], reused=reused)

    def say(self, message: str) -> None:
        """Pass on a message."""
        self.starter.tell("say", given=[message])

    def detail(self, line: str) -> None:
        """Pass on what is usual for the stage."""
        self.starter.tell("detail", given=[line])

    def status(self, line: str) -> None:
        """Pass on how far the stage is."""
        self.starter.tell("status", given=[line])

    def warn(self, warning: StageWarning) -> None:
        """Pass on a warning."""
        self.starter.tell("warn", given=[*warning])


def end_now() -> None:
    """End this process and those that it started (it leads a session of its own), whatever they do."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main(folder: Path, model: Path, address: str) -> None:
    """Train as the job in a folder says, and end the group of processes that this one is in."""
    train_job(folder, model, address)
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def train_job(folder: Path, model: Path, address: str) -> None:
    """Train as the job in a folder says; tell the process at ``address`` how it went, or end if it fails."""
    rank = int(os.environ.get("RANK", "0"))
    log = os.open(folder / f"process-{rank}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.enable()
    starter = Starter(_connected(address))
    starter.tell("hello", rank=rank, pid=os.getpid())
    try:
        outcome = _train(folder, model, starter, rank)
    except BaseException as error:
        traceback.print_exc()
        sys.stderr.flush()
        line = str(error) if isinstance(error, OneLine) else f"{type(error).__name__}: {error}"
        starter.tell("failed", error=type(error).__name__, line=line, known=isinstance(error, OneLine))
        os._exit(1)  # the other processes may wait for this one, so an orderly end may never come
    tables = {name: getattr(outcome, name) for name in OUTCOME_TABLES} if rank == 0 else {}
    facts = {"steps": outcome.steps, "metrics": outcome.metrics, "learnt": dict(outcome.learnt)} if rank == 0 else {}
    starter.over = True
    starter.tell("done", tables, **facts)


def _connected(address: str) -> Connection:
    """Connect to the process that started the training, on this machine or by this machine's launch file."""
    if not address.endswith(".json"):
        return connect(address)
    from train.launch.door import knock
    from train.launch.launch_file import read_launch_file

    content = read_launch_file(Path(address))
    return knock(content.address, content.channel, bytes.fromhex(content.key))


def _train(folder: Path, model: Path, starter: Starter, rank: int) -> Outcome:
    """Train; all processes but the first are silent."""
    progress = ToldProgress(starter) if rank == 0 else Progress()
    rewards: dict[str, AnswerScorer] = {name: AskedScorer((), name, starter) for name in reward_names(folder)}
    job = read_job(folder, rewards, progress, no_model_calls)
    return run_trainer(job, model, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
