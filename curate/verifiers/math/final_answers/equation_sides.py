"""The last side of an equation that is given as an answer: "54 - 6 = 48" where the right answer is 48."""

import re

import polars as pl

LONGEST = 300  # characters of an equation
LISTED = re.compile(r"[;&<>]|\\(?:begin|neq?|text)\b|\b(?:or|and)\b|!=|:=")  # more than one equation, or none
RELATION = r"[=<>≤≥≠∈]|\\(?:leq?|geq?|neq?|in|lt|gt|equiv|approx|begin)\b"
NAME = r"[A-Za-z](?:_\{?\w+\}?)?'?(?:\s*\([^()]*\))?"  # x, x_1, f(2)


def last_sides(answer: pl.Series, gold: pl.Series) -> pl.Series:
    """Return the answers with the last side alone of an equation where the right answer is no relation."""
    rows = (answer.str.contains("=", literal=True) & ~gold.str.contains(RELATION)).fill_null(False).arg_true()
    if not len(rows):
        return answer
    some = answer.gather(rows)
    sides = pl.Series([last_side(one) for one in some], dtype=pl.String)
    return answer.scatter(rows, sides.zip_with(sides.is_not_null(), some))


def last_side(answer: str) -> str | None:
    """Return what stands behind the last equals sign of an equation; None for a list of them.

    "x^2 = 5" says what x^2 is, not x, and has no such side; "x + y = 5" and "AB = 5" say what was asked for.
    """
    if len(answer) > LONGEST or LISTED.search(answer):
        return None
    depth, at = 0, -1
    for place, character in enumerate(answer):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character == ",":
            return None
        at = place if depth == 0 and character == "=" else at
    side, left = answer[at + 1 :].strip(" $").rstrip("."), answer[: max(at, 0)].strip(" $")
    if at < 0 or re.fullmatch(r"[A-Za-z]?", side):  # "5 = n"
        return None
    names = set(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", left)))
    return side if len(names) != 1 or re.fullmatch(NAME, left) else None
