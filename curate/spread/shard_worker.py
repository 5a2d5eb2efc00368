"""The worker of a shard: makes every N-th call that a run posts (``shards``), until the run ends.

A store is hostile: what may be called is in ``FUNCTIONS``, and what a call writes must lie in the store's work folder.
"""

import importlib
import os
import time
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curate.spread.shard_files import (
    CALL,
    FAILED,
    RUN,
    SIGN,
    RunSign,
    ShardFailure,
    ShardSign,
    call_name,
    check_own,
    look,
    posted,
    put,
    shards_folder,
    signing,
    versions_here,
)
from curate.spread.task_calls import Call, decoded, kept_answer, make
from schemas.disk_full import disk_is_full
from schemas.errors import Failed, UserError, printable, short_repr

# The functions that a worker calls, and the field of each task that names the folder or the file to write to.
FUNCTIONS = {
    "curate.pipeline.source_parts:make_parts": "folder",
    "curate.pipeline.score_parts:make_part": "folder",
    "curate.pipeline.dedup_parts.sketches:make_sketches": "folder",
    "curate.pipeline.dedup_parts.copies:find_copies": "path",
    "curate.pipeline.dedup_parts.buckets:find_buckets": "path",
    "curate.pipeline.dedup_parts.texts:write_wanted_texts": "path",
    "curate.pipeline.dedup_parts.verify:compare": "path",
    "curate.pipeline.dedup_parts.decide:write_decisions": "folder",
    "curate.pipeline.semantic_parts.signs:make_signs": "path",
    "curate.pipeline.semantic_parts.compare:compare_rows": "path",
    "curate.pipeline.semantic_parts.nearest:find_nearest": "path",
}
SOON, LATER = 0.02, 0.5  # seconds between two looks for calls
SILENT = 60.0  # seconds without a sign of the run before that is said
REASON = 300  # characters of an error


