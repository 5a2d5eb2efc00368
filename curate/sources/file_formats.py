"""Files: the rows of a source file, each with where it stands, and what is wrong with those that cannot be read.

Formats, by the end of the name: ``.jsonl`` and ``.ndjson`` (also ``.gz``), ``.json`` (one list, or a row a line),
``.csv``, ``.parquet``. A row that cannot be read is handed on with its problem, so that the caller may refuse the file
or go on without the row; what is wrong with the file as a whole is a ``UserError``.
"""

import csv
import gzip
import hashlib
import io
import json
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from schemas.errors import UserError, nearest, unknown
from schemas.messages import kind, parse, short

FORMATS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".json", ".csv", ".parquet")
WRAPPERS = ("data", "rows", "examples", "train")  # what a list of rows is often wrapped in
BOM = b"\xef\xbb\xbf"


class Raw(NamedTuple):
    """A row as it was read, or why it was not. ``line`` is the file's line, or the number of the row from 1."""

    line: int
    row: dict[str, Any] | None
    problem: str = ""
    column: int | None = None
    text: str = ""


def file_format(path: Path) -> str | None:
    """Return which of ``FORMATS`` a name ends with, or None."""
    return next((end for end in FORMATS if path.name.lower().endswith(end)), None)


def by_lines(path: Path) -> bool:
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
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def read_rows(path: Path) -> Iterator[Raw]:
    """Return the rows of a file, in order. Raises ``UserError`` where it is missing, empty or of no known format."""
    _check(path)
    ending = file_format(path)
    if by_lines(path):
        return _lines(path)
    return {".json": _json, ".csv": _csv, ".parquet": _parquet}[ending or ""](path)


