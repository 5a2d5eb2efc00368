"""Read CSV and TSV files with a header: fields separated by a comma, a semicolon, a tab or a vertical bar."""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from curate.sources.files.compressed import LONGEST_LINE
from curate.sources.files.raw_row import NoRows, Raw, Reading, TextFile, read_whole_text
from schemas.errors import UserError
from schemas.messages import short_repr

BEGINNING = 2**20  # characters in which the header and the first record are looked for
NAMES = {",": "a comma", ";": "';'", "\t": "a tab", "|": "'|'"}


def read_csv(path: Path, reading: Reading) -> Iterator[Raw]:
    """Return the rows of a CSV file; an empty field is an absent key."""
    return _read(path, reading, ",")


def read_tsv(path: Path, reading: Reading) -> Iterator[Raw]:
    """Return the rows of a file whose fields are separated by tabs; an empty field is an absent key."""
    return _read(path, reading, "\t")


class Head(NamedTuple):
    """The beginning of a file: what separates its fields, and its header.

    Attributes:
        separator: The character between fields.
        usual: Whether it is the one that the file's name says.
        first: How many lines come before the header's record: Excel's ``sep=;``.
        header: The names of the columns.
        lines: How many lines the header ends after, those before it included.
    """

    separator: str
    usual: bool
    first: int
    header: list[str]
    lines: int


class TooLong(Exception):
    """A line that is longer than ``LONGEST_LINE``."""


class Lines:
    """The lines of a file, as a ``csv.reader`` takes them; ``open`` is whether the latest of them has no line end."""

    def __init__(self, path: Path, reading: Reading) -> None:
        self._file, self.open = TextFile(path, reading), False

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._file.line(LONGEST_LINE)
        if not line:
            raise StopIteration
        if len(line) == LONGEST_LINE:
            raise TooLong
        self.open = not line.endswith(("\n", "\r"))
        return line


def _read(path: Path, reading: Reading, usual: str) -> Iterator[Raw]:
    head = read_head(path, reading, usual)

    def from_start() -> tuple[Any, Lines]:
        lines = Lines(path, reading)
        deque(islice(lines, head.first), maxlen=0)
        return csv.reader(lines, strict=True, delimiter=head.separator), lines

    return _records_of_file(path, head, reading, from_start)


def note_separator(head: Head, reading: Reading) -> None:
    """Note what separates the fields where it is another character than the file's name says."""
    if not head.usual:
        reading.note(f"fields separated by {NAMES[head.separator]}")


def read_head(path: Path, reading: Reading, usual: str) -> Head:
    """Return the beginning of a CSV file.

    Args:
        path: The file.
        reading: Gets what is to be said of the file.
        usual: The character that separates the fields of most files of that name.

    Raises:
        UserError: There is no header, or it names a column twice.
    """
    # The default limit of 128 KiB for a field guards a parser's memory; a long conversation is longer.
    csv.field_size_limit(LONGEST_LINE)
    text = TextFile(path, reading).read(BEGINNING)
    if not text or text.isspace():
        text = read_whole_text(path, reading)[:BEGINNING]
    start, separator = _separator_line(text)
    separator = separator or _separator(text, usual)
    first = 1 if start else 0
    lines = Lines(path, reading)
    deque(islice(lines, first), maxlen=0)
    reader = csv.reader(lines, strict=True, delimiter=separator)
    try:
        header = next(filter(None, reader), None)
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    except TooLong:
        raise UserError(f"{path}:{reader.line_num + 1}: {_too_long()}") from None
    if header is None:
        raise NoRows(f"{path}: has no rows; expected a header with the names of the columns")
    if not any(header):
        raise UserError(f"{path}:{reader.line_num}: the header names no column; expected the names of the columns")
    double = next((name for name in header if name and header.count(name) > 1), None)
    if double is not None:
        raise UserError(
            f"{path}:{reader.line_num}: two columns are named {short_repr(double)}; expected each name once"
        )
    return Head(separator, separator == usual, first, header, first + reader.line_num)


def _too_long() -> str:
    return f"the line is longer than {LONGEST_LINE:,} characters"


def _separator_line(text: str) -> tuple[int, str]:
    """Return what a first line ``sep=;``, says (Excel's), and where the next line begins; else ``(0, "")``."""
    line = re.match(r"sep=([,;\t|])\r?\n", text)
    return (line.end(), line[1]) if line else (0, "")


