"""Finds the data of server-sent events in lines of bytes.

Each ``data:`` line is an event of its own, since no server puts a line end into one, and some leave out the blank lines
between events.
"""

import re

DONE = b"[DONE]"
LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
_BEGINS = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")


def is_stream(body: bytes) -> bool:
    """Return whether a body begins as a stream of events does, which no JSON text does."""
    return _BEGINS.match(body) is not None


def data_of(line: bytes) -> bytes | None:
    """Return the data of a line; None for comments, which keep a connection alive, and for other fields."""
    name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
    return value.strip() if name == b"data" and value.strip() else None
