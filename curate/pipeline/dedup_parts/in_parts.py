"""The phases of ``dedup: minhash`` in parts, one after another, and when they are used.

What this process holds grows with the rows that have an edge, not with all: a bit for each row beside.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import priority
from curate.algorithms.near_duplicates.pair_comparison import PairSearch
from curate.algorithms.text import same_text
from curate.dedup.minhash import compared_grams
from curate.pipeline.dedup_parts import families
from curate.pipeline.dedup_parts.buckets import BucketsTask, find_buckets
from curate.pipeline.dedup_parts.candidates import Candidates, join_bands
from curate.pipeline.dedup_parts.copies import CopiesTask, find_copies
from curate.pipeline.dedup_parts.decide import DecideTask, decisions, write_decisions
from curate.pipeline.dedup_parts.sizes import Sizes
from curate.pipeline.dedup_parts.sketches import Sketched, SketchTask, make_sketches
from curate.pipeline.dedup_parts.texts import Part, TextFiles, TextsTask, write_wanted_texts
from curate.pipeline.dedup_parts.verify import SpreadTexts
from curate.pipeline.duplicate_evidence import duplicate_evidence, duplicate_reason, taken, with_named_ids
from curate.pipeline.phases import Phases
from curate.pipeline.row_rule import TURNS, RowRule
from curate.pipeline.stage_spec import RunContext
from curate.steps.find_step import sketcher
from curate.storage.array_files import read_array, write_array, write_table
from curate.storage.row_set import RowSet
from curate.storage.row_spans import row_spans, span_file
from curate.storage.stage import StageWriter
from schemas.errors import UserError

MOST = 1 << 32  # rows: a number of one has 32 bits
GRAMS = ("ngram", "unit", "nfkc", "ignore_case", "ignore_punctuation", "ignore_indents")


@dataclass
class PartsRun:
    """A step ``dedup: minhash`` over the rows of a run, in parts.

    Attributes:
        writer: The stage.
        run: Its progress display.
        rule: The step.
        rows: The rows.
        wanted: Which of them are compared (bool); all where it is None.
        label: The stage's label.
        sizes: The sizes of tasks.
    """

    writer: StageWriter
    run: RunContext
    rule: RowRule
    rows: RowSet
    wanted: np.ndarray | None
    label: str
    sizes: Sizes

    def write(self, scores: Callable[[], Iterable[pl.Series]]) -> str:
        """Write the decisions about the compared rows; return a note that begins with ``; ``, or "".

        Args:
            scores: Yields the scores of these rows for ``keep: best``, in order.
        """
        own = [*self._parts()]
        if not own:
            self._write_none()
            return self._note(0)
        parts = [*self._reference(), *own]
        rows = parts[-1].first + parts[-1].rows
        if rows > MOST:
            raise UserError(f"{self.label}: {rows:,} rows to compare; expected at most {MOST:,}")
        sketched = self._sketched(parts)
        copies = self._copies(sketched)
        candidates = self._candidates(sketched, copies)
        dropped = self._dropped(parts, candidates, copies, scores)
        self._decide(own, dropped)
        return self._note(int((dropped["duplicate_of"] < self._before).sum()))

    def _note(self, near: int) -> str:
        return f"; {near:,} near other data ({self._before:,} rows)" if self._before else ""

    def _write_none(self) -> None:
        ids, nothing = pl.Series("ids", [], dtype=pl.String), np.zeros(0, np.int64)
        self.writer.write("decisions", decisions(ids, nothing, ids, self.label, duplicate_reason(self.rule)))

    @property
    def _before(self) -> int:
        return self.rule.reference.rows.height if self.rule.reference else 0

    @property
    def _phases(self) -> Phases:
        return Phases(self.writer, self.run, self.label)

    def _reference(self) -> Iterator[Part]:
        """Write the texts of the reference data, and yield it as parts."""
        if not self.rule.reference:
            return
        texts = self.rule.reference.rows["text"]
        texts = same_text.as_text(texts) if self.rule.on in TURNS.values() else texts
        for place, low in enumerate(range(0, len(texts), self.sizes.part)):
            part = pl.DataFrame({"text": texts[low : low + self.sizes.part]})
            path = self._phases.folder("reference") / f"{place:06d}.parquet"
            write_table(path, part, durable=self.writer.durable)
            yield Part(place, low, [span_file(path, np.ones(part.height, bool))], "text")

    def _parts(self) -> Iterator[Part]:
        on = self.rule.on
        column, turns = self.rows.file_column(on), self.rows.file_column(TURNS.get(on, ""))
        first, place = self._before, -(-self._before // self.sizes.part)
        for span in row_spans(self.rows, self.wanted, self.sizes.part):
            part = Part(place, first, span, column, turns, on in TURNS.values())
            yield part
            first, place = first + part.rows, place + 1

    def _sketched(self, parts: list[Part]) -> list[Sketched]:
        _, settings = sketcher(self.rule.step, self.rule.settings)
        folder, ranges, contents = str(self._phases.folder("sketches")), self.sizes.ranges, self.sizes.content_ranges
        tasks = (SketchTask(part, settings, ranges, contents, folder, self.writer.durable) for part in parts)
        return list(self._phases.made("sketches", make_sketches, tasks, len(parts)))

    def _copies(self, sketched: list[Sketched]) -> np.ndarray:
        """Return the rows that are equal to one before them: a line each, that first one and the row (uint32)."""
        folder, count = self._phases.folder("copies"), self.sizes.content_ranges
        tasks = [
            CopiesTask([one.of_content(n) for one in sketched], str(folder / f"{n:04d}.npy"), self.writer.durable)
            for n in range(count)
        ]
        list(self._phases.made("copies", find_copies, tasks, count))
        return np.concatenate([read_array(task.path) for task in tasks])

    def _candidates(self, sketched: list[Sketched], copies: np.ndarray) -> Candidates:
        folder, bands, ranges = self._phases.folder("buckets"), sketched[0].bands, self.sizes.ranges
        rows = self._before + (self.rows.height if self.wanted is None else int(self.wanted.sum()))
        bits = folder / "copies.npy"
        write_array(bits, _bits(copies[:, 1], rows), durable=self.writer.durable)
        tasks = (
            BucketsTask(
                [one.of_band(band, number) for one in sketched],
                str(bits),
                self._before,
                self.sizes.crowded,
                str(folder / f"{band:05d}-{number:04d}"),
                self.writer.durable,
            )
            for band in range(bands)
            for number in range(ranges)
        )
        return join_bands(self._phases.made("buckets", find_buckets, tasks, bands * ranges), bands, ranges)

    def _dropped(
        self, parts: list[Part], candidates: Candidates, copies: np.ndarray, scores: Callable[[], Iterable[pl.Series]]
    ) -> pl.DataFrame:
        settings, before = self.rule.settings, self._before
        ranked = families.ranked_rows(candidates, copies)
        first = settings["keep"] == "first"
        read = candidates.rows.astype(np.int64) if first else ranked
        files = self._texts(parts, read)
        order = np.arange(len(ranked))
        if not first:
            score = taken(scores(), ranked[ranked >= before] - before) if settings["keep"] == "best" else None
            order = _order(settings["keep"], files.gather(order), score, ranked < before)
        held = families.families(candidates, copies, ranked, order, before)
        folder, label = self._phases.folder("verify"), f"{self.label}: verify"
        texts = SpreadTexts(files, folder, self.sizes.compared, self.writer.durable, self.run.progress, label)
        grams = compared_grams(**{name: settings[name] for name in GRAMS})
        connected = settings["cluster"] == "connected"
        text_of = np.searchsorted(read, held.unique)  # without meaning for a row that is in no pair
        search = PairSearch(texts, text_of, held.known, grams, settings["threshold"], connected)
        return families.dropped_rows(search, candidates, held, settings["cluster"], self.sizes.most)

    def _texts(self, parts: list[Part], rows: np.ndarray) -> TextFiles:
        """Write the texts of some sorted rows; a part without such has no files."""
        folder, tasks, starts = self._phases.folder("texts"), [], []
        ends = np.searchsorted(rows, [*(part.first for part in parts), np.iinfo(np.int64).max]).tolist()
        for part, (low, high) in zip(parts, pairwise(ends), strict=True):
            if high > low:
                wanted = _bits(rows[low:high] - part.first, part.rows).tobytes()
                tasks.append(TextsTask(part, wanted, str(folder / f"{part.place:06d}"), self.writer.durable))
                starts.append(low)
        list(self._phases.made("texts", write_wanted_texts, tasks, len(tasks)))
        return TextFiles([task.path for task in tasks], starts)

    def _decide(self, parts: list[Part], dropped: pl.DataFrame) -> None:
        for files in self._phases.made("decisions", write_decisions, self._decide_tasks(parts, dropped), len(parts)):
            for file in files:
                self.writer.take_part("decisions", file)

    def _decide_tasks(self, parts: list[Part], dropped: pl.DataFrame) -> Iterator[DecideTask]:
        folder = self._phases.folder("decisions")
        numbered, ids = with_named_ids(dropped, self._ids(), self._before)
        rows, reason = dropped["row"].to_numpy(), duplicate_reason(self.rule)
        for part in parts:
            low, high = np.searchsorted(rows, [part.first, part.first + part.rows]).tolist()
            path = folder / f"{part.place:06d}-dropped.parquet" if high > low else None
            if path:
                told = duplicate_evidence(self.rule, numbered[low:high], ids)
                table = pl.DataFrame({"at": rows[low:high] - part.first, "evidence": told})
                write_table(path, table, durable=self.writer.durable)
            yield DecideTask(part, self.rows.id, str(path or ""), self.label, reason, str(folder), self.writer.durable)

    def _ids(self) -> Iterator[pl.Series]:
        done = 0
        for _, frame in self.rows.read([self.rows.id]):
            done += frame.height
            ids = frame[self.rows.id]
            yield ids if self.wanted is None else ids.filter(pl.Series(self.wanted[done - frame.height : done]))


def _bits(rows: np.ndarray, count: int) -> np.ndarray:
    """Return a bit for each of so many rows (uint8, the lowest of a byte first): set for some."""
    bits = np.zeros(count // 8 + 1, np.uint8)
    np.bitwise_or.at(bits, rows >> 3, np.left_shift(1, rows & 7).astype(np.uint8))
    return bits


def _order(keep: Any, text: pl.Series, score: pl.Series | None, known: np.ndarray) -> np.ndarray:
    """Return rows in order of priority (``clusters.priority``); ``score`` is of those that are not known."""
    none = pl.Series("score", [None], dtype=pl.Float64)
    if score is None:
        score = none.new_from_index(0, int(np.count_nonzero(~known)))
    above = none.new_from_index(0, len(text) - len(score))
    score = pl.concat([above, score.cast(pl.Float64).fill_nan(None).rename("score")])
    return priority(keep, text, score, pl.Series(known))
