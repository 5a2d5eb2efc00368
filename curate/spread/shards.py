"""Shards: the workers of ``spread`` are processes that somebody else starts, on machines that see the store's disk.

A run posts each call as a file (``shard_files``), and waits for the file of its answer. The worker of a shard
(``shard_worker``) makes every N-th call. Neither starts, ends or reaches the other: Slurm, Kubernetes or a person does.
"""

import os
import secrets
import shlex
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from curate.spread.shard_files import (
    CALL,
    FAILED,
    MOST,
    RUN,
    SIGN,
    RunSign,
    ShardFailure,
    ShardSign,
    call_name,
    check_own,
    clear,
    look,
    put,
    shards_folder,
    signing,
    versions_here,
)
from curate.spread.task_calls import Call, encoded, kept_answer
from schemas.errors import printable

AHEAD = 16  # calls that are posted for each shard
SOON, LATER = 0.02, 0.5  # seconds between two looks for answers
TOLD = 1.0  # seconds between two looks for shards that are late
PATIENCE = 3.0  # seconds before a shard is asked for that has not come
SILENT = 60.0  # seconds without a sign before that is said: a network drive may show one late
SHOWN = 8  # shards that are named


class _Posted(NamedTuple):
    """A call that is posted, where its answer goes, and since when it is waited for."""

    call: Call
    answer: Future[bytes | None]
    since: float


class _Seen(NamedTuple):
    """The sign of a shard that was seen last, when, and whether it was said that none came since."""

    sign: ShardSign
    at: float
    missed: bool = False


