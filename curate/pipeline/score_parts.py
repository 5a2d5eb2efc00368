"""Scores the rows of a stage part by part, in as many processes as there are (``curate.spread``).

A part is a file of rows, which its process reads by itself; or a table of all that the scorer reads, which is written
for it, where columns come from prompts or other scores, or candidates of a prompt must stand together. A part that is
finished outlives a killed run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from curate.pipeline.score_summary import ScoreSummary, summary_of
from curate.pipeline.scorer import Scorer, no_model_calls
from curate.spread.spread import spread
from curate.steps.find_step import find_step
from curate.storage.files import sync_all, whole_file
from curate.storage.row_set import RowSet
from curate.storage.row_spans import SpanFile, file_spans, read_span
from curate.storage.rows import BATCH, read_batches, read_groups
from curate.storage.stage import PartFile, StageWriter, write_files
from schemas.progress import Progress

FEWEST = 4 * BATCH  # rows that are worth other processes


@dataclass
class PlainScorer:
    """A built-in scorer that calls no model, as plain values: its step, and what ``Scorer`` says of it."""

    name: str
    step: str
    settings: dict[str, Any]
    reads: dict[str, tuple[str, ...]]
    where: str

    def scorer(self) -> Scorer:
        """Return the scorer."""
        return Scorer(self.name, find_step("score", self.step), self.settings, self.reads, self.where)


@dataclass
class ScorePart:
    """Rows to score.

    Attributes:
        scorer: The scorer.
        id: The name of the rows' id column.
        span: The file of the rows; or none, and
        table: a file in Arrow's format that holds just the rows and the columns that the scorer reads.
        columns: The columns to read of the span, each as the file calls it and as the scorer does.
        place: The part's number.
        folder: The folder for the scores.
        durable: Whether the scores are to be there after a power cut.
    """

    scorer: PlainScorer
    id: str
    span: list[SpanFile]
    table: str
    columns: list[tuple[str, str]]
    place: int
    folder: str
    durable: bool

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the rows in tables, as ``read_batches`` does."""
        if self.table:
            yield pl.read_ipc(self.table)
        for frame in read_span(self.span, [held for held, _ in self.columns]):
            yield from frame.select(pl.col(held).alias(name) for held, name in self.columns).iter_slices(BATCH)


@dataclass
class ScoresMade:
    """A part that is scored: its files, and the summary."""

    files: list[PartFile] = field(default_factory=list)
    summary: ScoreSummary = field(default_factory=ScoreSummary)


def plain_scorer(scorer: Scorer) -> PlainScorer | None:
    """Return a scorer as plain values; None for one that calls models, needs all rows at once, or is a user's own."""
    step = scorer.step.name
    if scorer.calls_models or scorer.scope == "table" or "." in step:
        return None
    try:
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(scorer.settings)) == scorer.settings
    except (TypeError, ValueError, OverflowError):
        plain = False
    return PlainScorer(scorer.name, step, scorer.settings, scorer.reads, scorer.where) if plain else None


def write_parts(
    writer: StageWriter, rows: RowSet, prompts: RowSet | None, scorer: Scorer, plain: PlainScorer, progress: Progress
) -> ScoreSummary:
    """Write the scores of rows; return their summary.

    Args:
        writer: The stage.
        rows: The rows to score.
        prompts: The prompts of candidates; None where ``rows`` are prompts.
        scorer: The scorer.
        plain: The scorer as plain values.
        progress: Shows how many rows are scored.

    Raises:
        ScorerFailed: As ``Scorer.values``.
    """
    writer.parts.mkdir(parents=True, exist_ok=True)
    columns = _own_columns(rows, scorer)
    inputs = (
        (([one], "") for one in file_spans(rows))
        if columns
        else (([], str(path)) for path in _written(writer.parts, rows, prompts, scorer))
    )
    tasks = (
        ScorePart(plain, rows.id, span, table, columns, place, str(writer.parts), writer.durable)
        for place, (span, table) in enumerate(inputs)
    )
    summary = ScoreSummary()
    for place, made in enumerate(spread(make_part, tasks, writer.parts, try_here=True)):
        _table(writer.parts, place).unlink(missing_ok=True)
        for file in made.files:
            writer.take_part("scores", file)
        summary.add(made.summary)
        progress.advance(made.summary.rows)
    return summary


def make_part(task: ScorePart) -> ScoresMade:
    """Score the rows of a part, and write the scores."""
    made, scorer, folder = ScoresMade(), task.scorer.scorer(), Path(task.folder)
    for slice, frame in enumerate(task.frames()):
        table, summary = score_table(scorer, frame, task.id)
        made.files += write_files(folder, f"{task.place:06d}-{slice}-scores", "scores", table)
        made.summary.add(summary)
    if task.durable:
        sync_all(Path(file.path) for file in made.files)
    return made


def score_table(
    scorer: Scorer, frame: pl.DataFrame, id: str, answer: Any = no_model_calls
) -> tuple[pl.DataFrame, ScoreSummary]:
    """Score rows.

    Args:
        scorer: The scorer.
        frame: The rows, with the columns that it reads.
        id: The name of their id's column.
        answer: Makes the model calls of the scorer.

    Returns:
        Rows of the table ``scores``, and their summary.
    """
    scored = scorer.values(frame, answer)
    return scored.select("value", "error", "detail", row_id=frame[id], scorer=pl.lit(scorer.name)), summary_of(scored)


def _own_columns(rows: RowSet, scorer: Scorer) -> list[tuple[str, str]]:
    """Return the id and the columns that a scorer reads, as the files and as it call them.

    None are returned where some are not the rows' own, or all candidates of a prompt must be seen at once.
    """
    names = list(dict.fromkeys([rows.id, *scorer.columns]))
    own = rows.columns().keys() - rows.scores.keys()
    return [(rows.file_column(name), name) for name in names] if scorer.scope == "rows" and own >= {*names} else []


def _written(folder: Path, rows: RowSet, prompts: RowSet | None, scorer: Scorer) -> Iterator[Path]:
    """Write all that a scorer reads into a file for each part; yield its path."""
    read = read_groups if scorer.scope == "prompts" else read_batches
    for place, frame in enumerate(read(rows, scorer.columns, prompts)):
        with whole_file(_table(folder, place)) as hidden:
            frame.write_ipc(hidden)
        yield _table(folder, place)


def _table(folder: Path, place: int) -> Path:
    return folder / f"{place:06d}-rows.arrow"