@dataclass
class ShardWorker:
    """Works for the runs of a store.

    Attributes:
        store: The store's folder.
        shard: The number of this shard, from 0.
        shards: How many there are.
        stay: Whether to wait for further runs when one has ended.
        wait: The most seconds to wait for a run, or for a sign of one; None for ever.
        functions: What may be called, as ``FUNCTIONS``.
        say: Shows a line.
        calls: How many calls were made.
    """

    store: Path
    shard: int
    shards: int
    stay: bool = False
    wait: float | None = None
    functions: Mapping[str, str] = field(default_factory=lambda: FUNCTIONS)
    say: Callable[[str], None] = lambda line: None
    calls: int = 0

    def __post_init__(self) -> None:
        """Find the folder of the shards."""
        self.store = self.store.resolve()
        self._folder = shards_folder(self.store)
        self._own = self._folder / str(self.shard)
        self._sign: RunSign | None = None  # the run's, as it was seen last
        self._seen_at = time.monotonic()
        self._missed = False

    def work(self) -> None:
        """Make the calls of this shard until the run ends.

        Raises:
            UserError: The run has another number of shards, is of another version, or in a folder that is not here; the
                store is not this user's own, or asks for what it may not.
            Failed: There was no sign of a run for ``wait`` seconds.
            Exception: Nothing more can be written, as the disk is full.
        """
        worked_for, pause = "", SOON
        while True:
            sign = self._look()
            if sign and not sign.ended:
                worked_for = sign.run
                self._check(sign)
                self.say(f"shard {self.shard}/{self.shards}: works for the run in {self.store}")
                self._work_for(sign)
            elif sign and worked_for and not self.stay:
                return
            elif self._waited_for(sign):
                return
            else:
                time.sleep(pause)
                pause = min(2 * pause, LATER)

    def _look(self) -> RunSign | None:
        """Return the sign of the run that there is or was last."""
        there = check_own(self.store, self._folder.parent, self._folder)
        sign = look(self._folder / RUN, RunSign) if there else None
        if sign is not None and sign != self._sign:
            if self._missed and self._sign is not None and not sign.ended:
                self.say("the run is there again")
            self._sign, self._seen_at, self._missed = sign, time.monotonic(), False
        return sign

    def _check(self, sign: RunSign) -> None:
        if sign.shards != self.shards:
            raise UserError(
                f"--shard {self.shard}/{self.shards}: the run has {sign.shards} shards (--shards {sign.shards}); "
                f"expected I/{sign.shards}, with I from 0 to {sign.shards - 1}"
            )
        if sign.versions != versions_here():
            raise UserError(
                f"the run has {short_repr(sign.versions, 100)}, this worker {versions_here()}; other versions may "
                "write other bytes: use one environment"
            )

        try:
            os.chdir(sign.folder or ".")
        except (OSError, ValueError):  # another file may have a relative path from another folder
            raise UserError(
                f"{short_repr(sign.folder, 200)}: the run's current folder, where paths of its sources begin, is not "
                "on this machine, or may not be entered; expected a disk that all machines see"
            ) from None

    def _work_for(self, sign: RunSign) -> None:
        """Make the calls of a run until it has ended, or another has taken its place."""
        host, process = os.uname().nodename, os.getpid()
        with signing(self._own / SIGN, lambda count: ShardSign(sign.run, host, process, count)):
            pause = SOON
            while (now := self._look()) is None or (now.run == sign.run and not now.ended):
                if self._make_one(sign.run):
                    pause = SOON
                    continue
                if self._waited_for(now):
                    return
                time.sleep(pause)
                pause = min(2 * pause, LATER)

    def _waited_for(self, sign: RunSign | None) -> bool:
        """Return whether to wait no longer for a run; say when there is no sign of one."""
        silent = time.monotonic() - self._seen_at
        goes_on = sign is not None and not sign.ended
        if self.wait is not None and silent > self.wait:
            if goes_on:
                raise Failed(f"{self.store}: no sign of the run for {self.wait:g} s; finished work is kept")
            self.say(f"{self.store}: no run has come for {self.wait:g} s")
            return True
        if not self._missed and silent > (SILENT if goes_on else 1):
            self._missed = True
            what = f"the run has shown no sign for {SILENT:.0f} s" if goes_on else "there is no run yet"
            self.say(f"shard {self.shard}/{self.shards}: waits, {what}: gristmill run RECIPE --shards {self.shards}")
        return False

    def _make_one(self, run: str) -> bool:
        """Make the next call that is to be made; return whether there is one."""
        check_own(self._own)
        for number in posted(self._own, run):
            file, failed = (self._own / call_name(run, number, kind) for kind in (CALL, FAILED))
            call = look(file, Call)
            if call is None or look(failed, ShardFailure) is not None:
                continue
            self._check_call(call, file)
            if kept_answer(call) is None:
                self._make(call, file, failed)
                return True
        return False

    def _make(self, call: Call, file: Path, failed: Path) -> None:
        try:
            make(call)
        except Exception as error:
            if disk_is_full(error):
                raise
            reason = printable(f"{type(error).__name__}: {error}")[:REASON]
            if file.exists():  # else the run wants it no longer, and its folder may be gone
                self.say(f"shard {self.shard}/{self.shards}: failed, so the run does it: {reason}")
                put(failed, ShardFailure(reason))
            return
        self.calls += 1

    def _check_call(self, call: Call, file: Path) -> None:
        """Raise ``UserError`` for a call that is none of a run's."""
        if call.function not in self.functions:
            known = ", ".join(self.functions)
            raise UserError(f"{file}: asks for {short_repr(call.function)}; a worker makes calls of {known} only")
        module, _, name = call.function.partition(":")
        written = self.functions[call.function]
        hints = typing.get_type_hints(getattr(importlib.import_module(module), name))
        try:
            task = decoded(call.task, next(kind for key, kind in hints.items() if key != "return"))
        except Exception as error:  # the decoder's many ways to say that it is none
            raise UserError(f"{file}: is no call of {call.function} ({printable(str(error))[:REASON]})") from None
        work = self._folder.parent
        for path in [call.kept, *([getattr(task, written)] if written else [])]:
            if not path or "\0" in path or os.path.realpath(path) != path or not Path(path).is_relative_to(work):
                raise UserError(
                    f"{file}: writes to {short_repr(path, 200)}; expected a path in {work}: all machines must see the "
                    "store under the same path"
                )
