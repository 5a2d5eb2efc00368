r"""Find the last box of a worked solution: what ``\boxed{...}`` or ``\fbox{...}`` holds between its own braces.

A box that is empty ("put it in \boxed{}") or never closed (the response was cut) holds nothing, and the one before it
is looked at. ``\boxed 5`` and ``\boxed\frac12`` hold the next thing that LaTeX would take.
"""

import re

from curate.verifiers.math.reading.spelling import closing

BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:(\{)|(\\[A-Za-z]+|[^\s{}$\\]))")
NUMBER = re.compile(r"[-+]?[\d.,]*\d")
LOOKED_AT = 20  # boxes, from the last one back: each may be searched for its closing brace
LONGEST = 4_000  # characters between the braces of a box


def last_box(text: str) -> str | None:
    """Return what the last box that holds anything has in it, or None."""
    at = len(text)
    for _ in range(LOOKED_AT):
        at = max(text.rfind("\\boxed", 0, at), text.rfind("\\fbox", 0, at))
        if at < 0:
            return None
        opened = BOX.match(text, at)
        held = None if opened is None else _held(text, opened)
        if held and text[at - 1 : at] == "\\":  # every backslash is written twice, as in JSON
            held = held.replace("\\\\", "\\")
        if held is not None and held.strip():
            return held.strip()
    return None


def _held(text: str, opened: re.Match[str]) -> str | None:
    """Return what a box holds; None where it is not closed."""
    if opened[1]:
        end = closing(text, opened.end() - 1, LONGEST)
        return None if end < 0 else text[opened.end() : end]
    end = opened.end()
    while opened[2].startswith("\\") and text[end : end + 1] == "{":  # the arguments of a command
        closed = closing(text, end, LONGEST)
        if closed < 0:
            return None
        end = closed + 1
    if not opened[2].startswith("\\"):
        number = NUMBER.match(text, opened.start(2))
        end = number.end() if number else end
    return text[opened.start(2) : end]
