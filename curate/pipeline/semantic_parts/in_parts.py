"""The phases of ``dedup: semantic`` in parts, one after another: what ``keep_dissimilar`` decides by buckets.

This process holds some numbers of each row (``docs/scale.md``), and the near pairs of some rows at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate.algorithms.vectors.hyperplanes import BandPlan
from curate.algorithms.vectors.places import KEPT, Decisions, Places
from curate.dedup.semantic import Settings, duplicates
from curate.pipeline.phases import Phases
from curate.pipeline.semantic_parts.checks import check_places, held
from curate.pipeline.semantic_parts.compare import CompareTask, compare_rows
from curate.pipeline.semantic_parts.members import LOW, Compared, Members
from curate.pipeline.semantic_parts.nearest import NearestTask, find_nearest
from curate.pipeline.semantic_parts.signs import Signed, SignsTask, make_signs
from curate.pipeline.semantic_parts.sizes import TaskSizes
from curate.pipeline.stage_spec import RunContext
from curate.spread.worker_processes import WorkerProcesses
from curate.storage.array_files import read_array, write_array, write_rows
from curate.storage.stage import StageWriter
from schemas.errors import UserError

MOST = 1 << 32  # rows: a number of one has 32 bits
BLOCK = 1 << 14  # vectors written at a time
PAIRS = 1 << 26  # near pairs read at a time: 512 MB
FEW = 500_000  # members of buckets: a round of fewer is done here, before other processes would have started


@dataclass(frozen=True)
class MeaningInParts:
    """A step ``dedup: semantic`` over the rows of a run, in parts.

    Attributes:
        writer: The stage.
        run: Its progress display.
        label: The stage's label.
        sizes: The sizes of tasks.
    """

    writer: StageWriter
    run: RunContext
    label: str
    sizes: TaskSizes

    def dedup(self, columns: dict[str, pl.Series], settings: dict[str, Any]) -> tuple[pl.DataFrame, str]:
        """Return what ``semantic.dedup`` does for columns and settings."""
        chosen = Settings(**{name: settings[name] for name in Settings._fields})
        return duplicates(**columns, settings=chosen, in_buckets=self.decide)

    def decide(self, places: Places, _: int, plan: BandPlan, decisions: Decisions) -> tuple[int, np.ndarray]:
        """Decide about all places, as ``keep_dissimilar`` does by buckets; return how many there are, and their bits.

        Raises:
            UserError: There are too many rows.
        """
        count = len(places.rows)
        if count > MOST:
            raise UserError(f"{self.label}: {count:,} rows to compare; expected at most {MOST:,}")
        files, signed = self._signed(places, plan)
        states = np.zeros(count, np.uint8)
        states[: places.known] = KEPT
        each = range(self.sizes.ranges)
        ranges = [Members(signed, band, number, len(each)) for band in range(plan.bands) for number in each]
        self._settle(files, ranges, states)
        decisions.kept[:] = states == KEPT
        self._nearest(files, ranges, states, decisions)
        return count, np.asarray(read_array(files.bits))

    @property
    def _phases(self) -> Phases:
        return Phases(self.writer, self.run, self.label)

    def _signed(self, places: Places, plan: BandPlan) -> tuple[Compared, list[Signed]]:
        """Write the vectors of all places and their sign bits; return the files."""
        folder, durable, count = self._phases.folder("rows"), self.writer.durable, len(places.rows)
        names = (str(folder / f"{name}.npy") for name in ("vectors", "bits", "states"))
        files = Compared(*names, plan.size, plan.cutoff, places.threshold)
        blocks = (places.vectors[places.rows[low : low + BLOCK]] for low in range(0, count, BLOCK))
        if not Path(files.vectors).exists():  # else of a run that was killed
            write_rows(Path(files.vectors), count, blocks, durable=durable)
        centre, flips = folder / "centre.npy", folder / "flips.npy"
        write_array(centre, plan.centre, durable=durable)
        write_array(flips, plan.flips, durable=durable)
        part, out = self.sizes.part, self._phases.folder("signs")
        tasks = [
            SignsTask(
                files.vectors,
                str(centre),
                str(flips),
                plan.bands,
                plan.size,
                low,
                min(low + part, count),
                str(out / f"{place:06d}"),
                durable,
            )
            for place, low in enumerate(range(0, count, part))
        ]
        signed = list(self._phases.made("signs", make_signs, tasks, len(tasks)))
        if not Path(files.bits).exists():
            write_rows(Path(files.bits), count, (read_array(one.bits) for one in signed), durable=durable)
        for one in signed:
            Path(one.bits).unlink(missing_ok=True)
        return files, signed

    def _settle(self, files: Compared, ranges: list[Members], states: np.ndarray) -> None:
        """Decide every place, in rounds."""
        near, compared, limit, number = list[str](), 0, self.sizes.first, 0
        todo = [(one, "") for one in ranges]
        while todo:
            what = f"compare-{number}"
            now = replace(files, states=self._written(states, what))
            out = self._phases.folder(what)
            tasks = [
                CompareTask(one, rest, now, compared, limit, str(out / f"{place:06d}"), self.writer.durable)
                for place, (one, rest) in enumerate(todo)
            ]
            few = sum(len(read_array(rest)) for _, rest in todo if rest) < FEW and number
            found = list(self._phases.made(what, compare_rows, tasks, len(tasks), WorkerProcesses(1) if few else None))
            waiting = np.zeros(len(states), bool)
            for one in found:
                waiting[read_array(one.waiting)] = True
            near += [one.near for one in found if len(read_array(one.near))]
            settle_from(near, states, waiting)
            todo = [(one, made.rest) for (one, _), made in zip(todo, found, strict=True) if made.rest]
            compared, limit, number = limit, 4 * limit, number + 1

    def _written(self, states: np.ndarray, name: str) -> str:
        path = self._phases.folder("rows") / f"states-{name}.npy"
        write_array(path, states, durable=self.writer.durable)
        return str(path)

    def _nearest(self, files: Compared, ranges: list[Members], states: np.ndarray, decisions: Decisions) -> None:
        """Find the nearest kept place of each dropped one, and the cosine to it."""
        from curate.algorithms.vectors.bucket_pair_loops import raise_closest

        now, out = replace(files, states=self._written(states, "nearest")), self._phases.folder("nearest")
        tasks = [
            NearestTask(one, now, str(out / f"{place:06d}"), self.writer.durable) for place, one in enumerate(ranges)
        ]
        for made in self._phases.made("nearest", find_nearest, tasks, len(tasks)):
            found = held(made.places, np.uint32, 2, None)
            check_places(made.places, found, len(states))
            cosines = held(made.cosines, np.float64, found.shape[1])
            raise_closest(found[0], found[1], cosines, decisions.nearest, decisions.cosine)


def settle_from(files: Sequence[str], states: np.ndarray, waiting: np.ndarray, most: int = PAIRS) -> None:
    """Decide places as far as the near pairs in files allow (``bucket_pair_loops.settle``).

    Args:
        files: The files of the pairs, each sorted. They are opened anew for some places at a time, as there may be more
            than a process may have open.
        states: What is known of each place (uint8), which is updated.
        waiting: Whether a place has yet to be compared with places before it (Boolean).
        most: About how many pairs are in memory at a time.
    """
    from curate.algorithms.vectors.bucket_pair_loops import settle

    count, total = len(states), sum(len(read_array(file)) for file in files)
    step = max(1, count * most // max(total, most))
    for low in range(0, count, step):
        high = min(low + step, count)
        ends = np.array([low << 32, (high << 32) - 1], np.uint64)  # a left place is before its right one
        some = [np.zeros(0, np.uint64)]
        for file in files:
            pairs = held(file, np.uint64, None)
            first, end = np.searchsorted(pairs, ends)
            some.append(np.array(pairs[first:end]))
            check_places(file, some[-1] & LOW, count)
        pairs = np.concatenate(some)
        del some
        pairs.sort()
        settle(pairs, states, waiting, low, high)