class Shards:
    """The runner of shards. Use it as a context manager: its end is that of the run, which workers wait for.

    Args:
        store: The store's folder. The caller sees to it that only one process at a time has it for shards.
        shards: How many shards there are.
        say: Shows a line.
        warn: Shows what a person must see: that shards are waited for since ``SILENT`` seconds, or one has failed; by
            default as ``say`` does.
    """

    elsewhere = True
    models = None  # a model that is in this process stays in it

    def __init__(
        self,
        store: Path,
        shards: int,
        say: Callable[[str], None] = lambda line: None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.ahead = AHEAD * shards
        self._store, self._say, self._warn = store, say, warn or say
        self._folder = shards_folder(store)
        here = os.fsencode(os.getcwd()).decode(errors="replace")
        self._sign = RunSign(secrets.token_hex(8), shards, versions_here(), folder=here)
        self._number = 0
        self._posted: dict[int, _Posted] = {}
        self._lock = threading.Lock()  # of what is posted
        self._seen: dict[int, _Seen] = {}
        self._asked: dict[int, float] = {}  # shards that were asked for, and have not come, and since when
        self._warned: set[int] = set()  # those of them that a warning was of
        self._told = 0.0
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Shards":
        """Say that the run is there.

        Raises:
            UserError: The store's folders are not this user's own.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        check_own(self._store, self._folder.parent, self._folder)
        clear(self._folder)
        for shard in range(self._sign.shards):
            self._of(shard).mkdir(mode=0o700, exist_ok=True)
            check_own(self._of(shard))
        put(self._folder / RUN, self._sign)
        self._signs = signing(self._folder / RUN, lambda count: replace(self._sign, count=count))
        self._signs.__enter__()
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say that the run has ended, however it did."""
        self._ended.set()
        self._looking.join()
        self._signs.__exit__(kind, error, trace)
        try:
            put(self._folder / RUN, replace(self._sign, ended=True))
            clear(self._folder)
        except OSError:
            if error is None:
                raise

    def workers(self, tasks: int, *, kept: bool) -> AbstractContextManager["Shards"] | None:
        """Return the shards; None for one task, and where answers are not kept in files, which all could see."""
        return self._while_needed() if kept and tasks > 1 else None

    def submit(self, call: Call) -> Future[bytes | None]:
        """Post a call; None is its answer where a worker could not make it, or would refuse it for its size."""
        posted = _Posted(call, Future(), time.monotonic())
        if len(encoded(call)) > MOST:
            posted.answer.set_result(None)
            return posted.answer
        with self._lock:
            number, self._number = self._number, self._number + 1
            self._posted[number] = posted
        put(self._path(number, CALL), call)
        return posted.answer

    @contextmanager
    def _while_needed(self) -> Generator["Shards"]:
        try:
            yield self
        finally:  # nobody waits for what is posted any more
            for number in list(self._posted):
                self._take(number)

    def _path(self, number: int, kind: str) -> Path:
        return self._of(number % self._sign.shards) / call_name(self._sign.run, number, kind)

    def _of(self, shard: int) -> Path:
        return self._folder / str(shard)

    def _take(self, number: int) -> None:
        """Take a call away."""
        with self._lock:
            self._posted.pop(number, None)
        for kind in (CALL, FAILED):
            with suppress(OSError):
                self._path(number, kind).unlink()

    def _by_shard(self) -> dict[int, list[int]]:
        """Return the numbers of the calls of each shard, in order: it makes them so."""
        with self._lock:
            numbers = sorted(self._posted)
        found: dict[int, list[int]] = {}
        for number in numbers:
            found.setdefault(number % self._sign.shards, []).append(number)
        return found

    def _look(self) -> None:
        """Look for answers until the run ends."""
        pause = SOON
        while not self._ended.wait(pause):
            try:
                found = sum(self._taken(shard, numbers) for shard, numbers in self._by_shard().items())
                self._tell()
            except Exception as error:  # for who waits for the answers
                found = 0
                with self._lock:
                    waiting, self._posted = self._posted, {}
                for one in waiting.values():
                    one.answer.set_exception(error)
            pause = SOON if found else min(2 * pause, LATER)

    def _taken(self, shard: int, numbers: list[int]) -> int:
        """Take the answers that a shard has given; return how many."""
        for place, number in enumerate(numbers):
            posted = self._posted.get(number)
            if posted is None:
                return place
            answer = kept_answer(posted.call)
            if answer is None:
                failure = look(self._path(number, FAILED), ShardFailure)
                if failure is None:
                    return place
                self._warn(f"shard {self._name(shard)} failed, so it is done here: {printable(failure.reason)}")
            self._take(number)
            self._came(shard)
            posted.answer.set_result(answer)
        return len(numbers)

    def _tell(self) -> None:
        """Say which shards are waited for that have not come, or show no sign."""
        now = time.monotonic()
        if now - self._told < TOLD:
            return
        self._told = now
        late, lost = [], []
        for shard, numbers in self._by_shard().items():
            posted = self._posted.get(numbers[0])
            if posted is None or now - posted.since < PATIENCE:
                continue
            sign = self._sign_of(shard)
            if sign:
                self._came(shard)
                self._tell_of(shard, sign, now)
            elif shard not in self._asked:
                late.append(shard)
            elif now - self._asked[shard] > SILENT and shard not in self._warned:
                lost.append(shard)
        self._asked.update(dict.fromkeys(late, now))
        self._warned.update(lost)
        if late:
            self._say(self._wanted(late, "yet"))
        if lost:
            self._warn(self._wanted(lost, f"in {SILENT:.0f} s"))

    def _came(self, shard: int) -> None:
        """Say that a shard has come that was asked for."""
        if self._asked.pop(shard, None) is not None:
            self._warned.discard(shard)
            sign = self._sign_of(shard)
            self._say(f"shard {self._name(shard)} has come{f': {_place(sign)}' if sign else ''}")

    def _sign_of(self, shard: int) -> ShardSign | None:
        """Return the sign of a shard's worker; None where there is none for this run."""
        sign = look(self._of(shard) / SIGN, ShardSign)
        return sign if sign and sign.run == self._sign.run else None

    def _tell_of(self, shard: int, sign: ShardSign, now: float) -> None:
        """Say of a shard that has come what is new of it."""
        name, seen = self._name(shard), self._seen.get(shard)
        if seen is None or seen.sign != sign:
            if seen and seen.missed:
                self._say(f"shard {name} is there again: {_place(sign)}")
            self._seen[shard] = _Seen(sign, now)
        elif now - seen.at > SILENT and not seen.missed:
            self._seen[shard] = seen._replace(missed=True)
            again = f"start it again: {self._command(name)}"
            self._warn(f"waiting for shard {name}, without a sign for {SILENT:.0f} s ({_place(sign)}); {again}")

    def _wanted(self, late: list[int], when: str) -> str:
        if len(late) == 1:
            name = self._name(late[0])
            return f"waiting for shard {name}, which has not come {when}; start it: {self._command(name)}"
        names = ", ".join(self._name(shard) for shard in late[:SHOWN])
        more = f" and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
        each = self._command(f"I/{self._sign.shards}")
        return f"waiting for the shards {names}{more}, which have not come {when}; start each: {each}"

    def _name(self, shard: int) -> str:
        return f"{shard}/{self._sign.shards}"

    def _command(self, name: str) -> str:
        return f"gristmill worker {shlex.quote(str(self._store))} --shard {name}"


def _place(sign: ShardSign) -> str:
    return printable(f"process {sign.process} on {sign.host[:80]}")