def _separator(text: str, usual: str) -> str:
    """Return the character that separates the fields.

    It is another than the usual one where the header has just one column by the usual one, and several by the other,
    and the record after the header has as many.
    """
    best, most = usual, 1
    for separator in (usual, *NAMES):
        counts = [len(record) for record in _first_records(text, separator)]
        if separator == usual and (not counts or counts[0] > 1):
            return usual
        if len(set(counts)) == 1 and counts[0] > most:
            best, most = separator, counts[0]
    return best


def _first_records(text: str, separator: str) -> list[list[str]]:
    """Return the header and the record after it, as far as they can be read."""
    records: list[list[str]] = []
    head = io.StringIO(text[:BEGINNING], newline="")
    try:
        for record in filter(None, csv.reader(head, strict=True, delimiter=separator)):
            records.append(record)
            if len(records) == 2:
                break
    except csv.Error:
        pass
    return records


class _Records:
    """The records of a reader whose header has several columns without a name, as a spreadsheet leaves them behind."""

    def __init__(self, reader: Any, header: list[str], path: Path) -> None:
        self._reader, self._path, self._held = reader, path, -1
        self._unnamed = [index for index, name in enumerate(header) if not name]

    def __iter__(self) -> "_Records":
        return self

    def __next__(self) -> list[str]:
        """Return the next record; raise ``UserError`` where two columns without a name hold values."""
        values = next(self._reader)
        for index in self._unnamed:
            if index < len(values) and values[index] and index != self._held:
                if self._held >= 0:
                    raise UserError(
                        f"{self._path}:{self.line_num}: the columns {self._held + 1} and {index + 1} hold values, and "
                        "have no name; name each column in the header"
                    )
                self._held = index
        return values

    @property
    def line_num(self) -> int:
        """The line that was read last."""
        return self._reader.line_num


def _records_of_file(
    path: Path, head: Head, reading: Reading, from_start: Callable[[], tuple[Any, Lines]]
) -> Iterator[Raw]:
    """Yield the records after the header.

    Args:
        path: The file.
        head: Its beginning.
        reading: Gets what is to be said of the file.
        from_start: Makes a reader of the header and the records, and the lines that it reads.
    """
    note_separator(head, reading)  # not before it is read: a file may be opened, and then be read in blocks
    header = head.header
    reader, lines = from_start()
    next(filter(None, reader), None)
    reader = _Records(reader, header, path) if header.count("") > 1 else reader
    number = 0
    try:
        for raw in read_records(reader, header, lambda: lines.open, lines=head.first):
            number = raw.line
            yield raw
    except csv.Error as error:
        good, _ = from_start()
        held = any if len(header) > 1 else None
        deque(islice(filter(held, good), number + 1), maxlen=0)  # the header, and the records that were read
        line, unclosed = head.first + good.line_num, "end of data" in str(error) or "field limit" in str(error)
        cut = (
            f"; the file looks cut off, or a quoted field that begins after line {line} does not end"
            if unclosed
            else ""
        )
        problem = f"not CSV at line {head.first + reader.line_num}: {error}{cut}; no row from here on can be read"
        yield Raw(number + 1, None, problem, rest_lost=f"line {line}")
    except TooLong:
        line = head.first + reader.line_num
        problem = f"{_too_long()} (line {line + 1}); no row from here on is read"
        yield Raw(number + 1, None, problem, rest_lost=f"line {line}")


def read_records(
    reader: Any, header: list[str], is_open: Callable[[], bool], number: int = 0, lines: int = 0, file: str = ""
) -> Iterator[Raw]:
    """Yield records.

    Args:
        reader: The records.
        header: The names of the columns.
        is_open: Says whether the latest line has no line end.
        number: How many records come before.
        lines: How many lines of the file come before.
        file: The file's name, where the source has several.
    """
    width = len(header)
    held = any if width > 1 else None  # a line of separators alone is a blank line of a spreadsheet
    for at, values in enumerate(filter(held, reader), number + 1):
        if len(values) != width:
            if any(values[width:] or header[len(values) :]):  # else the separators at the end are too many or few
                yield _wrong_width(at, values, header, lines + reader.line_num, is_open(), file)
                continue
            values += [""] * (width - len(values))
        yield Raw(at, {k: v for k, v in zip(header, values, strict=False) if v != ""}, "", None, "", file)


def _wrong_width(number: int, values: list[str], header: list[str], line: int, is_open: bool, file: str) -> Raw:
    problem = f"expected {len(header)} fields as in the header, found {len(values)} (line {line})"
    cut = "; the file looks cut off" if is_open and len(values) < len(header) else ""
    return Raw(number, None, problem + cut, None, ",".join(values), file)
