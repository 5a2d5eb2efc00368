"""Cut a CSV file into blocks of whole records, and read a block by itself, by looking at all its signs at once.

A quote may stand anywhere in a field that does not begin with one, and then says nothing of where a record ends. So a
file is cut only where each quote opens a field, closes one, or stands beside another within one; and where no line
ends with a carriage return alone. Such a file is read as Python's ``csv`` reads it.
"""

import csv
import io
from collections.abc import Iterator
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curate.sources.files.csv_files import Head, note_separator, read_head, read_records
from curate.sources.files.raw_row import CHUNK, Raw, Reading, not_utf8
from curate.sources.files.row_blocks import Block as RowBlock
from curate.sources.files.row_blocks import Columns, in_blocks
from schemas.errors import UserError

QUOTE, LINE_END, RETURN = 34, 10, 13
MOST_SHORT = 100_000  # records of a block that are looked at one by one, for they may hold nothing


class Block(NamedTuple):
    """Records of a file that follow each other.

    Attributes:
        begin: The first byte.
        end: The byte behind the last.
        number: How many records of the file come before that hold something.
        rows: How many records there are that do.
        lines: How many lines of the file come before.
    """

    begin: int
    end: int
    number: int
    rows: int
    lines: int


class _Signs(NamedTuple):
    """Where the signs of some whole records are: quotes, the line ends behind records, all line ends; and the end."""

    bytes: np.ndarray
    quotes: np.ndarray
    ends: np.ndarray
    lines: int
    end: int


def blocks_of(path: Path, usual: str, size: int, most: int) -> list[Block] | None:
    """Return the blocks of a CSV file; None where it cannot be cut, or must be read from its beginning.

    The file is read once, to count its records.

    Args:
        path: The file.
        usual: What separates the fields of files of this name.
        size: How many bytes a block has, about.
        most: How many records it has, about, unless they are few bytes.
    """
    try:
        head = read_head(path, Reading(), usual)
    except UserError:
        return None
    if head.header.count("") > 1:
        return None
    whole, number = path.stat().st_size, 0
    blocks: list[Block] = []
    with path.open("rb") as file:
        before = b"".join(file.readline() for _ in range(head.lines))
        if RETURN in before.replace(b"\r\n", b""):
            return None  # a carriage return alone, which ends a line too: the header ends elsewhere
        begin, lines = len(before), head.lines
        while begin < whole:
            file.seek(begin)
            block = file.read(size)
            signs = _signs(block, ord(head.separator), begin + len(block) >= whole)
            rows = _count(block, signs, head) if signs is not None else None
            if signs is None or rows is None:
                return None
            if rows > most and size > CHUNK:
                size = max(size * most // rows, CHUNK)
                continue
            blocks.append(Block(begin, begin + signs.end, number, rows, lines))
            begin, number, lines = begin + signs.end, number + rows, lines + signs.lines
    return blocks or None


def block_rows(path: Path, block: Block, usual: str, file: str, reading: Reading) -> Iterator[RowBlock]:
    """Yield the rows of a block, in blocks of rows.

    Args:
        path: The file.
        block: The block.
        usual: What separates the fields of files of this name.
        file: The file's name, where the source has several.
        reading: Gets what is to be said of the file.

    Raises:
        UserError: The block is not UTF-8, or no longer the records that ``blocks_of`` found.
    """
    head = read_head(path, Reading(), usual)
    note_separator(head, reading)
    with path.open("rb") as opened:
        opened.seek(block.begin)
        held = opened.read(block.end - block.begin)
    count = 0
    try:
        for rows in _block_rows(held, block, head, file):
            count += len(rows)
            yield rows
    except UnicodeDecodeError:
        raise UserError(f"{path}{_where_not_utf8(held, block)}") from None
    except csv.Error:
        count = -1  # blocks that have one are not cut
    if count != block.rows:
        raise UserError(f"{path}: changed while it was read; run again when nothing writes to it")


def _block_rows(held: bytes, block: Block, head: Head, file: str) -> Iterator[RowBlock]:
    """Return the rows of a block that was read."""
    fields = _fields(held, head)
    if fields is not None:
        return _rows(fields, head.header, block.number, file)
    text = held.decode()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=head.separator)
    is_open = not text.endswith("\n")
    ends = text.count("\n") + is_open
    records = read_records(
        reader, head.header, lambda: is_open and reader.line_num == ends, block.number, block.lines, file
    )
    return in_blocks(records)


def _where_not_utf8(held: bytes, block: Block) -> str:
    """Return the line of a block at which it is not UTF-8, and what is there."""
    try:
        held.decode()
    except UnicodeDecodeError as error:
        line = block.lines + held.count(b"\n", 0, error.start) + 1
        return f":{line}: {not_utf8(held, error.start, block.begin)}"
    return ": not UTF-8"


