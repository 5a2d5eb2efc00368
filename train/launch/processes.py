"""A training in several processes, as the one that starts them sees it: it shows, scores, and takes the outcome."""

import os
import re
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import Failed, OneLine, Stopped, UserError, printable
from schemas.progress import StageWarning
from train.finding.dotted_trainer import is_dotted
from train.job import Outcome, TrainingJob
from train.launch.channel import Tables, accept, receive, send
from train.launch.launcher import LOG, log_of
from train.launch.nodes import Nodes

SHOWN = 12  # lines of a failed process's output
QUIET = 0.5  # seconds without news, after which no other process is known to have failed first
KNOWN: dict[str, type[OneLine]] = {"UserError": UserError, "Failed": Failed, "Stopped": Stopped}
# How a process fails because another one has.
LOST_CONTACT = re.compile(r"gloo|NCCL|Connection (closed|reset) by peer|Broken pipe|DistNetworkError|DistStoreError")


@dataclass(frozen=True)
class Failure:
    """A process that failed: its rank, its error (of no kind where it ended without a word), and a line on it.

    Where it is a further machine's ``gristmill node``, ``rank`` is None and ``log`` the file that says more, if any.
    """

    rank: int | None
    kind: str
    line: str
    known: bool
    log: str = ""

    @property
    def order(self) -> int:
        """How likely it is that others failed because of this one: 0 is most."""
        return 0 if self.known else 3 if LOST_CONTACT.search(self.line) else 1 if self.kind else 2


