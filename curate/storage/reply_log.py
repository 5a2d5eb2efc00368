"""The log of all model replies and their costs: one SQLite file a store, written as replies arrive.

Replies and their cost are written in one transaction, so neither is ever stored without the other. The file is in WAL
mode, whose frames have checksums: where a kill cut a write short, SQLite drops that write when it opens the file next.
The disk is synced when frames go from the WAL to the file, not after each reply: a kill loses nothing, a power failure
may lose the last seconds, and leaves the file whole.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from curate.storage.damage import Damaged
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.finish_reasons import FINISH_REASONS, finish_reason
from schemas.requests import Reply, Spent
from schemas.token_count import MOST_SPENT, token_count

SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, failed INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS spent (
    run_id TEXT, recipe TEXT, model TEXT, identity TEXT, requests INTEGER, replies INTEGER, failed INTEGER,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost REAL, seconds REAL, PRIMARY KEY (run_id, model, identity));
"""
REPLIES = Path("replies") / "replies.sqlite"  # in a store
SAVE = "'gristmill doctor --repair' saves the replies that can be read, or bring back a copy"
SPENT = ("requests", "replies", "failed", "prompt_tokens", "completion_tokens", "cost", "seconds")
ADD = f"""
INSERT INTO spent VALUES (?, ?, ?, ?, {", ".join("?" for _ in SPENT)})
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in SPENT)}
"""


@dataclass(frozen=True)
class Spender:
    """The account of a cost: the run, its recipe, and the model by its name in the recipe and its identity."""

    run_id: str
    recipe: str
    model: str
    identity: str


class ReplyLog:
    """The replies of all models, as a context manager that closes the file.

    A process opens it for writing only while it holds the store's lock.
    """

    def __init__(self, store: Store, *, database: str = "") -> None:
        """Open the log, and make it if it is missing.

        Args:
            store: The store.
            database: What SQLite is to open instead of the store's file: ``:memory:``, or a URI ``file:...`` to read.

        Raises:
            UserError: The file is damaged, or cannot be opened.
        """
        self.path = store.path / REPLIES
        try:
            is_uri = database.startswith("file:")
            if not database and self.path.exists() and not self.path.is_file():
                raise Damaged(self.path, "is no plain file", SAVE)
            # In a notebook a thread asks a server, and writes its replies, while the thread that opened the log waits.
            self.db = sqlite3.connect(
                database or self.path, isolation_level=None, timeout=60, uri=is_uri, check_same_thread=False
            )
            check_tables(self.db, self.path)
            if is_uri:
                return
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = NORMAL")
            self.db.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise self._file_error(error) from None

    @classmethod
    def open_for_reading(cls, store: Store) -> "ReplyLog":
        """Open the log to read it. If it is missing, return an empty one in memory, and leave the store unchanged."""
        path = store.path / REPLIES
        if not path.exists():
            return cls(store, database=":memory:")
        # SQLite writes files beside its own even to read; in a folder that is read-only, nobody can be writing.
        return cls(store, database="" if os.access(path.parent, os.W_OK) else f"file:{quote(str(path))}?immutable=1")

    def __enter__(self) -> "ReplyLog":
        """Return the log itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self.db.close()

    def __contains__(self, key: str) -> bool:
        """Return whether the request with this key has a reply that is no failure."""
        return self.place(key) is not None

    def place(self, key: str) -> int | None:
        """Return the number of the reply to a request, or None if it has none or failed; replies count up from 1."""
        query = "SELECT id FROM replies WHERE key = ? AND failed = 0"
        rows = self._rows(query, (bytes.fromhex(key),))
        return rows[0][0] if rows else None

    def newest(self) -> int:
        """Return the number of the newest reply, 0 if there is none."""
        return self._rows("SELECT coalesce(max(id), 0) FROM replies")[0][0]

    def append(self, replies: list[Reply], spender: Spender, spent: Spent, cost: float, seconds: float) -> None:
        """Write replies and their cost in one transaction.

        Args:
            replies: The replies, failed ones too.
            spender: The run and the model that they are booked to.
            spent: The requests and the tokens that they took.
            cost: Their price in dollars.
            seconds: The time that they took.

        Raises:
            UserError: The file cannot be written.
        """
        rows = [(bytes.fromhex(r.key), r.error is not None, _body(r)) for r in replies]
        failed = sum(row[1] for row in rows)
        try:
            self.db.execute("BEGIN")
            # A reply is never replaced, a failure is; the reply in its place gets a new number.
            self.db.executemany(
                "INSERT INTO replies (key, failed, body) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
                "SET id = (SELECT max(id) + 1 FROM replies), failed = excluded.failed, body = excluded.body "
                "WHERE failed",
                rows,
            )
            self.db.execute(
                ADD,
                (
                    spender.run_id,
                    spender.recipe,
                    spender.model,
                    spender.identity,
                    spent.requests,
                    len(rows) - failed,
                    failed,
                    spent.prompt_tokens,
                    spent.completion_tokens,
                    cost,
                    seconds,
                ),
            )
            self.db.execute("COMMIT")
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise self._file_error(error) if isinstance(error, sqlite3.DatabaseError) else error from None

    def read(self, keys: Iterable[str]) -> dict[str, Reply]:
        """Return the replies to requests by key, failed ones too. A key without a reply is left out."""
        replies = {}
        for key in keys:
            rows = self._rows("SELECT body FROM replies WHERE key = ?", (bytes.fromhex(key),))
            if rows:
                try:
                    replies[key] = _reply(key, rows[0][0])
                except (ValueError, TypeError, RecursionError):
                    raise UserError(f"{self.path}: damaged: the reply {key[:12]} can't be read; {SAVE}") from None
        return replies

    def spent(self, **spender: str) -> dict[str, float]:
        """Return the sums of the columns ``SPENT``, such as requests, tokens, dollars and seconds.

        Args:
            spender: The ``recipe``, ``model`` or ``identity`` whose costs are summed; all costs if none is given.
        """
        condition = " AND ".join(f"{name} = ?" for name in spender) or "1"
        rows = self._rows(f"SELECT {', '.join(SPENT)} FROM spent WHERE {condition}", [*spender.values()])
        columns = zip(*rows, strict=True) if rows else [()] * len(SPENT)
        # Summed here: SQLite refuses a sum past 64 bits.
        return {
            name: sum(_amount(name, value) or 0 for value in values)
            for name, values in zip(SPENT, columns, strict=True)
        }

    def costs(self) -> list[dict[str, Any]]:
        """Return the rows of the table ``costs``: the cost of every run by model, oldest run first.

        An amount that can't be one, which older versions took over from servers, is None.
        """
        owner = ("run_id", "recipe", "model", "identity")
        rows = self._rows(f"SELECT {', '.join((*owner, *SPENT))} FROM spent ORDER BY run_id, model")
        return [
            dict(zip(owner, row, strict=False))
            | {name: _amount(name, value) for name, value in zip(SPENT, row[len(owner) :], strict=True)}
            for row in rows
        ]

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple]:
        try:
            return self.db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._file_error(error) from None

    def _file_error(self, error: sqlite3.DatabaseError) -> UserError:
        """Return the error to raise for SQLite's."""
        if type(error) is sqlite3.DatabaseError or not self.path.is_file():
            return Damaged(self.path, str(error), SAVE)
        return UserError(f"{self.path}: {error}")  # the disk is full, the file may not be written ...


