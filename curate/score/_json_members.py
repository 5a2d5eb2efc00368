"""The members of JSON objects in a text, each with the place where its value stands.

A judge's reply may hold JSON with a comment around it, or JSON that is not quite valid. So nothing is parsed: the text
is cut into strings, marks and bare words, in linear time, and the pairs of a key and a value are read off.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+|"')


class Member(NamedTuple):
    """A member of an object.

    Attributes:
        path: The keys of the objects around it and its own, joined by a space.
        start: Where the value begins: behind the quotation mark, where it is a string.
        end: Where it ends.
    """

    path: str
    start: int
    end: int


def members(text: str, start: int, end: int) -> Iterator[Member]:
    """Yield the members between two places of a text whose value is a string or a bare word, such as a number.

    Args:
        text: The text.
        start: Where to begin: at a ``{``.
        end: Where to stop.
    """
    keys: list[str] = []  # of the objects that are open
    lists = 0  # open lists: what they hold is no member
    key: str | None = None
    before: re.Match[str] | None = None
    for token in _TOKEN.finditer(text, start, end):
        mark = token[0]
        if mark == "{":
            keys.append(key or "")
            key = None
        elif mark == "}":
            if keys:
                keys.pop()
            key = None
        elif mark in "[]":
            lists = max(lists + (1 if mark == "[" else -1), 0)
        elif mark == ":":
            key = before[0].strip('"') if before else None
        elif mark == ",":
            key = None if not lists else key
        elif key is not None and not lists:
            quoted = mark.startswith('"')
            path = " ".join(filter(None, [*keys, key]))
            yield Member(path, token.start() + quoted, token.end() - (quoted and len(mark) > 1))
            key = None
        before = token
