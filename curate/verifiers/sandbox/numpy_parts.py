"""The few names of numpy that tests compare numbers by: allclose, isclose, array_equal. Stdlib only; runs inside.

Tests of EvalPlus (HumanEval+, MBPP+) import it as ``numpy``. It is there only for tests that use no other name of it.
"""

import ast
import math
from typing import Any

inf, nan, pi = math.inf, math.nan, math.pi


class ndarray:  # noqa: N801 (numpy's own name)
    """The type of arrays. There are none here, so that nothing is one."""


class float32(ndarray):  # noqa: N801
    """A type that no number here has."""


class float64(ndarray):  # noqa: N801
    """A type that no number here has."""


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether two numbers differ by at most ``atol + rtol * abs(b)``."""
    if not isinstance(a, int | float | complex) or not isinstance(b, int | float | complex):
        raise TypeError(f"isclose of {type(a).__name__} and {type(b).__name__}")
    if a == b:
        return True
    if equal_nan and a != a and b != b:
        return True
    return math.isfinite(abs(b)) and abs(a - b) <= atol + rtol * abs(b)


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether two numbers, or two sequences of the same shape, are close; one number may stand for many."""
    lists = isinstance(a, list | tuple), isinstance(b, list | tuple)
    if not any(lists):
        return isclose(a, b, rtol, atol, equal_nan)
    length = len(a if lists[0] else b)
    if all(lists) and len(a) != len(b):
        raise ValueError(f"shapes ({len(a)},) and ({len(b)},) differ")
    pairs = zip(a if lists[0] else [a] * length, b if lists[1] else [b] * length, strict=True)
    return all([allclose(one, other, rtol, atol, equal_nan) for one, other in pairs])


def array_equal(a: Any, b: Any) -> bool:
    """Return whether two sequences have the same shape and equal items."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(array_equal, a, b))
    return bool(a == b)


NAMES = ("allclose", "array_equal", "float32", "float64", "inf", "isclose", "nan", "ndarray", "pi")


def suffices(trees: list[ast.Module]) -> bool:
    """Return whether tests import numpy, use a name of it, and no name but these."""
    aliases, used = set(), set()
    nodes = [node for tree in trees for node in ast.walk(tree)]
    for node in nodes:
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name for alias in node.names if alias.name == "numpy"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numpy":
            used |= {alias.name for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            used.add(node.attr)
    return bool(used) and used <= set(NAMES)