def check_tables(log: sqlite3.Connection, file: Path) -> None:
    """Raise ``Damaged`` where a log has more than its tables: a view or a trigger would run a stranger's SQL."""
    found = log.execute("SELECT type, name FROM sqlite_master WHERE type <> 'index'").fetchall()
    known = (("table", "replies"), ("table", "spent"))
    odd = [f"{kind} {name}" for kind, name in found if (kind, name) not in known and not name.startswith("sqlite_")]
    if odd:
        raise Damaged(file, f"holds what is no table of a log of replies: {odd[0][:60]}", "bring back a copy")


def costs(store: Store) -> list[dict[str, Any]]:
    """Return the rows of the table ``costs``: the cost of every run by model, oldest run first."""
    with ReplyLog.open_for_reading(store) as log:
        return log.costs()


def _amount(name: str, value: Any) -> float | None:
    """Return an amount that was spent; None for what can't be one."""
    if name not in ("cost", "seconds"):
        return token_count(value, MOST_SPENT)
    return value if isinstance(value, int | float) and 0 <= value <= MOST_SPENT else None


def _body(reply: Reply) -> str:
    """Return a reply as JSON text, without its key."""
    record = reply.record()
    del record["key"]
    # Half of a surrogate pair is no text, and neither Parquet nor a terminal takes it: it becomes U+FFFD.
    return json.dumps(record, ensure_ascii=False).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _reply(key: str, body: str) -> Reply:
    """Return the reply that ``_body`` wrote."""
    record = json.loads(body)
    for name in ("prompt_tokens", "completion_tokens"):
        if name in record:
            record[name] = token_count(record[name])
    if "logprobs" in record:
        record["logprobs"] = tuple(record["logprobs"])
    if record.get("finish_reason", "stop") not in FINISH_REASONS:
        record["finish_reason"] = finish_reason(record["finish_reason"])  # older stores hold it as the server wrote it
    return Reply(key, **record)
