"""Leave out of code without a fence the lines that are prose although they parse as Python. Runs nothing."""

import ast
import builtins

from curate.verifiers.programs.known_imports import known_import
from curate.verifiers.programs.statements import parsed, statements


def without_prose(text: str) -> str:
    """Return a text that is Python without the lines that say nothing to Python; any other text as it is.

    These are annotations without a value (``Time: O(1)``) and expressions with names that nothing defines (``Done``).
    """
    tree = parsed(text)
    lone = [node for node in tree.body if isinstance(node, ast.AnnAssign | ast.Expr)] if tree else []
    if not lone:
        return text
    found = statements(text) or []
    known = set(dir(builtins)).union(*(one.binds for one in found))
    if any(one.sets and one.defines for one in found):  # from math import *
        return text
    dropped: set[int] = set()
    prose: set[int] = set()
    for node in lone:
        unknown = [
            one.id
            for one in ast.walk(node)
            if isinstance(one, ast.Name) and one.id not in known and known_import(one.id, environment=True) is None
        ]
        is_prose = node.value is None if isinstance(node, ast.AnnAssign) else bool(unknown)
        if is_prose:
            dropped |= _lines(node)
            prose.add(id(node))
    for node in tree.body if tree else []:
        if dropped and id(node) not in prose:
            dropped -= {node.lineno, node.end_lineno}
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped)
    return kept if parsed(kept) else text


def _lines(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
