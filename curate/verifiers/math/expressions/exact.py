"""Exact values of expressions that are rational, with bounded work."""

from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, isqrt

from curate.verifiers.math.expressions.parser import TooCostly, Tree

MOST_BITS = 40_000  # of a numerator or denominator
LARGEST_FACTORIAL, LARGEST_BINOMIAL = 3_000, 10_000


@lru_cache(4096)
def rational(tree: Tree) -> Fraction | None:
    """Return the value of an expression if it is rational and computed from rational parts; else None.

    Raises:
        TooCostly: If a value on the way has more than ``MOST_BITS`` bits.
    """
    if tree.op == "number":
        return tree.value
    if tree.op in ("var", "const", "call"):
        return None
    values = [rational(part) for part in tree.args]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    result = _operation(tree, known)
    if result is not None and max(result.numerator.bit_length(), result.denominator.bit_length()) > MOST_BITS:
        raise TooCostly("a number of too many digits")
    return result


def _operation(tree: Tree, values: list[Fraction]) -> Fraction | None:
    first = values[0]
    match tree.op:
        case "add":
            return sum(values, Fraction(0))
        case "neg":
            return -first
        case "mul":
            return first * values[1]
        case "div":
            return first / values[1] if values[1] else None
        case "pow":
            return _power(first, values[1])
        case "root":
            return _root(first, values[1])
        case "fact":
            return _factorial(first)
        case "binom":
            return _binomial(first, values[1])
    return _function(tree.name, values)


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if base == 0 and exponent <= 0:
        return None
    bits = max(base.numerator.bit_length(), base.denominator.bit_length()) - (abs(base) in (0, 1))
    if abs(exponent) * bits > MOST_BITS:
        raise TooCostly("a power of too many digits")
    if exponent.denominator == 1:
        return base**exponent.numerator
    root = _root(base, Fraction(exponent.denominator))
    return None if root is None else _power(root, Fraction(exponent.numerator))


def _root(base: Fraction, degree: Fraction) -> Fraction | None:
    """Return the root of a number that is a power of a rational; None for others, and for negative ones."""
    if degree.denominator != 1 or not 0 < degree <= 64 or base < 0:
        return None
    top, bottom = _whole_root(base.numerator, int(degree)), _whole_root(base.denominator, int(degree))
    return None if top is None or bottom is None else Fraction(top, bottom)


def _whole_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = isqrt(value)
        return root if root * root == value else None
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**degree < value else (low, middle)
    return low if low**degree == value else None


def _factorial(value: Fraction) -> Fraction | None:
    if value > LARGEST_FACTORIAL:
        raise TooCostly("a large factorial")
    return Fraction(factorial(int(value))) if value >= 0 and value.denominator == 1 else None


def _binomial(above: Fraction, below: Fraction) -> Fraction | None:
    if max(above, below) > LARGEST_BINOMIAL:
        raise TooCostly("a large binomial coefficient")
    whole = above.denominator == below.denominator == 1 and above >= 0 and below >= 0
    return Fraction(comb(int(above), int(below))) if whole else None


def _function(name: str, values: list[Fraction]) -> Fraction | None:
    first = values[0]
    if name == "abs":
        return abs(first)
    if name == "floor":
        return Fraction(first // 1)
    if name == "ceil":
        return Fraction(-(-first // 1))
    if name in ("max", "min"):
        return max(values) if name == "max" else min(values)
    return None
