"""A row as a source file holds it, and the parts that the readers of several file formats share."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from curate.sources.files.compressed import open_file, unpacked_size_limit
from curate.sources.files.splits import ALL, TRAIN, canonical
from schemas.errors import SettingError, UserError

BOM = b"\xef\xbb\xbf"
CHUNK = 2**20
SHOWN = 5  # names in a note
OVER_LINES = "rows over several lines"  # a note


class Raw(NamedTuple):
    """A row as it was read, or the reason why it could not be read.

    Attributes:
        line: The line in the file, or the number of the row from 1 (``file_formats.counts_lines`` says which).
        row: The row; ``None`` where it could not be read.
        problem: What is wrong with a row that could not be read.
        column: The column in the line at which the problem is, if known.
        text: The text of a row that could not be read, or its beginning.
        file: The file of the row among the files of its source; empty where the source is one file, or none.
        rest_lost: Where the reading of the file ends early, such as ``line 101``; else the empty text.
    """

    line: int
    row: dict[str, Any] | None
    problem: str = ""
    column: int | None = None
    text: str = ""
    file: str = ""
    rest_lost: str = ""


@dataclass
class Reading:
    """The split that a source asks the readers of its files for, and their notes and warnings for the user.

    Attributes:
        split: The split to read where a file or a folder holds several; ``None`` for ``train``, and where the files
            are those of a split already.
        notes: What a reader decided about a file, each with the number of files.
        warnings: What a user should look at.
        empty: The files among several that hold no row.
    """

    split: str | None = None
    notes: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note about one file."""
        self.notes[text] += 1

    def warn(self, text: str) -> None:
        """Add a warning about one file."""
        if text not in self.warnings:
            self.warnings.append(text)

    def without_splits(self, where: str) -> None:
        """Raise ``UserError`` where a split is asked for that is not ``train``, of what holds no splits."""
        if self.split is not None and canonical(self.split) not in (TRAIN, ALL):
            raise SettingError(
                f"{where}: no split {self.split!r}: neither the names of files nor the file itself name splits; "
                "leave 'split' out, or name the files that are meant with a pattern"
            )

    def texts(self) -> tuple[str, ...]:
        """Return the notes, with the number of files where there are several."""
        notes = [f"{text} ({count:,} files)" if count > 1 else text for text, count in self.notes.items()]
        return (*notes, f"left out, being empty: {shown_names(self.empty)}") if self.empty else tuple(notes)


class NoRows(UserError):
    """A file holds nothing; among several files it is left out."""


def after(what: str, number: int) -> str:
    """Return where the reading of a file ends early: ``line 7``, or ``the beginning``."""
    return f"{what} {number:,}" if number > 0 else "the beginning"


def shown_names(names: list[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def renamed(rows: Callable[[], Iterable[Raw]], path: Path, shown: str) -> Iterator[Raw]:
    """Yield rows; an error names what was downloaded as the user does, in place of the path it was written to."""
    try:
        yield from rows()
    except UserError as error:
        raise type(error)(str(error).replace(str(path), shown)) from None


class TextFile:
    """A file of text that is read piece by piece."""

    def __init__(self, path: Path, reading: Reading) -> None:
        """Open the file; raise ``UserError`` where it cannot be read. ``reading`` gets what is to be said of it."""
        self._path, self._reading = path, reading
        self._file = open_file(path)
        try:
            self._text = self._file.text()
        except self._file.errors as error:
            raise UserError(f"{path}: {self._file.problem(error)}") from None

    def read(self, size: int) -> str:
        """Return the next characters, at most ``size``; raise ``UserError`` where they are no UTF-8 or unreadable."""
        return self._next(self._text.read, size)

    def line(self, size: int) -> str:
        """Return the next line, or its first ``size`` characters; raises as ``read`` does."""
        return self._next(self._text.readline, size)

    def _next(self, how: Callable[[int], str], size: int) -> str:
        try:
            found = how(size)
        except UnicodeDecodeError:
            read_whole_text(self._path, Reading())  # says where
            raise
        except self._file.errors as error:
            raise UserError(f"{self._path}: {self._file.problem(error)}") from None
        if not found and self._file.followed:
            self._reading.warn(f"{self._path.name}: {self._file.followed}")
        return found


def read_whole_text(path: Path, reading: Reading) -> str:
    """Return the text of a file that cannot be read in parts; raise ``UserError`` where it is empty or not UTF-8."""
    parts, size, limit = [], 0, unpacked_size_limit(path)
    with open_file(path) as file:
        try:
            while part := file.read(CHUNK if file.method else -1):
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise UserError(
                        f"{path}: unpacks to more than {limit:,} bytes, and must be held whole in memory; "
                        "save it as JSON Lines (.jsonl), which is read row by row"
                    )
        except file.errors as error:
            raise UserError(f"{path}: {file.problem(error)}") from None
        if file.followed:
            reading.warn(f"{path.name}: {file.followed}")
    raw = b"".join(parts)
    body = raw.removeprefix(BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: {not_utf8(body, error.start, len(raw) - len(body))}") from None
    if not text or text.isspace():
        raise NoRows(f"{path}: the file is empty; expected at least one row")
    return text


def not_utf8(raw: bytes, start: int, offset: int) -> str:
    """Return the problem of bytes that are not UTF-8 at ``start``; ``offset`` is where they begin in the file."""
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    hint = " (it looks like UTF-16)" if wide else ""
    return f"not UTF-8: byte 0x{raw[start]:02x} at byte {offset + start} of the file{hint}; save the file as UTF-8"


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error message that is not blank, else the name of the error's type."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def arrow_rows(rows: Iterable[dict]) -> Iterator[Raw]:
    """Yield rows from Arrow (Parquet, the datasets library) without the keys that Arrow added.

    Arrow gives every mapping of a column the keys of all of them, null where there was none; so a null key is taken
    for an absent one. NaN is taken for null.
    """
    return (Raw(number, without_nulls(row)) for number, row in enumerate(rows, 1))


def without_nulls(value: Any) -> Any:
    """Return a value without the null and NaN keys of its mappings, at any depth; NaN elsewhere becomes ``None``."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None and not _is_nan(v)}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return None if _is_nan(value) else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value
