"""Read the items of one JSON list piece by piece, so that neither its text nor its items are held at once."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from curate.sources.files.compressed import LONGEST_LINE
from curate.sources.files.raw_row import CHUNK
from schemas.json_text import parse

_SPACE = " \t\r\n"
_BEHIND = f"{_SPACE},]"  # an item
_scan = json.JSONDecoder().raw_decode


def list_items(read: Callable[[int], str]) -> Iterator[Any]:
    """Yield the items of a list.

    Args:
        read: Returns the next characters of its text, at most so many; none at its end.

    Raises:
        ValueError: The text is not one list of JSON, or an item of it is longer than ``LONGEST_LINE``.
    """
    window = _Window(read)
    if window.take() != "[":
        raise ValueError("no list")
    if window.peek() == "]":
        window.take()
    else:
        sign = ","
        while sign == ",":
            yield window.item()
            sign = window.take()
        if sign != "]":
            raise ValueError("the list does not end")
    if window.peek():
        raise ValueError("something follows the list")


class _Window:
    """A piece of a text, and how far it is read."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read, self._text, self._at, self._ended = read, "", 0, False

    def peek(self) -> str:
        """Return the next character that is no space, without reading it; an empty text at the end."""
        while True:
            while self._text[self._at : self._at + 1] in _SPACE and self._at < len(self._text):
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def take(self) -> str:
        """Read the next character that is no space."""
        sign = self.peek()
        self._at += 1
        return sign

    def item(self) -> Any:
        """Read the next value."""
        self.peek()
        while True:
            try:
                end = _scan(self._text, self._at)[1]
            except RecursionError:
                raise ValueError("lists or mappings are nested too deeply") from None
            except ValueError:
                if self._ended:
                    raise
                end = len(self._text)
            if self._ended or self._text[end : end + 1] in _BEHIND and end < len(self._text):  # "0." may go on
                value = parse(self._text[self._at : end])
                self._at = end
                return value
            self._more()

    def _more(self) -> None:
        left = self._text[self._at :]
        if len(left) > LONGEST_LINE:
            raise ValueError("an item is too long")
        more = self._read(max(CHUNK, len(left)))
        self._text, self._at, self._ended = left + more, 0, not more
