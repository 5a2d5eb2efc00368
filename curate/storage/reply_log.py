"""Every reply a model has given and what it cost, durable as soon as it arrived: one SQLite file a store.

A reply and its cost are one transaction, so neither is ever there without the other. The file is in WAL mode, whose
frames carry checksums: a write that a kill cut short is cut off when the file is opened next, and never read. Nothing
is synced to the disk for each reply: a kill loses nothing, a power failure may lose the last seconds.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

from curate.storage.store import Store
from schemas.errors import UserError
from schemas.requests import Reply, Spent

SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, failed INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS spent (
    run_id TEXT, recipe TEXT, model TEXT, identity TEXT, requests INTEGER, replies INTEGER, failed INTEGER,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost REAL, seconds REAL, PRIMARY KEY (run_id, model, identity));
"""
SPENT = ("requests", "replies", "failed", "prompt_tokens", "completion_tokens", "cost", "seconds")
ADD = f"""
INSERT INTO spent VALUES (?, ?, ?, ?, {", ".join("?" for _ in SPENT)})
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in SPENT)}
"""


@dataclass(frozen=True)
class Spender:
    """Who asks whom: the run, its recipe, and the model by its name in the recipe and its identity."""

    run_id: str
    recipe: str
    model: str
    identity: str


class ReplyLog:
    """The replies of all models. Open it for writing under the store's lock only; use it as a context manager."""

    def __init__(self, store: Store, *, where: str = "") -> None:
        """Open the log, making it where there is none. Raises ``UserError`` if the file is damaged."""
        self.path = store.path / "replies" / "replies.sqlite"
        try:
            looks = where.startswith("file:")
            self.db = sqlite3.connect(where or self.path, isolation_level=None, timeout=60, uri=looks)
            if looks:
                return
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = OFF")
            self.db.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise self._trouble(error) from None

    @classmethod
    def looking(cls, store: Store) -> "ReplyLog":
        """The log, for a look: where there is none, an empty one in memory, so that looking leaves no trace."""
        path = store.path / "replies" / "replies.sqlite"
        if not path.exists():
            return cls(store, where=":memory:")
        # SQLite keeps files beside its own while it looks; where it can't, nobody can be writing either.
        return cls(store, where="" if os.access(path.parent, os.W_OK) else f"file:{quote(str(path))}?immutable=1")

    def __enter__(self) -> "ReplyLog":
        """Return the log itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self.db.close()

    def __contains__(self, key: str) -> bool:
        """Whether the request of this key has been answered; a request that failed has not."""
        return self.place(key) is not None

    def place(self, key: str) -> int | None:
        """The number of the reply to this request, counted in the order of their coming; None if there is none."""
        query = "SELECT id FROM replies WHERE key = ? AND failed = 0"
        rows = self._rows(query, (bytes.fromhex(key),))
        return rows[0][0] if rows else None

    def newest(self) -> int:
        """The number of the newest reply, 0 if there is none."""
        return self._rows("SELECT coalesce(max(id), 0) FROM replies")[0][0]

    def append(self, replies: list[Reply], spender: Spender, spent: Spent, cost: float, seconds: float) -> None:
        """Write replies and what they took, all of it or nothing. ``cost`` is in dollars."""
        rows = [(bytes.fromhex(r.key), r.error is not None, _body(r)) for r in replies]
        failed = sum(row[1] for row in rows)
        try:
            self.db.execute("BEGIN")
            # An answer is for good: only a failure is ever written over, and what comes in its place is new.
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
            raise self._trouble(error) if isinstance(error, sqlite3.DatabaseError) else error from None

    def read(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The replies of these requests by key, failed ones too; a key without one is left out."""
        found = {}
        for key in keys:
            rows = self._rows("SELECT body FROM replies WHERE key = ?", (bytes.fromhex(key),))
            if rows:
                found[key] = _reply(key, rows[0][0])
        return found

    def spent(self, **who: str) -> dict[str, float]:
        """The sums of what was spent, by ``recipe``, ``model`` or ``identity``: requests, tokens, cost, seconds."""
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in SPENT)
        condition = " AND ".join(f"{name} = ?" for name in who) or "1"
        row = self._rows(f"SELECT {sums} FROM spent WHERE {condition}", [*who.values()])[0]
        return dict(zip(SPENT, row, strict=True))

    def costs(self) -> list[dict[str, Any]]:
        """What every run spent on every model, oldest run first."""
        columns = ("run_id", "recipe", "model", "identity", *SPENT)
        rows = self._rows(f"SELECT {', '.join(columns)} FROM spent ORDER BY run_id, model")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _rows(self, query: str, given: Sequence[Any] = ()) -> list[tuple]:
        try:
            return self.db.execute(query, given).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._trouble(error) from None

    def _trouble(self, error: sqlite3.DatabaseError) -> UserError:
        damaged = type(error) is sqlite3.DatabaseError  # else the disk is full, the file may not be written ...
        return UserError(
            f"{self.path}: {error}"
            + (
                "; move it away to start anew (its replies are then asked again), or bring back a copy"
                if damaged
                else ""
            )
        )


def costs(store: Store) -> list[dict[str, Any]]:
    """What every run spent on every model: the rows of the table ``costs``, oldest run first."""
    with ReplyLog.looking(store) as log:
        return log.costs()


def _body(reply: Reply) -> str:
    record = reply.record()
    del record["key"]
    # Half of a surrogate pair is no text, and nothing that stores or shows rows could take it: it becomes U+FFFD.
    return json.dumps(record, ensure_ascii=False).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _reply(key: str, body: str) -> Reply:
    record = json.loads(body)
    if "logprobs" in record:
        record["logprobs"] = tuple(record["logprobs"])
    return Reply(key, **record)
