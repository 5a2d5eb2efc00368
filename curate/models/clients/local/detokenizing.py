"""Turns tokens into text one at a time, so that the parts together are the text of all tokens."""

from collections.abc import Callable

MOST_HELD = 8  # tokens of a character that is not whole; a character has four bytes at most
BROKEN = "\ufffd"


class Detokenizer:
    """Decodes the tokens of one answer as they come.

    A token may be a part of a character, and a tokenizer may decode it otherwise behind others (the space before a
    word). So tokens are decoded together with those of the part before, and what these had given is taken off, as vLLM
    and text-generation-inference do.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        """Begin with no tokens.

        Args:
            decode: Returns the text of tokens.
        """
        self._decode = decode
        self._before: list[int] = []  # tokens whose text was returned last
        self._new: list[int] = []

    def add(self, token: int) -> str:
        """Return the text that is known after one more token; empty where a character is not whole yet."""
        self._new.append(token)
        text = self._text()
        return "" if text.endswith(BROKEN) and len(self._new) < MOST_HELD else self._take(text)

    def rest(self) -> str:
        """Return the text of the tokens that were held back, at the end of the answer."""
        return self._take(self._text())

    def _text(self) -> str:
        """Return the text of the new tokens, behind those before."""
        before, text = self._decode(self._before), self._decode([*self._before, *self._new])
        # Where a tokenizer decodes the tokens before otherwise by now, their text is out already.
        return text.removeprefix(before) if text.startswith(before) else self._decode(self._new)

    def _take(self, text: str) -> str:
        if text:
            self._before, self._new = self._new, []
        return text
