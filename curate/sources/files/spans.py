"""Cut the files of a source into spans that are read by themselves: lines of a file, rows of Parquet, or a small file.

Where a span begins and ends depends on the files alone. A file that cannot be cut so, because it is compressed or its
rows go over lines, and is not small, has no spans: it is read from its beginning to its end.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curate.sources.files.compressed import LONGEST_LINE, MAGIC, compression_ending
from curate.sources.files.csv_blocks import Block as Records
from curate.sources.files.csv_blocks import block_rows, blocks_of
from curate.sources.files.file_formats import LINES, file_format, read_rows
from curate.sources.files.json_blocks import rows_of_lines
from curate.sources.files.json_files import numbered_rows, read_json_lines
from curate.sources.files.raw_row import OVER_LINES, NoRows, Raw, Reading
from curate.sources.files.row_blocks import Block, in_blocks, named
from curate.sources.files.source_files import Files
from schemas.errors import UserError

BYTES = 2**24  # of the lines of a span, about
MOST_LINES = 60_000  # of a span, about: short rows take several times the memory of their bytes
ROWS = 20_000  # rows of a span of Parquet, at most
MOST_OF_GROUP = 25  # spans of a row group; to reach rows in it, all before them are read
LARGE_GROUP = 2**26  # bytes of a row group whose pages may be as large, and take their memory while it is read
SMALL = 2**25  # bytes of a file that is read whole
SMALL_PACKED = 2**21  # bytes of a compressed one
MOST_SMALL = 4 * MOST_LINES  # lines of a file that is read whole although it could be cut: they take some 300 MB
SHORTEST = 8  # bytes of a row
BLOCK = 2**20
LINE_END = 10


class Span(NamedTuple):
    """Rows of a file that follow each other.

    Attributes:
        path: The file.
        file: Its name, where the source has several.
        kind: What it is: ``LINES_OF``, ``RECORDS_OF`` CSV, ``ROWS_OF`` Parquet, or ``WHOLE``.
        begin: The first byte of the lines, or how many rows of the file come before.
        end: The byte or the row behind the last.
        number: How many lines or rows of the file come before.
        rows: How many lines or rows there are; 0 where that is not known.
        size: Their bytes, about.
        group: The number of their row group in a Parquet file.
        lines: How many lines of a CSV file come before.
    """

    path: str
    file: str
    kind: str
    begin: int
    end: int
    number: int
    rows: int
    size: int
    group: int = 0
    lines: int = 0


LINES_OF, RECORDS_OF, ROWS_OF, WHOLE = "lines", "records", "rows", "whole"
IN_PARTS = (LINES_OF, RECORDS_OF)  # each span is a part by itself
USUAL = {".csv": ",", ".tsv": "\t"}  # what separates the fields


def spans_of(files: Files) -> list[Span] | None:
    """Return the spans of a source's files in order; None where one of them has none, or all are one small file."""
    spans: list[Span] = []
    for name, path in files.paths():
        found = _file_spans(path, name)
        if found is None:
            return None
        spans += found
    return spans if len(spans) > 1 else None


def _file_spans(path: Path, name: str) -> list[Span] | None:
    size, ending = path.stat().st_size, file_format(path)
    packed = bool(compression_ending(path.name))
    if size > (SMALL_PACKED if packed else SMALL) or ending == ".parquet":
        return _cut(path, name, size)
    cut = _cut(path, name, size) if size > MOST_SMALL * SHORTEST and not packed else None
    if cut and sum(span.rows for span in cut) > MOST_SMALL:
        return cut
    return [Span(str(path), name, WHOLE, 0, size, 0, 0, size)]


def _cut(path: Path, name: str, size: int) -> list[Span] | None:
    """Return the spans of a file that is cut; None where it cannot be."""
    ending, packed = file_format(path), bool(compression_ending(path.name))
    if ending in LINES and not packed:
        return _line_spans(path, name, size)
    if ending in USUAL and not packed:
        return _record_spans(path, name, USUAL[ending])
    return _row_spans(path, name) if ending == ".parquet" else None