def _signs(block: bytes, separator: int, is_last: bool) -> _Signs | None:
    """Return where the signs of the whole records at the beginning of a block are; None where it cannot be cut."""
    held = np.frombuffer(block, np.uint8)
    quotes, lines = np.flatnonzero(held == QUOTE), np.flatnonzero(held == LINE_END)
    ends = lines[np.searchsorted(quotes, lines) % 2 == 0]
    end = len(block) if is_last else int(ends[-1]) + 1 if len(ends) else 0
    quotes, lines = quotes[quotes < end], lines[lines < end]
    if not end or len(quotes) % 2:
        return None
    around = np.concatenate([[LINE_END], held[:end], [LINE_END]]).astype(np.uint8) if len(quotes) else held
    before, behind = around[quotes[::2]], around[quotes[1::2] + 2] if len(quotes) else quotes
    if not (
        np.isin(before, (separator, LINE_END, QUOTE)).all()
        and np.isin(behind, (separator, LINE_END, RETURN, QUOTE)).all()
    ):
        return None
    if RETURN in block:
        returns = np.flatnonzero(held[:end] == RETURN)
        if len(returns) and (returns[-1] + 1 == end or (held[returns + 1] != LINE_END).any()):
            return None
    return _Signs(held[:end], quotes, ends, len(lines), end)


def _count(block: bytes, signs: _Signs, head: Head) -> int | None:
    """Return how many records hold something; None where there are too many that may not."""
    begins, ends = _bounds(signs)
    width = len(head.header)
    maybe = _maybe_empty(signs.bytes, begins, ends, ord(head.separator), width)
    if len(maybe) > MOST_SHORT:
        return None
    held = any if width > 1 else None
    empty = 0
    for begin, end in zip(begins[maybe].tolist(), ends[maybe].tolist(), strict=True):
        text = io.StringIO(block[begin:end].decode(errors="replace"), newline="")
        empty += not list(filter(held, csv.reader(text, delimiter=head.separator)))
    return len(begins) - empty


def _maybe_empty(held: np.ndarray, begins: np.ndarray, ends: np.ndarray, separator: int, width: int) -> np.ndarray:
    """Return which records may hold nothing: short ones, and those that begin with many separators or quotes."""
    lengths, shortest = ends - begins, 3 * width + 2
    maybe = np.flatnonzero(lengths >= shortest)
    for at in range(shortest):
        maybe = maybe[np.isin(held[begins[maybe] + at], (separator, QUOTE, RETURN))]
    return np.concatenate([np.flatnonzero(lengths < shortest), maybe])


def _bounds(signs: _Signs) -> tuple[np.ndarray, np.ndarray]:
    """Return where records begin and end, without their line ends."""
    ends = signs.ends if len(signs.ends) and signs.ends[-1] + 1 == signs.end else np.append(signs.ends, signs.end)
    return np.concatenate([[0], ends[:-1] + 1]), ends


def _fields(block: bytes, head: Head) -> list[str] | None:
    """Return the fields of a block's records, one record after the other; None where it is not plain.

    Raises:
        UnicodeDecodeError: A field is no UTF-8.
    """
    separator, width = ord(head.separator), len(head.header)
    signs = _signs(block, separator, True)
    if signs is None or width < 2:
        return None
    _, ends = _bounds(signs)
    cuts = np.flatnonzero(signs.bytes == separator)
    cuts = np.sort(np.concatenate([cuts[np.searchsorted(signs.quotes, cuts) % 2 == 0], ends]))
    if len(cuts) != width * len(ends) or (cuts[width - 1 :: width] != ends).any():
        return None
    begins = np.concatenate([[0], cuts[:-1] + 1])
    last = cuts[width - 1 :: width]
    returns = signs.bytes[np.maximum(last - 1, 0)] == RETURN
    cuts[width - 1 :: width] -= returns
    quoted = (signs.bytes[np.minimum(begins, signs.end - 1)] == QUOTE) & (begins < cuts)
    begins, cuts = begins + quoted, cuts - quoted
    inner = np.searchsorted(signs.quotes, cuts) > np.searchsorted(signs.quotes, begins)
    if block.isascii():
        text = block.decode()
        found = [text[begin:end] for begin, end in zip(begins.tolist(), cuts.tolist(), strict=True)]
    else:
        found = [block[begin:end].decode() for begin, end in zip(begins.tolist(), cuts.tolist(), strict=True)]
    for place in np.flatnonzero(inner).tolist():
        found[place] = found[place].replace('""', '"')
    return found


def _rows(fields: list[str], header: list[str], number: int, file: str) -> Iterator[RowBlock]:
    """Yield records as rows, without their empty fields; a record that has only those is none."""
    width = len(header)
    if "" not in fields:
        yield Columns({key: fields[at::width] for at, key in enumerate(header)}, number, file)
        return
    records = zip(*(fields[at::width] for at in range(width)), strict=True)
    rows = (dict(compress(zip(header, values, strict=True), values)) for values in filter(any, records))
    yield from in_blocks(Raw(place, row, "", None, "", file) for place, row in enumerate(rows, number + 1))
