"""Read CSV and TSV files with a header: fields separated by a comma, a semicolon, a tab or a vertical bar."""

import csv
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.sources.files.raw_row import Raw, Reading, read_whole_text
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
    text = read_whole_text(path)
    start, separator = _separator_line(text)
    separator = separator or _separator(text, usual)
    if separator != usual:
        reading.note(f"fields separated by {NAMES[separator]}")
    file = io.StringIO(text, newline="")
    file.seek(start)
    reader = csv.reader(file, strict=True, delimiter=separator)
    try:
        header = next(filter(None, reader), None)
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    if header is None:
        raise UserError(f"{path}: has no rows; expected a header with the names of the columns")
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None:
        raise UserError(
            f"{path}:{reader.line_num}: two columns are named {short_repr(double)}; expected each name once"
        )
    return _read_records(reader, header, last=0 if text.endswith(("\n", "\r")) else text.count("\n") + 1)


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


def _read_records(reader: Any, header: list[str], last: int) -> Iterator[Raw]:
    """Yield the records after the header. ``last`` is the number of a last line without a line end, else 0."""
    number = 0
    try:
        for number, values in enumerate(filter(None, reader), 1):
            if len(values) == len(header):
                yield Raw(number, {k: v for k, v in zip(header, values, strict=True) if v != ""})
                continue
            problem = f"expected {len(header)} fields as in the header, found {len(values)} (line {reader.line_num})"
            cut = "; the file looks cut off" if reader.line_num == last and len(values) < len(header) else ""
            yield Raw(number, None, problem + cut, None, ",".join(values))
    except csv.Error as error:
        cut = "; the file looks cut off: a quoted field does not end" if "end of data" in str(error) else ""
        yield Raw(number + 1, None, f"not CSV at line {reader.line_num}: {error}{cut}; no row from here on can be read")
