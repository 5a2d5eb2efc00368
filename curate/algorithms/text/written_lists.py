"""Read lists and mappings that were written to a file as text: JSON, or as Python, NumPy and pandas print them."""

import ast
import json
import re
import warnings
from typing import Any

LONGEST = 100_000  # characters of a text that is read: Python's parser takes much memory
QUOTED = r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\""""
BARE = r"[^\s,'\"\[\](){}]+"
ITEM = re.compile(rf"\s*(?:{QUOTED}|({BARE}))\s*(?:,|(?=[\s\])]|['\"]))?", re.DOTALL)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
ARRAY = re.compile(r"array\((\[[^\[\]]*\])(?:,\s*dtype=[^()]*)?\)")
NAN = re.compile(r"(?<=:)\s*nan(?=\s*[,}])")


def written_value(text: str, *, numbers_as_text: bool = False) -> Any:
    """Return the list or mapping that a text writes, or another value of JSON; None where it writes none.

    A list without commas, as NumPy prints it (``['a' 'b']``), has its items, which Python's own parser would join.

    Args:
        text: JSON, or a list or mapping in Python's notation.
        numbers_as_text: Whether numbers stay the text that they are written as.
    """
    text = text.strip()
    if len(text) > LONGEST:
        return None
    try:
        if numbers_as_text:
            return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if "array(" in text:
        text = ARRAY.sub(r"\1", text)
    found = flat_list(text) if text.startswith(("[", "(")) else None
    if found is None and text.startswith(("{", "[")):
        return _literal(text)
    return found


def flat_list(text: str) -> list[str] | None:
    """Return the items of a list of texts and numbers as Python or NumPy prints it, as texts; None where it is none."""
    if not text.endswith(")" if text.startswith("(") else "]"):
        return None
    items, at, end = [], 1, len(text) - 1
    while text[at : at + 1].isspace():
        at += 1
    while at < end:
        found = ITEM.match(text, at)
        if not found:
            return None
        one, other, bare = found.groups()
        if bare is None:
            items.append(re.sub(r"\\(['\"\\])", r"\1", one if one is not None else other))
        elif NUMBER.fullmatch(bare) or bare in ("True", "False"):
            items.append(bare)
        elif bare not in ("None", "nan"):
            return None
        at = found.end()
        while at < end and text[at].isspace():
            at += 1
    return items


def _literal(text: str) -> dict | list | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes that Python does not have
            value = ast.literal_eval(NAN.sub(" None", text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
