"""Trees of expressions."""

from fractions import Fraction
from typing import NamedTuple


class TooCostly(ValueError):
    """An expression has a value that is too large to compute."""


class Tree(NamedTuple):
    """An expression: a number (``value``), a variable or constant (``name``), or an operation on ``args``.

    Of "either" the two arguments are readings of one text: P(2) as a value of P, and as a product.
    """

    op: str
    args: tuple["Tree", ...] = ()
    value: Fraction = Fraction(0)
    name: str = ""


def number(value: Fraction | int) -> Tree:
    """Return the tree of a rational number."""
    return Tree("number", value=Fraction(value))
