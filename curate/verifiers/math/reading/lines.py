r"""Equations with only space between them: x = 1 \quad y = 2, or one below the other."""

import re

from curate.verifiers.math.reading.brackets import Unbalanced, tokens
from curate.verifiers.math.reading.unit_names import KNOWN

BREAKS = {"\\quad", "\\qquad", "\\\\", "\n"}
BREAK = re.compile(r"\\q?quad(?![A-Za-z])|\\\\|\n")
SIGN = r"(?:=|<|>|≤|≥|≠|\\(?:leq?|geq?|neq?|lt|gt|in|approx|equiv)(?![A-Za-z]))"
WHOLE = re.compile(rf"(?!\s*{SIGN}).*\S\s*{SIGN}.*(?<!=)", re.DOTALL)
NAME = re.compile(
    r"(.*[\d}\])A-Za-z])\s+((?:\\[A-Za-z]+|(?P<word>[A-Za-z]{2,})|[A-Za-z])(?:_\{?\w+\}?)?'*(?:\(\w\))?)", re.DOTALL
)
NUMBER = re.compile(r"-?\s*(?:\d[\d,.]*|\\frac\s*\{-?\d+\}\s*\{\d+\})")


def with_semicolons(answer: str) -> str:
    r"""Return an answer with ; for ``\quad``, ``\\`` and new lines outside brackets, if an equation is on each side."""
    if len(answer) > 1_000 or not BREAK.search(answer):
        return answer
    parts = [""]
    try:
        for token, depth in tokens(answer):
            if depth == 0 and token in BREAKS:
                parts.append("")
            else:
                parts[-1] += token
    except Unbalanced:
        return answer
    parts = [stripped for part in parts if (stripped := part.strip(" ,;&\n"))]
    return " ; ".join(parts) if len(parts) > 1 and all(map(WHOLE.fullmatch, parts)) else answer


def are_several(parts: list[str], signs: list[str]) -> bool:
    """Tell whether sides of a chain may be several equations: x = 1 y = 2, or y = 2x y = 3; not x = 5 m = 500 cm."""
    for at, part in enumerate(parts[1:-1], 1):
        found = NAME.fullmatch(part) if signs[at - 1] == signs[at] == "=" else None
        if not found:
            continue
        converted = found[2] in KNOWN and re.search(r"[A-Za-z]$", parts[at + 1])
        if found[2] == parts[0] or (NUMBER.fullmatch(found[1]) and not found["word"] and not converted):
            return True
    return False