@dataclass
class Processes:
    """The processes of a training.

    Attributes:
        job: The training.
        count: How many processes there are.
        listener: Where those of this machine connect to.
        launcher: The process that starts them.
        folder: The folder of their logs.
        nodes: The further machines, if there are some.
    """

    job: TrainingJob
    count: int
    listener: socket.socket
    launcher: Any
    folder: Path
    nodes: Nodes | None = None
    ranks: dict[Connection, int | None] = field(default_factory=dict)
    elsewhere: set[Connection] = field(default_factory=set)  # those of further machines
    pids: dict[int, int] = field(default_factory=dict)  # of this machine's that are at work, by rank
    asked: dict[int, tuple[str, pl.DataFrame]] = field(default_factory=dict)  # answers to score, by rank
    failures: list[Failure] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    outcome: Outcome | None = None

    def outcome_of_all(self) -> Outcome:
        """Serve the processes to their end; return what the first one says. None of them is left, whatever happens.

        Raises:
            UserError: A process says that the recipe or a row is wrong.
            Failed: A process ended before it was done.
            Stopped: A reward's budget is used up.
        """
        try:
            while len(self.done) < self.count:
                news = self._hear(1.0)
                if self.failures:
                    while self._hear(QUIET):
                        pass
                    raise self._error()
                if not news and self.launcher.poll() is not None:
                    raise self._crash("the launcher ended before the training was done", LOG)
            if self.outcome is None:
                raise self._crash("the first process said nothing of the outcome", LOG)
            return self.outcome
        finally:
            self._end()

    def _hear(self, seconds: float) -> bool:
        """Take what the processes say within some seconds; return whether one said anything."""
        nodes = self.nodes
        ready = wait([self.listener, *self.ranks, *(nodes.watched() if nodes else ())], timeout=seconds)
        for one in ready:
            if one is self.listener:
                self.ranks[accept(self.listener)] = None
            elif nodes and one is nodes.door.news:
                self._admit(nodes.door.take())
            elif nodes and one in nodes.present:
                self._take_node(nodes, one)
            elif isinstance(one, Connection):
                try:
                    self._take(one, *receive(one))
                except (EOFError, OSError):
                    self._lost(one)
        return bool(ready)

    def _take(self, connection: Connection, kind: str, fields: dict[str, Any], tables: Tables) -> None:
        """Take a message: of the user's progress, unless it is of another kind."""
        rank = self.ranks[connection]
        if kind == "hello":
            self._greet(connection, fields["rank"], fields["pid"])
        elif rank is None:
            raise OSError(f"a process that did not say hello says {kind!r}")
        elif kind == "score":
            self.asked[rank] = fields["reward"], tables["answers"]
            self._score()
        elif kind == "failed":
            self.failures.append(Failure(rank, fields["error"], fields["line"], fields["known"]))
        elif kind == "done":
            self.done.add(rank)
            self.outcome = Outcome(**fields, **tables) if rank == 0 else self.outcome
        elif kind == "warn":
            self.job.progress.warn(StageWarning(*fields["given"]))
        elif kind in ("begin", "advance", "end", "say", "detail", "status"):
            getattr(self.job.progress, kind)(*fields.pop("given"), **fields)

    def _greet(self, connection: Connection, rank: int, pid: int) -> None:
        """Take note of a process; of a further machine's the pid says nothing here."""
        if connection not in self.elsewhere:
            self.pids[rank] = pid
        elif self.nodes is None or rank not in self.nodes.their_ranks or rank in self.ranks.values():
            raise OSError(f"process {rank} is not another machine's, or is there twice")
        self.ranks[connection] = rank

    def _admit(self, one: Connection | str) -> None:
        """Take in a connection of a further machine, or say which was refused."""
        if isinstance(one, str):
            self.job.progress.say(f"train {self.job.name}: {one}")
        else:
            self.ranks[one] = None
            self.elsewhere.add(one)

    def _take_node(self, nodes: Nodes, connection: Any) -> None:
        """Take what a further machine's ``gristmill node`` says: it ends before the training does."""
        gone = nodes.last_words(connection)
        if len(self.done) < self.count:
            log = log_of(gone.machine) if gone.crashed else ""
            self.failures.append(Failure(None, "", gone.line, known=False, log=log))

    def _score(self) -> None:
        """Score the answers that are waiting: those of all processes together, as one process would.

        A trainer that is not ours may ask in one process only.
        """
        if len(self.asked) < self.count and not is_dotted(self.job.trainer):
            return
        waiting, self.asked = dict(sorted(self.asked.items())), {}
        names = {name for name, _ in waiting.values()}
        if len(names) > 1:
            raise Failed(f"train.{self.job.name}: the processes ask for different rewards: {', '.join(sorted(names))}")
        answers = pl.concat([answers for _, answers in waiting.values()])
        scores = self.job.rewards[names.pop()].values(answers, self.job.answer).select("value", "error", "detail")
        by_rank = {rank: connection for connection, rank in self.ranks.items()}
        first = 0
        for rank, (_, part) in waiting.items():
            with suppress(OSError):  # it has ended, which the next look at it shows
                send(by_rank[rank], "scores", {"scores": scores.slice(first, part.height)})
            first += part.height

    def _lost(self, connection: Connection) -> None:
        """Take note that a process has ended."""
        rank = self.ranks.pop(connection)
        connection.close()
        if rank is None or rank in self.done or any(one.rank == rank for one in self.failures):
            return
        self.failures.append(Failure(rank, "", "ended without a word, as one does that is killed", known=False))

    def _error(self) -> OneLine:
        """Return the error of the process that failed first; show the end of what it printed, if it crashed."""
        first = min(self.failures, key=lambda one: one.order)
        if first.known:
            return KNOWN.get(first.kind, Failed)(first.line)
        if first.rank is None:
            return self._crash(first.line, first.log) if first.log else Failed(f"train.{self.job.name}: {first.line}")
        on = f" ({self.nodes.machine_of(first.rank)})" if self.nodes else ""
        return self._crash(f"process {first.rank + 1} of {self.count}{on} {first.line}", f"process-{first.rank}.log")

    def _crash(self, what: str, log: str) -> Failed:
        """Return the error for what happened, after the last lines of a log are shown."""
        try:
            lines = (self.folder / log).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        for line in [line for line in lines if line.strip()][-SHOWN:]:
            self.job.progress.say(f"  {printable(line.rstrip())[:300]}")
        return Failed(f"train.{self.job.name}: {what}; all that it printed is in {self.folder / log}")

    def _end(self) -> None:
        """End the processes that are not done: each leads a session of its own, so that the launcher may miss some."""
        for connection in self.ranks:
            connection.close()
        if len(self.done) < self.count:
            for pid in self.pids.values():
                _kill(pid)


def _kill(pid: int) -> None:
    """Kill a process, with the processes of its group if it leads one."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
