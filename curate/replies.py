"""Every reply a model has given, durable as soon as it arrived: one append-only file a model.

A line is one batch: eight hex digits of CRC-32, a space, a JSON list of replies. A line that a kill cut short does not
match its checksum; it is cut off when the log is opened for writing, and never read.
"""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from curate.clients.requests import Reply
from curate.store import Store, slug
from schemas.ids import fingerprint


class ReplyLog:
    """The replies of one model. Open it under the store's lock; use it as a context manager."""

    def __init__(self, store: Store, identity: str) -> None:
        """Open the log of the model ``identity``, cutting off a torn end."""
        self.path = log_path(store, identity)
        self.places: dict[str, int] = {}  # key of a request -> where its line begins
        self.file = open(self.path, "a+b")  # noqa: SIM115 - closed by __exit__
        self._index()

    def __enter__(self) -> "ReplyLog":
        """Return the log itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self.file.close()

    def __contains__(self, key: str) -> bool:
        """Whether the request of this key has been answered."""
        return key in self.places

    def append(self, replies: list[Reply]) -> None:
        """Write a batch of replies in one write, so that all of them are there or none."""
        body = json.dumps([r.record() for r in replies], ensure_ascii=False).encode("utf-8", "backslashreplace")
        line = b"%08x " % zlib.crc32(body) + body + b"\n"
        offset = self.file.seek(0, 2)
        self.file.write(line)
        self.file.flush()
        self.places.update((reply.key, offset) for reply in replies)

    def read(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The replies of these requests, by key; a key without one is left out."""
        wanted = [k for k in keys if k in self.places]
        found: dict[str, Reply] = {}
        for offset in sorted({self.places[k] for k in wanted}):
            self.file.seek(offset)
            for record in _parse(self.file.readline()) or []:
                found[record["key"]] = Reply(**record)
        return {k: found[k] for k in wanted}

    def _index(self) -> None:
        self.file.seek(0)
        whole = 0
        for line in self.file:
            records = _parse(line)
            if records is not None:
                self.places.update((record["key"], whole) for record in records)
            elif not line.endswith(b"\n"):
                break
            whole += len(line)
        self.file.truncate(whole)


def _parse(line: bytes) -> list[dict] | None:
    """A line's replies, or None if its checksum does not match."""
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(body):
        return None
    return json.loads(body)


def answered(store: Store, identity: str, keys: Iterable[str]) -> int:
    """How many of these requests the store holds a reply to; reads only, changes nothing."""
    path = log_path(store, identity)
    if not path.exists():
        return 0
    with open(path, "rb") as file:
        known = {record["key"] for line in file for record in _parse(line) or []}
    return sum(key in known for key in keys)


def log_path(store: Store, identity: str) -> Path:
    """The file that holds a model's replies."""
    return store.path / "replies" / f"{slug(identity.split('@')[0])}-{fingerprint(identity)[:8]}.jsonl"
