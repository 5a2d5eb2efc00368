"""Lays out the tokens of a sample: what is learnt in green, or in brackets where there is no colour."""

import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from rich.text import Text

OPEN, CLOSE = "⟦", "⟧"  # no answer is likely to hold them
LEARNT, CONTEXT = 240, 160  # tokens of a sample that are shown, shared by its stretches of each kind
FEW = 24  # tokens that are shown of every stretch
HARMFUL = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")  # categories of characters that could steer a terminal


class Stretch(NamedTuple):
    """Tokens that follow each other and are all learnt, or all context."""

    learnt: bool
    tokens: list[str]


def token_text(tokens: Sequence[str], learnt: Sequence[bool], *, coloured: bool) -> Text:
    """Return tokens as text: a line for each of theirs, every learnt stretch, and long stretches without their middle.

    Args:
        tokens: The texts of the tokens.
        learnt: Whether each is learnt.
        coloured: Whether colours can be seen: learnt tokens are green and the context is dim. Otherwise a learnt
            stretch stands in brackets.
    """
    pairs = groupby(zip(tokens, learnt, strict=True), key=lambda pair: pair[1])
    stretches = [Stretch(flag, [token for token, _ in part]) for flag, part in pairs]
    text = Text()
    for stretch in stretches:
        alike = sum(one.learnt == stretch.learnt for one in stretches)
        room = max(FEW, (LEARNT if stretch.learnt else CONTEXT) // alike)
        shown = _shortened(stretch, room)
        if stretch.learnt and not coloured:
            body = shown.removesuffix("\n")
            shown = f"{OPEN}{body}{CLOSE}{shown[len(body) :]}"
        text.append(shown, style="" if not coloured else "green" if stretch.learnt else "dim")
    text.rstrip()
    return Text("\n").join(Text("  ") + line for line in text.split("\n"))


def _shortened(stretch: Stretch, room: int) -> str:
    """Return a stretch as text that is safe to print, without its middle where it has many tokens."""
    tokens = stretch.tokens
    left_out = len(tokens) - room
    if left_out <= FEW:  # a mark would take about as much room
        return harmless("".join(tokens))
    first = room // 2
    mark = f" … {left_out:,} {'learnt ' if stretch.learnt else ''}tokens … "
    return harmless("".join(tokens[:first])) + mark + harmless("".join(tokens[first + left_out :]))


def harmless(text: str) -> str:
    """Return a model's or a file's text with its line ends shown, and escapes for what could steer a terminal."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\n":
        return "⏎\n"
    if character == "\t" or unicodedata.category(character) not in HARMFUL:
        return character
    return character.encode("unicode_escape").decode()