def _line_spans(path: Path, name: str, size: int) -> list[Span] | None:
    """Return the spans of a file with a row on each line; None where its first row is not one, or a line is too long.

    The file is read once, to count its lines.
    """
    said = Reading()
    try:
        first = next(read_json_lines(path, said), None)
    except UserError:
        return None
    if first is None or first.row is None or OVER_LINES in said.notes:
        return None
    spans: list[Span] = []
    with path.open("rb") as file:
        if any(file.read(8).startswith(magic) for magic in MAGIC):
            return None
        begin, number, step = 0, 0, BYTES
        while begin < size:
            file.seek(min(begin + step, size))
            longest = LONGEST_LINE - BYTES  # with what the line may have before this place
            rest = file.readline(longest)
            end = file.tell()
            if len(rest) == longest:
                return None
            lines = _count_lines(file, begin, end)
            if lines > MOST_LINES and step > BLOCK:
                step = max(step * MOST_LINES // lines, BLOCK)
                continue
            spans.append(Span(str(path), name, LINES_OF, begin, end, number, lines, end - begin))
            begin, number = end, number + lines
    return spans


def _count_lines(file: io.BufferedReader, begin: int, end: int) -> int:
    file.seek(begin)
    count, left = 0, end - begin
    while left and (block := file.read(min(left, BLOCK))):
        count, left = count + int(np.count_nonzero(np.frombuffer(block, np.uint8) == LINE_END)), left - len(block)
    return count


def _record_spans(path: Path, name: str, usual: str) -> list[Span] | None:
    """Return the spans of a CSV file; None where it cannot be cut."""
    found = [
        Span(str(path), name, RECORDS_OF, one.begin, one.end, one.number, one.rows, one.end - one.begin, 0, one.lines)
        for one in blocks_of(path, usual, BYTES, MOST_LINES) or ()
    ]
    return found or None


def _row_spans(path: Path, name: str) -> list[Span] | None:
    """Return the spans of a Parquet file; None where it is damaged, which its reader says, or has huge row groups."""
    from curate.sources.files.arrow_files import row_groups  # pyarrow is loaded for these files only

    spans: list[Span] = []
    number = 0
    for group, (rows, size) in enumerate(row_groups(path)):
        if rows > MOST_OF_GROUP * ROWS:
            return None
        most = ROWS // 2 if size > LARGE_GROUP else ROWS
        step = min(most, -(-rows // min(MOST_OF_GROUP, 1 + size // BYTES)) or 1)
        for begin in range(number, number + rows, step):
            count = min(step, number + rows - begin)
            part = size * count // rows
            spans.append(Span(str(path), name, ROWS_OF, begin, begin + count, begin, count, part, group))
        number += rows
    return spans or None


def span_rows(span: Span, reading: Reading) -> Iterator[Block]:
    """Return the rows of a span in blocks, numbered as in their file."""
    rows = _rows(span, reading)
    return (named(block, span.file) for block in rows) if span.file else rows


def _rows(span: Span, reading: Reading) -> Iterator[Block]:
    path = Path(span.path)
    if span.kind == LINES_OF:
        with path.open("rb") as file:
            file.seek(span.begin)
            lines = file.read(span.end - span.begin)
        rows = rows_of_lines(lines, span.number, span.file)
        if rows is not None:
            return iter([rows])
        return in_blocks(numbered_rows(enumerate(io.BytesIO(lines), span.number + 1), path, reading, span.begin))
    if span.kind == RECORDS_OF:
        records = Records(span.begin, span.end, span.number, span.rows, span.lines)
        return block_rows(path, records, USUAL[file_format(path) or ""], span.file, reading)
    if span.kind == WHOLE:
        return in_blocks(_whole(path, span.file, reading))
    from curate.sources.files.arrow_files import read_some

    return read_some(path, span.begin, span.end)


def _whole(path: Path, name: str, reading: Reading) -> Iterator[Raw]:
    raw = None
    try:
        for raw in read_rows(path, reading):
            yield raw
    except NoRows:
        if not name:
            raise
    if raw is None and name:
        reading.empty.append(name)
