"""Read the rows of a source file, each with its line or number, and the problem of each that cannot be read.

The end of a file's name says its format: ``.jsonl`` and ``.ndjson`` (also ``.gz``), ``.json`` (one list, or a row on
each line), ``.csv``, ``.parquet``. A row that cannot be read is passed on with its problem, so that the caller may
refuse the file or go on without the row; a problem with the file as a whole is a ``UserError``.
"""

import csv
import hashlib
import io
import stat
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from curate.sources.json_files import read_json, read_json_lines
from curate.sources.raw_row import Raw, arrow_rows, first_line, read_whole_text
from schemas.errors import UserError, nearest, short_repr, unknown

FORMATS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".json", ".csv", ".parquet")


def file_format(path: Path) -> str | None:
    """Return which of ``FORMATS`` a file's name ends with, or ``None``."""
    return next((ending for ending in FORMATS if path.name.lower().endswith(ending)), None)


def counts_lines(path: Path) -> bool:
    """Return whether ``Raw.line`` counts the file's lines rather than its rows."""
    return (file_format(path) or "").startswith((".jsonl", ".ndjson"))


def content_hash(path: Path) -> str:
    """Return 20 hex digits of the SHA-256 of a file's content.

    The hash is remembered within the process for as long as the file's size, modification time and inode stay the same,
    so that a run reads a large source once.
    """
    status = path.stat()
    return _content_hash(path.absolute(), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=256)
def _content_hash(path: Path, _size: int, _mtime_ns: int, _inode: int) -> str:
    """Hash a file; the further arguments only tell its versions apart in the cache."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def read_rows(path: Path) -> Iterator[Raw]:
    """Return the rows of a file, in order.

    Raises:
        UserError: The file is missing, empty, not a regular file or of no known format.
    """
    _check_file(path)
    if counts_lines(path):
        return read_json_lines(path)
    return {".json": read_json, ".csv": _read_csv, ".parquet": _read_parquet}[file_format(path) or ""](path)


def _check_file(path: Path) -> None:
    """Raise ``UserError`` unless the path is a file of a known format that is not empty."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if not path.parent.is_dir():
            raise UserError(f"{path}: no such file: there is no folder {str(path.parent)!r}") from None
        siblings = [p.name for p in path.parent.iterdir() if file_format(p)]
        raise UserError(f"{path}: no such file in {str(path.parent)!r}{nearest(path.name, siblings)}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{short_repr(str(path))}: cannot be read: {error.args[-1]}") from None
    if stat.S_ISDIR(status.st_mode):
        files = sorted(p.name for p in path.iterdir() if file_format(p))[:5]
        raise UserError(f"{path}: is a folder; expected a file" + (f", such as {', '.join(files)}" if files else ""))
    if not file_format(path):
        raise unknown("source format", path.suffix or path.name, FORMATS, str(path))
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is not a regular file; expected one that can be read twice")
    if status.st_size == 0:
        raise UserError(f"{path}: the file is empty; expected at least one row")


def _read_csv(path: Path) -> Iterator[Raw]:
    """Return the rows of a CSV file with a header; an empty field is an absent key."""
    # The default limit of 128 KiB for a field guards a parser's memory; a long conversation is longer.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    text = read_whole_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(filter(None, reader))
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None:
        raise UserError(
            f"{path}:{reader.line_num}: two columns are named {short_repr(double)}; expected each name once"
        )
    return _read_records(reader, header, last=0 if text.endswith(("\n", "\r")) else text.count("\n") + 1)


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


def _read_parquet(path: Path) -> Iterator[Raw]:
    """Return the rows of a Parquet file."""
    try:
        table = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file, or a damaged one: {first_line(error)}") from None
    return arrow_rows(table.iter_rows(named=True))
