"""Read CSV and TSV files with a header: fields separated by a comma, a semicolon, a tab or a vertical bar."""

import csv
import io
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from curate.sources.files.raw_row import NoRows, Raw, Reading, read_whole_text
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


def _read(path: Path, reading: Reading, usual: str) -> Iterator[Raw]:
    # The default limit of 128 KiB for a field guards a parser's memory; a long conversation is longer.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    text = read_whole_text(path, reading)
    start, separator = _separator_line(text)
    separator = separator or _separator(text, usual)
    if separator != usual:
        reading.note(f"fields separated by {NAMES[separator]}")

    def from_start() -> Any:
        file = io.StringIO(text, newline="")
        file.seek(start)
        return csv.reader(file, strict=True, delimiter=separator)

    reader = from_start()
    try:
        header = next(filter(None, reader), None)
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    if header is None:
        raise NoRows(f"{path}: has no rows; expected a header with the names of the columns")
    if not any(header):
        raise UserError(f"{path}:{reader.line_num}: the header names no column; expected the names of the columns")
    double = next((name for name in header if name and header.count(name) > 1), None)
    if double is not None:
        raise UserError(
            f"{path}:{reader.line_num}: two columns are named {short_repr(double)}; expected each name once"
        )
    reader = _Records(reader, header, path) if header.count("") > 1 else reader
    last = 0 if text.endswith(("\n", "\r")) else text.count("\n") + 1
    return _read_records(reader, header, last, from_start)


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


def _read_records(reader: Any, header: list[str], last: int, from_start: Callable[[], Any]) -> Iterator[Raw]:
    """Yield the records after the header.

    Args:
        reader: The records.
        header: The names of the columns.
        last: The number of a last line without a line end, else 0.
        from_start: Makes a reader of the header and the records.
    """
    number, width = 0, len(header)
    held = any if width > 1 else None  # a line of separators alone is a blank line of a spreadsheet
    try:
        for number, values in enumerate(filter(held, reader), 1):
            if len(values) != width:
                if any(values[width:] or header[len(values) :]):  # else the separators at the end are too many or few
                    yield _wrong_width(number, values, header, reader.line_num, last)
                    continue
                values += [""] * (width - len(values))
            yield Raw(number, {k: v for k, v in zip(header, values, strict=False) if v != ""})
    except csv.Error as error:
        good = from_start()
        deque(islice(filter(held, good), number + 1), maxlen=0)  # the header, and the records that were read
        line, unclosed = good.line_num, "end of data" in str(error)
        cut = (
            f"; the file looks cut off, or a quoted field that begins after line {line} does not end"
            if unclosed
            else ""
        )
        problem = f"not CSV at line {reader.line_num}: {error}{cut}; no row from here on can be read"
        yield Raw(number + 1, None, problem, rest_lost=f"line {line}")


def _wrong_width(number: int, values: list[str], header: list[str], line: int, last: int) -> Raw:
    problem = f"expected {len(header)} fields as in the header, found {len(values)} (line {line})"
    cut = "; the file looks cut off" if line == last and len(values) < len(header) else ""
    return Raw(number, None, problem + cut, None, ",".join(values))
