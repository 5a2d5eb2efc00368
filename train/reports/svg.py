"""The pieces of our SVG pictures: text, and the CSS of colours."""

import unicodedata
from collections.abc import Mapping
from html import escape
from itertools import accumulate

from schemas.errors import printable


def escaped(text: str) -> str:
    """Return text for XML: without control characters, which XML does not have, and with its marks escaped."""
    return escape(printable(text))


def cut(text: str, width: int) -> str:
    """Return text that is at most ``width`` letters wide; a Chinese, Japanese or Korean one counts as two."""
    sizes = [2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text]
    if sum(sizes) <= width:
        return text
    kept = sum(size < width for size in accumulate(sizes))
    return text[:kept].rstrip() + "\u2026"


def svg_text(
    x: float, y: float, text: str, colour: str, *, size: float, anchor: str = "start", weight: int = 400
) -> str:
    """Return a text at a place in pixels; ``colour`` is the name of a class."""
    return (
        f'<text class="{colour}" x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escaped(text)}</text>'
    )


def colour_rules(colours: Mapping[str, tuple[str, str, str]]) -> tuple[str, str]:
    """Return the CSS rules of the light colours, and of the dark ones.

    Args:
        colours: For each class the property that is coloured, its light and its dark colour.
    """
    light = "".join(f".{name}{{{kind}:{colour}}}" for name, (kind, colour, _) in colours.items())
    dark = "".join(f".{name}{{{kind}:{colour}}}" for name, (kind, _, colour) in colours.items())
    return light, dark
