r"""Where an answer may be split: at signs that stand outside all brackets, braces and environments."""

import re

STEP = re.compile(
    r"\\begin\s*\{[a-zA-Z*]+\}|\\end\s*\{[a-zA-Z*]+\}|\\langle|\\rangle|\\[lr](?:floor|ceil)|\\[{}]|\\[A-Za-z]+|\\.|.",
    re.DOTALL,
)
OPENS = {"(", "[", "{", "\\{", "\\langle", "\\lfloor", "\\lceil"}
CLOSES = {")", "]", "}", "\\}", "\\rangle", "\\rfloor", "\\rceil"}


class Unbalanced(ValueError):
    """Brackets that do not close."""


def tokens(text: str) -> list[tuple[str, int]]:
    """Return the signs and commands of a text, each with the number of brackets around it."""
    depth, found = 0, []
    for step in STEP.finditer(text):
        token = step[0]
        if token in CLOSES or token.startswith("\\end"):
            depth -= 1
        if depth < 0:
            raise Unbalanced(f"{token!r} closes nothing")
        found.append((token, depth))
        if token in OPENS or token.startswith("\\begin"):
            depth += 1
    if depth:
        raise Unbalanced("a bracket is not closed")
    return found


def split(text: str, *separators: str) -> list[str]:
    r"""Return the parts of a text between separators outside all brackets.

    Args:
        text: A cleaned text.
        separators: Single signs, or commands such as ``\cup``.
    """
    return split_signs(text, separators)[0]


def split_signs(text: str, separators: tuple[str, ...] | set[str]) -> tuple[list[str], list[str]]:
    """Return the parts of a text, and the separators between them."""
    parts, signs = [""], []
    for token, depth in tokens(text):
        if depth == 0 and token in separators:
            parts.append("")
            signs.append(token)
        else:
            parts[-1] += token
    return [part.strip() for part in parts], signs


def enclosed(text: str) -> tuple[str, str, str] | None:
    """Return (bracket, inside, bracket) where the first bracket of a text closes at its end, else None."""
    steps = tokens(text)
    if len(steps) < 2 or steps[0][0] not in OPENS or steps[-1][0] not in CLOSES:
        return None
    if any(depth == 0 for _, depth in steps[1:-1]):
        return None
    return steps[0][0], text[len(steps[0][0]) : len(text) - len(steps[-1][0])].strip(), steps[-1][0]
