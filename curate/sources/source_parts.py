"""A source in parts that fit in memory: which rows make a part, and how one is read by itself.

Rows with the same prompt are one prompt with the candidates of all of them (``source_tables``). A part that is read by
itself does not know the prompts of the others, so it says which ids it has, as numbers. Parts that share none are done;
the others are read again in order, each with the shared prompts of the parts before it.
"""

import hashlib
from collections import ChainMap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curate.sources.convert_columns import NONE, convert_part, digest_numbers
from curate.sources.convert_rows import Options, Problems
from curate.sources.files.raw_row import Raw, Reading
from curate.sources.files.row_blocks import Rows, cut
from curate.sources.files.spans import BYTES, IN_PARTS, MOST_OF_GROUP, ROWS, ROWS_OF, Span, span_rows, spans_of
from curate.sources.message_tables import FLAT, is_flat, joined_messages
from curate.sources.open_source import Opened
from curate.sources.source_tables import SeenPrompt, Source, Tables

MOST_TOGETHER = 80_000  # rows of a row group, about, that a process reads at once: of more, few processes have work
ENOUGH = 8  # row groups that keep processes busy, each read at once: to reach rows in one, all before them are read


@dataclass
class PartSpans:
    """A part of a source in files, and how its rows are converted.

    Attributes:
        spans: The spans that hold its rows, in order.
        name: What the source is called where the recipe gives it no name.
        shown: The source's path, as errors show it.
        file: The source's file, where it is one.
        options: How rows are converted.
    """

    spans: list[Span]
    name: str
    shown: str
    file: str | None
    options: Options


class Shared(NamedTuple):
    """What earlier parts have of the rows of a part: prompts by id, ids that exports gave, and the shared numbers."""

    prompts: dict[str, SeenPrompt]
    own_ids: dict[str, None]
    numbers: np.ndarray


@dataclass
class Part:
    """A part that was read.

    Attributes:
        source: Its tables, and what was found in it.
        problems: Its rows that cannot be read.
        reading: What the readers of its files said.
        numbers: The ids that must be the only ones of their kind in the source, as numbers.
        waiting: Prompts that count in ``Facts`` if later parts have no candidate of them either.
    """

    source: Source
    problems: Problems
    reading: Reading
    numbers: np.ndarray
    waiting: dict[str, list[str]] = field(default_factory=dict)


def parts_of(opened: Opened, options: Options) -> list[PartSpans] | None:
    """Return the parts of a source in files; None where it must be read from its beginning to its end."""
    if opened.files is None or opened.reading.split is not None:
        return None
    spans = spans_of(opened.files)
    if not spans or _has_messages(spans[0]):
        return None
    return [PartSpans(group, opened.name, opened.shown, opened.file, options) for group in _together(spans)]


def _has_messages(span: Span) -> bool:
    """Return whether the rows of a span are messages of trees, or there is none."""
    if span.kind == ROWS_OF:
        from curate.sources.files.arrow_files import column_names  # pyarrow is loaded for these files only

        if not FLAT.issubset(column_names(Path(span.path))):
            return False  # a look at a row takes the memory of a row group
    first = next(chain.from_iterable(span_rows(span, Reading())), None)
    return first is None or is_flat(first.row)


def read_together(parts: list[PartSpans]) -> list[list[PartSpans]]:
    """Return the parts in groups that one process reads, one after another: some of the same row group of a file."""
    groups: list[list[PartSpans]] = []
    spans = [part.spans[0] for part in parts if part.spans[0].kind == ROWS_OF]
    most = MOST_TOGETHER if len({(span.path, span.group) for span in spans}) < ENOUGH else MOST_OF_GROUP * ROWS
    for part in parts:
        last = groups[-1][-1].spans if groups else []
        span, before = part.spans[0], last[0] if last else None
        follows = (
            before is not None
            and len(last) == len(part.spans) == 1
            and before.kind == span.kind == ROWS_OF
            and (before.path, before.group, before.end) == (span.path, span.group, span.begin)
            and sum(one.spans[0].rows for one in groups[-1]) < most
        )
        if follows:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _together(spans: list[Span]) -> list[list[Span]]:
    """Return spans that are small as one part; lines and records are a part by themselves."""
    groups: list[list[Span]] = []
    rows = size = 0
    for span in spans:
        rows, size = rows + span.rows, size + span.size
        last = groups[-1][-1] if groups else None
        if last is None or last.kind in IN_PARTS or span.kind in IN_PARTS or rows > ROWS or size > BYTES:
            groups.append([span])
            rows, size = span.rows, span.size
        elif last.path == span.path:  # row groups that follow each other: the file is opened once
            groups[-1][-1] = last._replace(end=span.end, rows=last.rows + span.rows, size=last.size + span.size)
        else:
            groups[-1].append(span)
    return groups


