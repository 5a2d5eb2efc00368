"""The rows of a run that no step has dropped: which rows of which files, ids as numbers; nothing else is in memory.

A row takes ten bytes: the number of its id, and the step that dropped it. Rows are in the order of their stages, and
in these of their files.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.polars_types import POLARS
from curate.storage.row_numbers import NumberIndex, id_numbers, joined, repeated
from curate.storage.stage import Stage
from schemas.ids import fingerprint
from schemas.rows import COMPLETIONS, PROMPTS

# A candidate's columns: as in TRL, its own messages are ``completion``; ``messages`` are its prompt's.
CANDIDATES = {"completion" if name == "messages" else name: kind for name, kind in COMPLETIONS.items()}
KEPT = np.uint16(65535)  # of a row that no step has dropped


@dataclass
class RowSet:
    """The prompts of a run, or its candidates.

    Attributes:
        table: ``prompts`` or ``completions``.
        id: The table's id column.
        stages: The stages that hold rows of the table.
        scores: The stages that hold the scores of each scorer, by its name.
        content: A fingerprint of the rows that are kept: of the stages that hold them and of those that dropped some.
        numbers: The number of the id of each row of each file (uint64).
        left: The step at which each row of each file was dropped (uint16): 0 for one that was never in.
        since: For each file, the step at which its rows were added.
        step: How many times rows were dropped.
    """

    table: str
    id: str
    stages: list[Stage] = field(default_factory=list)
    scores: dict[str, list[Stage]] = field(default_factory=dict)
    content: str = ""
    numbers: list[np.ndarray] = field(default_factory=list)
    left: list[np.ndarray] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    step: int = 0

    @property
    def files(self) -> list[Path]:
        """The files that hold the rows, in order."""
        return [file for stage in self.stages for file in stage.files(self.table)]

    @property
    def height(self) -> int:
        """How many rows are kept."""
        return sum(int(np.count_nonzero(left == KEPT)) for left in self.left)

    @property
    def kept_ids(self) -> pl.DataFrame:
        """The ids of the kept rows, in order: a table of one column, read from the files."""
        parts = [frame.select(self.id) for _, frame in self.read([self.id])]
        return pl.concat([pl.DataFrame(schema={self.id: pl.String}), *parts])

    @property
    def kept_numbers(self) -> np.ndarray:
        """The numbers of the ids of the kept rows, in order."""
        return joined(numbers[self.kept(file)] for file, numbers in enumerate(self.numbers))

    def kept(self, file: int) -> np.ndarray:
        """Return which rows of a file, given by its number, are kept (bool)."""
        return self.left[file] == KEPT

    def kept_before(self, file: int, step: int) -> np.ndarray:
        """Return which rows of a file were kept when rows had been dropped ``step`` times (bool)."""
        return (self.left[file] > step) & (self.since[file] <= step)

    def steps_with(self, rows: int) -> list[int]:
        """Return after how many steps there were so many rows, the latest first."""
        counts = np.zeros(self.step + 1, np.int64)
        for left, since in zip(self.left, self.since, strict=True):
            of_step = np.bincount(np.minimum(left, self.step + 1), minlength=self.step + 2)
            still = len(left) - np.cumsum(of_step)[: self.step + 1]  # rows that left after each step
            counts += np.where(np.arange(self.step + 1) >= since, still, 0)
        return np.flatnonzero(counts == rows)[::-1].tolist()

    def file_column(self, name: str) -> str:
        """Return what the files call a column of the rows: there a candidate's ``completion`` is its ``messages``."""
        return "messages" if (self.table, name) == ("completions", "completion") else name

    def read(self, columns: list[str]) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield columns of the kept rows, a file at a time, with the number of the file; one without such is left out.

        Args:
            columns: Columns of the table, as the files name them.
        """
        for number, file in enumerate(self.files):
            kept = self.kept(number)
            if kept.any():
                frame = read_table(file, columns)
                yield number, frame if kept.all() else frame.filter(pl.Series(kept))

    def add(self, stage: Stage) -> None:
        """Add the rows of a stage, except those whose id is kept already and candidates that failed."""
        if not stage.rows(self.table):
            return
        known, columns = len(self.left), [self.id, "error"] if self.table == "completions" else [self.id]
        for file in stage.files(self.table):
            rows = read_table(file, columns)
            self.numbers.append(id_numbers(rows[self.id]))
            failed = rows["error"].is_not_null().to_numpy() if "error" in columns else False
            self.left.append(np.where(failed, np.uint16(0), np.full(rows.height, KEPT)))
            self.since.append(self.step)
        self.stages.append(stage)
        self.content = fingerprint([self.content, stage.content(self.table)])
        self._drop_repeats(known)

    def _drop_repeats(self, known: int) -> None:
        """Of rows with one id keep the first, of those in the files from ``known`` on and of all before."""
        twice = repeated(self.numbers)
        if not len(twice):
            return
        places: dict[str, tuple[int, int]] = {}
        for number, file in enumerate(self.files):
            at = np.flatnonzero(np.isin(self.numbers[number], twice) & (self.left[number] > 0))
            if not len(at):
                continue
            ids, left = read_table(file, [self.id])[self.id].gather(at).to_list(), self.left[number].copy()
            for place, id in zip(at.tolist(), ids, strict=True):
                first = places.setdefault(id, (number, place))
                if first != (number, place):
                    left[place] = 0
                    if number >= known and first[0] < known:  # a step dropped the first; it is in again
                        self.left[first[0]] = self.left[first[0]].copy()  # a copy of these rows may have the old one
                        self.left[first[0]][first[1]] = KEPT
            self.left[number] = left

    def copy(self) -> "RowSet":
        """Return these rows as they are now; adding or dropping rows later does not change the copy."""
        scores = {name: [*held] for name, held in self.scores.items()}
        lists = {name: [*getattr(self, name)] for name in ("stages", "numbers", "left", "since")}
        return replace(self, scores=scores, **lists)

    def keep(self, ids: pl.DataFrame, stage: Stage) -> None:
        """Drop all rows but some.

        Args:
            ids: The ids of the rows to keep, in a table with the id column.
            stage: The stage that holds the decisions.
        """
        index = NumberIndex(id_numbers(ids[self.id]))
        self.keep_where([index.find(numbers) >= 0 for numbers in self.numbers])
        self.content = fingerprint([self.content, stage.content("decisions")])

    def keep_decided(self, stage: Stage) -> None:
        """Drop all rows but those that a stage's decisions keep."""
        self.keep_where(self._decided(stage))
        self.content = fingerprint([self.content, stage.content("decisions")])

    def keep_owned(self, owners: NumberIndex) -> None:
        """Drop candidates that are of no prompt in an index of prompts' ids."""
        kept = [np.ones(len(left), bool) for left in self.left]
        for number, frame in self.read(["prompt_id"]):
            kept[number][self.kept(number)] = owners.find(id_numbers(frame["prompt_id"])) >= 0
        self.keep_where(kept)

    def keep_where(self, kept: list[np.ndarray]) -> None:
        """Drop the rows for which a flag is false, given for each row of each file."""
        self.step += 1
        step = np.uint16(self.step)
        self.left = [np.where((left == KEPT) & ~flags, step, left) for left, flags in zip(self.left, kept, strict=True)]

    def _decided(self, stage: Stage) -> list[np.ndarray]:
        """Return for each row of each file whether a decision keeps it; decisions are mostly in the order of rows."""
        numbers, flags = [], []
        for file in stage.files("decisions"):
            part = read_table(file, ["row_id", "kept"])
            numbers.append(id_numbers(part["row_id"]))
            flags.append(part["kept"].fill_null(False).to_numpy())
        decided, wanted = joined(numbers), np.concatenate([np.zeros(0, bool), *flags])
        masks = [self.kept(number) for number in range(len(self.left))]
        if np.array_equal(decided, joined(own[mask] for own, mask in zip(self.numbers, masks, strict=True))):
            ends = np.cumsum([0, *(int(mask.sum()) for mask in masks)])
            for mask, low, high in zip(masks, ends, ends[1:], strict=False):
                mask[mask] = wanted[low:high]
            return masks
        index = NumberIndex(decided[wanted])
        return [index.find(own) >= 0 for own in self.numbers]

    def columns(self, prompts: "RowSet | None" = None) -> dict[str, pl.DataType]:
        """Return the columns that a step or a condition may name: the rows' own, their prompts', and scores.

        Args:
            prompts: The prompts of these candidates, if their columns may be named too.
        """
        own = PROMPTS if self.table == "prompts" else CANDIDATES
        joined = {k: v for k, v in PROMPTS.items() if k not in own} if prompts else {}
        scores = {name: pl.Float64() for name in [*self.scores, *(prompts.scores if prompts else {})]}
        return {k: POLARS[v] for k, v in {**own, **joined}.items()} | scores

    def fingerprint(self, names: list[str]) -> str:
        """Return a fingerprint of the rows as a step sees that reads the columns ``names``."""
        return fingerprint([self.content, {n: [s.content("scores") for s in self.scores.get(n, [])] for n in names}])
