"""Saves what can be read of a damaged log of replies, so that what was paid for is not asked again."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from curate.storage.reply_log import SCHEMA, check_tables

SMALLEST = 64  # bytes that a reply takes at least: its key, its number and an empty body


def salvage_replies(damaged: Path, target: Path) -> tuple[int, int]:
    """Copy the rows of a damaged log of replies that can be read into a new file.

    Each row is looked up by its number in the table itself, whatever its indexes say, so a broken page costs the rows
    on it alone. A reply counts as read if its key is that of a request and its body is JSON.

    Args:
        damaged: The SQLite file.
        target: The file to make; it does not exist.

    Returns:
        The number of replies, and of accounts of costs, that were copied.

    Raises:
        Damaged: The file holds a view or a trigger, whose SQL reading it would run.
    """
    with closing(sqlite3.connect(target)) as new, closing(sqlite3.connect(damaged)) as old:
        with suppress(sqlite3.DatabaseError):  # what it holds can't be read
            check_tables(old, damaged)
        new.executescript(SCHEMA)
        replies = (row for row in _rows(old, "replies", damaged) if _is_reply(row))
        copied = new.executemany("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", replies).rowcount
        width = len(new.execute("SELECT * FROM spent").description)
        accounts = (row for row in _rows(old, "spent", damaged) if len(row) == width)
        booked = new.executemany(f"INSERT OR IGNORE INTO spent VALUES ({', '.join('?' * width)})", accounts).rowcount
        new.commit()
    return max(copied, 0), max(booked, 0)


def _rows(log: sqlite3.Connection, table: str, file: Path) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table that can be read, looked up one by one from the first number to the last possible."""
    for number in range(1, _last(log, table, file) + 1):
        try:
            row = log.execute(f"SELECT * FROM {table} NOT INDEXED WHERE rowid = ?", (number,)).fetchone()
        except (sqlite3.DatabaseError, ValueError):  # a broken page; a text that is no UTF-8
            continue
        if row is not None:
            yield row


def _last(log: sqlite3.Connection, table: str, file: Path) -> int:
    """Return the highest number of a row, or how many rows the file could hold where that can't be read."""
    try:
        return log.execute(f"SELECT coalesce(max(rowid), 0) FROM {table} NOT INDEXED").fetchone()[0]
    except sqlite3.OperationalError:  # no such table
        return 0
    except sqlite3.DatabaseError:
        return file.stat().st_size // SMALLEST


def _is_reply(row: tuple[Any, ...]) -> bool:
    _, key, failed, body = row
    try:
        return isinstance(key, bytes) and failed in (0, 1) and isinstance(json.loads(body), dict)
    except (TypeError, ValueError, RecursionError):
        return False