def read_spans(parts: list[PartSpans], shared: Shared | None = None) -> Iterator[Part]:
    """Yield parts of a source in files; several are rows of one row group, which is read once."""
    spans = parts[0].spans
    if len(parts) > 1:
        last = parts[-1].spans[0]
        spans = [spans[0]._replace(end=last.end)]
    reading = Reading()
    blocks = chain.from_iterable(span_rows(span, reading) for span in spans)
    held = cut(blocks, (part.spans[0].rows for part in parts)) if len(parts) > 1 else [Rows(blocks)]
    for part, rows in zip(parts, held, strict=True):
        opened = Opened(iter(()), part.name, part.shown, part.file, reading)
        yield read_part(rows, opened, part.options, shared)


def read_part(rows: Rows, opened: Opened, options: Options, shared: Shared | None = None) -> Part:
    """Return a part of a source.

    Args:
        rows: Its rows.
        opened: The source.
        options: How rows are converted.
        shared: What earlier parts have of the same rows, where the part is read again.
    """
    tables, new, new_own_ids = Tables(), {}, {}
    tables.seen = ChainMap(new, shared.prompts) if shared else new
    tables.own_ids = ChainMap(new_own_ids, shared.own_ids) if shared else new_own_ids
    problems, alone = convert_part(rows, opened, options, tables, shared.numbers if shared else NONE)
    ids, own_ids = list(new), list(new_own_ids)
    numbers, own_numbers = digest_numbers(ids), _own_numbers(own_ids)
    again: set[str] = set()
    if shared:
        again = {ids[place] for place in np.flatnonzero(np.isin(numbers, shared.numbers)).tolist()}
        shared.prompts.update((one, new[one]) for one in again)
        held = np.flatnonzero(np.isin(own_numbers, shared.numbers)).tolist()
        shared.own_ids.update((own_ids[place], None) for place in held)
    source = tables.source(opened.reading, again)
    return Part(source, problems, opened.reading, np.concatenate([numbers, own_numbers, alone]), tables.waiting)


def stream_parts(rows: Iterator[Raw]) -> Iterator[Rows]:
    """Yield the rows of a source that has no spans, in parts; the trees of a table with a message a row are one."""
    first = next(rows, None)
    if first is None:
        return
    rows = chain([first], rows)
    if is_flat(first.row):
        yield Rows([list(joined_messages(rows))])
        return
    part: list[Raw] = []
    size = 0
    for raw in rows:
        part.append(raw)
        size += _size(raw.row)
        if len(part) >= ROWS or size >= BYTES:
            yield Rows([part])
            part, size = [], 0
    if part:
        yield Rows([part])


def _size(row: dict[str, Any] | None) -> int:
    """Return the characters of a row's texts, with some for each other value."""
    pending: list[Any] = [row]
    size = 0
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        else:
            size += len(value) if isinstance(value, str) else 8
    return size


def shared_numbers(parts: list[np.ndarray]) -> np.ndarray:
    """Return the numbers that more than one part has, sorted."""
    if len(parts) < 2:
        return np.zeros(0, np.uint64)
    held = np.sort(np.concatenate([np.unique(part) for part in parts]))
    return np.unique(held[1:][held[1:] == held[:-1]])


def _own_numbers(ids: Iterable[str]) -> np.ndarray:
    found = [int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest()) for one in ids]
    return np.array(found, np.uint64)


@dataclass
class Notes:
    """What the readers of the files said, put together from the parts: a note counts once for each file."""

    reading: Reading
    _file: str = ""
    _said: set[str] = field(default_factory=set)

    def add(self, found: Reading, spans: list[Span]) -> None:
        """Add what was said of a part.

        Args:
            found: What was said.
            spans: The part's spans.
        """
        lines = spans[0].kind in IN_PARTS
        if not lines or spans[0].path != self._file:
            self._file, self._said = spans[0].path if lines else "", set()
        for text, count in found.notes.items():
            self.reading.notes[text] += 0 if text in self._said else count
        for text in found.warnings:
            kind = "repeated" if "is there twice" in text else text
            if kind not in self._said:
                self.reading.warn(text)
                if lines:
                    self._said.add(kind)
        if lines:
            self._said.update(found.notes)
        self.reading.empty += found.empty