def _check(path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if not path.parent.is_dir():
            raise UserError(f"{path}: no such file: there is no folder {str(path.parent)!r}") from None
        siblings = [p.name for p in path.parent.iterdir() if file_format(p)]
        raise UserError(f"{path}: no such file in {str(path.parent)!r}{nearest(path.name, siblings)}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{short(str(path))}: cannot be read: {error.args[-1]}") from None
    if stat.S_ISDIR(status.st_mode):
        held = sorted(p.name for p in path.iterdir() if file_format(p))[:5]
        raise UserError(f"{path}: is a folder; expected a file" + (f", such as {', '.join(held)}" if held else ""))
    if not file_format(path):
        raise unknown("source format", path.suffix or path.name, FORMATS, str(path))
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is not a regular file; expected one that can be read twice")
    if status.st_size == 0:
        raise UserError(f"{path}: the file is empty; expected at least one row")


def _open(path: Path) -> BinaryIO:
    try:
        return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None


def _lines(path: Path) -> Iterator[Raw]:
    offset = 0
    with _open(path) as file:
        for line, raw in _numbered(file):
            if isinstance(raw, str):
                yield Raw(line, None, raw)
                return
            body = raw.removeprefix(BOM) if line == 1 else raw
            if not body.isspace() and body:
                yield _line(line, body, offset + len(raw) - len(body))
            offset += len(raw)


def _numbered(file: BinaryIO) -> Iterator[tuple[int, bytes | str]]:
    """Return the lines of a file; where a compressed file ends early or is none, the problem as a text."""
    line = 0
    try:
        for line, raw in enumerate(file, 1):
            yield line, raw
    except (EOFError, zlib.error):
        yield line + 1, "the file looks cut off: its compressed data ends early or is damaged"
    except gzip.BadGzipFile:
        yield line + 1, "not compressed with gzip although its name ends with .gz; rename the file"


def _line(line: int, raw: bytes, offset: int) -> Raw:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return Raw(line, None, _not_utf8(raw, error.start, offset), None, raw.decode(errors="replace"))
    try:
        row = parse(text)
    except json.JSONDecodeError as error:
        cut = "" if raw.endswith(b"\n") else "; the file looks cut off: its last line is not whole"
        return Raw(line, None, f"not JSON: {_lower(error.msg)}{cut}", error.colno, text)
    except ValueError as error:
        return Raw(line, None, f"not JSON: {error}", None, text)
    if isinstance(row, dict):
        return Raw(line, row)
    hint = "; a file that holds one list of rows is named .json" if isinstance(row, list) else ""
    return Raw(line, None, f'expected a row such as {{"prompt": ...}}, found {kind(row)}{hint}', None, text)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _not_utf8(raw: bytes, start: int, offset: int) -> str:
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    hint = " (it looks like UTF-16)" if wide else ""
    return f"not UTF-8: byte 0x{raw[start]:02x} at byte {offset + start} of the file{hint}; save the file as UTF-8"


def _text(path: Path) -> str:
    """Return the whole text of a file that cannot be read in part."""
    with _open(path) as file:
        raw = file.read()
    body = raw.removeprefix(BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: {_not_utf8(body, error.start, len(raw) - len(body))}") from None
    if not text or text.isspace():
        raise UserError(f"{path}: the file is empty; expected at least one row")
    return text


def _json(path: Path) -> Iterator[Raw]:
    text = _text(path)
    if text.lstrip()[0] == "[":
        try:
            items = parse(text)
        except ValueError:
            return _elements(text)
        return (_item(number, item) for number, item in enumerate(items, 1))
    try:
        whole = parse(text)
    except ValueError:
        return _lines(path)
    if not isinstance(whole, dict):
        raise UserError(f"{path}: expected a list of rows, found {kind(whole)}")
    wrapper = next((key for key in WRAPPERS if isinstance(whole.get(key), list)), None)
    if wrapper:
        raise UserError(f"{path}: expected a list of rows, found a mapping whose {wrapper!r} is one; save that list")
    return iter([Raw(1, whole)])


def _item(number: int, item: Any) -> Raw:
    if isinstance(item, dict):
        return Raw(number, item)
    return Raw(number, None, f'expected a mapping such as {{"prompt": ...}}, found {kind(item)}', None, repr(item))


def _elements(text: str) -> Iterator[Raw]:
    """Return the rows of a list that is not whole JSON, one by one, up to the first that is broken."""
    decoder = json.JSONDecoder()
    at, number = text.index("[") + 1, 1
    try:
        while (at := _after_space(text, at)) < len(text) and text[at] != "]":
            _, end = decoder.raw_decode(text, at)
            yield _element(number, text[at:end])
            number += 1
            at = _after_space(text, end)
            if text[at : at + 1] == ",":
                at += 1
            elif text[at : at + 1] != "]":
                break
        expected = "expecting ',' or ']'" if at < len(text) and text[at] != "]" else "extra data after the list"
        problem = json.JSONDecodeError("the list does not end" if at >= len(text) else expected, text, at)
    except json.JSONDecodeError as error:
        problem = error
    except (ValueError, RecursionError) as error:
        problem = json.JSONDecodeError(f"a value cannot be read: {error}", text, at)
    cut = "" if text.rstrip().endswith("]") else "; the file looks cut off"
    found = f"not JSON at line {problem.lineno}, column {problem.colno}: {_lower(problem.msg)}{cut}"
    yield Raw(number, None, f"{found}; no row from here on can be read", None, text[at : at + 200])


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _element(number: int, text: str) -> Raw:
    try:
        return _item(number, parse(text))
    except ValueError as error:
        return Raw(number, None, f"not JSON: {error}", None, text)


def _csv(path: Path) -> Iterator[Raw]:
    # The default limit of 128 KiB a field guards a parser's memory; a long conversation is longer.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(filter(None, reader))
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not CSV: {error}") from None
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None:
        raise UserError(f"{path}:{reader.line_num}: two columns are named {short(double)}; expected each name once")
    return _records(reader, header, last=0 if text.endswith(("\n", "\r")) else text.count("\n") + 1)


def _records(reader: Any, header: list[str], last: int) -> Iterator[Raw]:
    """Return the records after the header. ``last`` is the number of a last line without a line end, else 0."""
    number = 0
    try:
        for number, values in enumerate(filter(None, reader), 1):
            if len(values) == len(header):
                yield Raw(number, {k: v for k, v in zip(header, values, strict=True) if v != ""})
                continue
            found = f"expected {len(header)} fields as in the header, found {len(values)} (line {reader.line_num})"
            cut = "; the file looks cut off" if reader.line_num == last and len(values) < len(header) else ""
            yield Raw(number, None, found + cut, None, ",".join(values))
    except csv.Error as error:
        cut = "; the file looks cut off: a quoted field does not end" if "end of data" in str(error) else ""
        yield Raw(number + 1, None, f"not CSV at line {reader.line_num}: {error}{cut}; no row from here on can be read")


def _parquet(path: Path) -> Iterator[Raw]:
    try:
        table = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file, or a damaged one: {first_line(error)}") from None
    return arrow_rows(table.iter_rows(named=True))


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error message that says something, else the error's type."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def arrow_rows(rows: Iterable[dict]) -> Iterator[Raw]:
    """Return rows from Arrow (Parquet, the datasets library) as they were before Arrow filled their gaps.

    Arrow gives every mapping of a column the keys of all of them, null where there was none; so a null key is taken
    for an absent one. NaN is taken for null.
    """
    return (Raw(number, _pruned(row)) for number, row in enumerate(rows, 1))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _pruned(v) for k, v in value.items() if v is not None and not (isinstance(v, float) and v != v)}
    if isinstance(value, list):
        return [_pruned(v) for v in value]
    return None if isinstance(value, float) and value != value else value
