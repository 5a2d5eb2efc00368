"""Tells the reasoning trace from the answer while a model writes, by the marks of ``schemas.reasoning``.

What is shown while it is written can't wait for the end of the text, as ``split_reasoning`` does, which has the last
word: an answer that begins with a mention of a mark is shown as a trace, and kept as an answer.
"""

from curate.models.streamed import Piece
from schemas.reasoning import MARKS

_BY_OPENING = {marks.opening: marks for marks in MARKS}


class TracePieces:
    """Makes pieces of an answer's text, which comes in parts that may end anywhere."""

    def __init__(self, opening: str = "") -> None:
        """Begin.

        Args:
            opening: The mark by which the prompt has opened a trace; empty where it has opened none.
        """
        self._closing = _BY_OPENING[opening].closing if opening else ""  # empty outside of a trace
        self._begun = False  # whether the answer, or the trace that is open, has begun
        self._behind_trace = False
        self._held = ""

    def add(self, text: str) -> list[Piece]:
        """Return the pieces that are known after more text: a part of a mark is held back until it is whole."""
        self._held += text
        pieces: list[Piece] = []
        while self._held and (self._in_trace(pieces) if self._closing else self._in_answer(pieces)):
            pass
        return pieces

    def end(self) -> list[Piece]:
        """Return what was held back, at the end of the text."""
        held, self._held = self._held, ""
        text = held if self._begun else held.lstrip() if self._closing or self._behind_trace else held
        return [Piece(text, bool(self._closing))] if text else []

    def _in_trace(self, pieces: list[Piece]) -> bool:
        """Take what belongs to the trace; return whether the rest is to be looked at."""
        before, found, after = self._held.partition(self._closing)
        held = "" if found else _start_of(self._closing, before)
        text = before[: len(before) - len(held)]
        text = text if self._begun else text.lstrip()
        if text:
            pieces.append(Piece(text, True))
            self._begun = True
        self._held = after if found else held
        if found:
            self._closing, self._begun, self._behind_trace = "", False, True
        return bool(found)

    def _in_answer(self, pieces: list[Piece]) -> bool:
        """Take what belongs to the answer; return whether the rest is to be looked at: a trace that it opens."""
        bare = self._held if self._begun else self._held.lstrip()
        if not self._begun:
            opened = next((marks for marks in MARKS if bare.startswith(marks.opening)), None)
            if opened:
                self._closing, self._held = opened.closing, bare[len(opened.opening) :]
                return True
            if not bare or any(marks.opening.startswith(bare) for marks in MARKS):
                return False
        pieces.append(Piece(bare if self._behind_trace and not self._begun else self._held))
        self._begun, self._held = True, ""
        return False


def _start_of(mark: str, text: str) -> str:
    """Return the longest start of a mark, but not all of it, by which a text ends."""
    sizes = range(min(len(mark) - 1, len(text)), 0, -1)
    return next((mark[:size] for size in sizes if text.endswith(mark[:size])), "")
