"""Which rows of JSON Lines stand first: ``datasets`` takes a file's keys from its first 10 MB, and fails at others.

A row further down that has a key or a sort of value which no earlier row has is moved to the beginning.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

LOOKED_AT, ROOM = 6_000_000, 4_000_000  # bytes: of the rows that show their keys where they are, of those that move
DEEPEST, MOST = 12, 100_000  # levels of a value that are looked at, keys that are remembered: rows may be a stranger's


class EarlyKeys:
    """Takes the lines of a file one after the other, and says which are to be moved."""

    def __init__(self, looked_at: int = LOOKED_AT, room: int = ROOM) -> None:
        """Begin a file.

        Args:
            looked_at: The bytes at its beginning in which a reader sees each key.
            room: The bytes of lines that may be moved there.
        """
        self._looked_at, self._room = looked_at, room
        self._seen: set[str] = set()

    def moves(self, line: bytes) -> bool:
        """Return whether a line, which is a JSON value, goes to the beginning: it has what no line before has."""
        if len(self._seen) >= MOST or self._room <= 0:
            return False
        new = set(_shapes(msgspec.json.decode(line), "", 0)) - self._seen
        early = self._looked_at > 0
        moved = bool(new) and not early and len(line) <= self._room
        if early:
            self._looked_at -= len(line)
        if moved:
            self._room -= len(line)
        self._seen |= new if early or moved else set()
        return moved


def _shapes(value: Any, path: str, depth: int) -> Iterator[str]:
    """Yield the path of each value in a value, and its sort unless it is null, which any column may hold."""
    yield path
    if value is not None:
        yield f"{path}:{type(value).__name__}"
    if depth < DEEPEST and isinstance(value, dict):
        for key, one in value.items():
            yield from _shapes(one, f"{path}/{key}", depth + 1)
    elif depth < DEEPEST and isinstance(value, list):
        for one in value:
            yield from _shapes(one, f"{path}[]", depth + 1)
