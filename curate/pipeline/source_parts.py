"""Writes the rows of a source part by part, so that memory does not grow with it: in several processes where it can.

Each part is read and written by itself. Then the parts that share prompts are read again, one after another
(``curate.sources.source_parts``), and all files get their names, in the order of the rows.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from pathlib import Path

import numpy as np
import polars as pl

from curate.sources.convert_rows import Problems, no_collecting
from curate.sources.facts import Facts
from curate.sources.files.raw_row import Reading
from curate.sources.files.same_file import check_mark, mark_of
from curate.sources.files.spans import Span
from curate.sources.open_source import Opened
from curate.sources.read_source import SourceOptions, opened_source
from curate.sources.source_parts import (
    Notes,
    Part,
    PartSpans,
    Shared,
    parts_of,
    read_part,
    read_spans,
    read_together,
    shared_numbers,
    stream_parts,
)
from curate.spread.spread import spread
from curate.storage.files import sync_all
from curate.storage.stage import PartFile, StageWriter, write_files
from schemas.progress import Progress


@dataclass
class PartTask:
    """Parts to read and to write.

    Attributes:
        parts: Where they are in the source.
        place: The number of the first.
        folder: The folder for their files.
        label: The stage's label.
        durable: Whether the files are to be there after a power cut.
        marks: The marks of their files where the run is (``curate.sources.files.same_file``).
    """

    parts: list[PartSpans]
    place: int
    folder: str
    label: str
    durable: bool = False
    marks: list[str] = field(default_factory=list)


@dataclass
class PartMade:
    """A part that is written: its files by table, and what was found in it (``Part``)."""

    files: dict[str, list[PartFile]]
    facts: Facts
    problems: Problems
    reading: Reading
    numbers: bytes


def write_parts(writer: StageWriter, source: SourceOptions, label: str, progress: Progress) -> Facts:
    """Write a source's tables; return what was found in it.

    Args:
        writer: The stage.
        source: The source, and how it is read.
        label: The stage's label, for decisions.
        progress: Shows how many rows are read.

    Raises:
        UserError: The source cannot be read.
    """
    folder = writer.parts
    folder.mkdir(parents=True, exist_ok=True)
    opened = opened_source(source)
    spans = parts_of(opened, source.options(opened)) if source.limit is None else None
    made: list[PartMade] = []
    first = _in_files(spans, folder, label, writer.durable) if spans else _in_stream(source, opened, folder, label)
    progress.begin(label, sum(span.rows for part in spans for span in part.spans) or None if spans else None)
    with closing(first):
        for one in first:
            made.append(one)
            progress.advance(one.problems.total)
    waiting = _read_shared_again(made, source, spans, folder, label)
    problems, facts, notes = Problems(), Facts(), Notes(opened.reading)
    for place, one in enumerate(made):
        problems.add(one.problems)
        facts.add(one.facts)
        if spans:
            notes.add(one.reading, spans[place].spans)
    problems.refuse(opened, source.on_error, source.fields)
    for name, count in waiting.items():
        setattr(facts, name, getattr(facts, name) + count)
    for one in made:
        for table, files in one.files.items():
            for file in files:
                writer.take_part(table, file)
    facts.notes, facts.warnings = opened.reading.texts(), tuple(opened.reading.warnings)
    return facts


def make_parts(task: PartTask) -> list[PartMade]:
    """Read parts of a source in files, and write their tables.

    Raises:
        UserError: A file is not the one that the run found; a row cannot be read.
        OSError: There is no such file here.
    """
    for span, mark in zip(_marked(task.parts), task.marks, strict=False):
        check_mark(span, mark)
    with no_collecting():
        parts = enumerate(read_spans(task.parts), task.place)
        made = [_written(part, place, Path(task.folder), task.label) for place, part in parts]
    if task.durable:
        sync_all(Path(file.path) for one in made for files in one.files.values() for file in files)
    return made


def _in_files(parts: list[PartSpans], folder: Path, label: str, durable: bool) -> Generator[PartMade]:
    groups = read_together(parts)
    places = accumulate(map(len, groups), initial=0)
    tasks = (
        PartTask(group, place, str(folder), label, durable, [mark_of(span) for span in _marked(group)])
        for group, place in zip(groups, places, strict=False)
    )
    with closing(spread(make_parts, tasks, folder)) as made:
        yield from chain.from_iterable(made)


def _marked(parts: list[PartSpans]) -> list[Span]:
    """Return the spans whose marks are compared: several parts that are read together are of one file."""
    return parts[0].spans


def _in_stream(source: SourceOptions, opened: Opened, folder: Path, label: str) -> Generator[PartMade]:
    options = source.options(opened)
    for place, rows in enumerate(stream_parts(islice(opened.rows, source.limit))):
        yield _written(read_part(rows, opened, options), place, folder, label)


def _written(part: Part, place: int, folder: Path, label: str) -> PartMade:
    """Write a part's tables; those without rows are not written, but the first of ``prompts``."""
    files = {}
    for table, rows in part.source.tables.items():
        if table == "decisions":
            rows = rows.with_columns(stage=pl.lit(label))
        if rows.height or (table == "prompts" and place == 0):
            files[table] = write_files(folder, f"{place:06d}-{table}", table, rows)
    return PartMade(files, part.source.facts, part.problems, part.reading, part.numbers.tobytes())


def _read_shared_again(
    made: list[PartMade], source: SourceOptions, spans: list[PartSpans] | None, folder: Path, label: str
) -> dict[str, int]:
    """Read the parts again that share prompts or exported ids, in order, in place of what was written of them.

    Returns:
        What to add to ``Facts`` for the shared prompts that have no candidate in any part.
    """
    parts = [np.frombuffer(one.numbers, np.uint64) for one in made]
    numbers = shared_numbers(parts)
    if not numbers.size:
        return {}
    shared, waiting = Shared({}, {}, numbers), dict[str, list[str]]()
    again = folder / "again"  # what was written first stays, for a run that goes on where this one ended
    again.mkdir(exist_ok=True)
    sharing = {place for place, part in enumerate(parts) if np.isin(part, numbers).any()}
    for place, read in _again(sharing, source, spans):
        part = read(shared)
        made[place] = _written(part, place, again, label)
        for name, ids in part.waiting.items():
            waiting.setdefault(name, []).extend(ids)
    return {name: sum(not shared.prompts[one].count for one in ids) for name, ids in waiting.items()}


def _again(
    places: set[int], source: SourceOptions, spans: list[PartSpans] | None
) -> Iterator[tuple[int, Callable[[Shared], Part]]]:
    """Yield the place of each part to read again, and what reads it."""
    if spans:
        for place in sorted(places):
            yield place, lambda shared, part=spans[place]: next(read_spans([part], shared))
        return
    opened = opened_source(source)
    options = source.options(opened)
    for place, rows in enumerate(stream_parts(islice(opened.rows, source.limit))):
        if place in places:
            yield place, lambda shared, rows=rows: read_part(rows, opened, options, shared)
