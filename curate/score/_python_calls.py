"""Read expected calls that are written as Python writes them: ``[Market Trends API(trend="x"), now()]`` (ToolACE)."""

import ast
import re
import warnings
from functools import lru_cache
from typing import Any

from schemas.call_forms import LONGEST_LITERAL

BEFORE = r"\s*(?:await\s+)?(?:functions\.)?"
BETWEEN = re.compile(r"\s*(?:[,;]\s*|\n\s*)")
STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
WORDS = {"true": True, "false": False, "null": None}  # JSON's words, which writers of calls mix in


def python_calls(text: str, names: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]] | None:
    """Return the calls of a text, each a name and arguments; None where it does not begin with a call of a tool.

    They are in a list, or separated by commas, semicolons or line ends.

    Args:
        text: The text.
        names: The names of the tools, which may hold spaces and signs.

    Raises:
        ValueError: If it begins with a call of a tool but is not calls alone, or has arguments without names.
    """
    listed = text.startswith("[") and text.endswith("]")
    body = text[1:-1] if listed else text
    known = _known(names)
    at, calls, end = 0, [], len(body.rstrip())
    while at < end:
        named = known.match(body, at)
        if not named:
            if calls:
                raise ValueError(f"ground_truth: calls that can't be read: {body[at : at + 60].strip()!r} is none")
            return None
        close = _closing(body, named.end())
        calls.append((named[1], _arguments(named[1], body[named.end() : close])))
        after = BETWEEN.match(body, close + 1)
        at = after.end() if after else close + 1
        if not after and body[at:end].strip():
            raise ValueError(f"ground_truth: calls that can't be read: text behind a call: {body[at : at + 60]!r}")
    return calls or None


@lru_cache(maxsize=64)
def _known(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern of a known name, the longest first, and the bracket behind it."""
    longest = sorted(filter(None, names), key=len, reverse=True)
    return re.compile(rf"{BEFORE}({'|'.join(map(re.escape, longest))})\s*\(")


def _closing(text: str, at: int) -> int:
    """Return where the bracket that is open at a place is closed; brackets in strings do not count."""
    depth = 1
    while at < len(text):
        sign = text[at]
        if sign in "'\"":
            string = STRING.match(text, at)
            if not string:
                break
            at = string.end()
            continue
        depth += (sign in "([{") - (sign in ")]}")
        if not depth:
            return at
        at += 1
    raise ValueError("ground_truth: calls that can't be read: a bracket or quote that is not closed")


def _arguments(name: str, inside: str) -> dict[str, Any]:
    if len(inside) > LONGEST_LITERAL:
        raise ValueError("ground_truth: calls that can't be read: a long text")
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes that Python does not have
            call = ast.parse(f"f({inside})", mode="eval").body
            if not isinstance(call, ast.Call):
                raise ValueError(f"{inside[:60]!r} are no arguments")
            if call.args or any(one.arg is None for one in call.keywords):
                raise ValueError(f"arguments without names in a call of {name[:60]!r}")
            return {str(one.arg): ast.literal_eval(_JsonWords().visit(one.value)) for one in call.keywords}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ValueError(f"ground_truth: calls that can't be read: {why}") from None


class _JsonWords(ast.NodeTransformer):
    """Put truth values and None in place of true, false and null."""

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802
        return ast.Constant(WORDS[node.id]) if node.id in WORDS else node
