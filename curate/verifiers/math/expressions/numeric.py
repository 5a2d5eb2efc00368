"""Values of expressions to many digits, at chosen values of their variables (mpmath); and whether two are the same.

Two expressions that agree to ``DIGITS`` digits at several drawn points are the same function (Schwartz 1980, for
polynomials). Where a number on the way is so large or small that these digits could cancel, there are more of them.
The work of one operation is bounded, so that powers of powers do not fill the memory; what remains is bounded by the
clock of the worker that this runs in.
"""

import random
from collections.abc import Callable, Iterable
from fractions import Fraction

import mpmath
from mpmath import mpc, mpf

from curate.verifiers.math.expressions.exact import rational
from curate.verifiers.math.expressions.parser import TooCostly, Tree

DIGITS = 120
AGREE = mpf(10) ** -90  # relative difference of equal values
PRECISE = 64  # difference of the binary exponents of two terms for which DIGITS suffice
MOST_PRECISE, MOST_FAR = 100_000, 3_000  # bits of a value, and of one at a point far from 0
SIZES = (10, 100, 1_000, 10_000, 1_000_000)
MOST = 10**6  # bits of the exponent's effect: log2 of a power, log2 of an argument
Value = mpf | mpc
mpmath.mp.dps = DIGITS


class Undefined(ValueError):
    """An expression has no value at a point (a division by zero), or this module does not know its function."""


def variables(tree: Tree) -> set[str]:
    """Return the names of the variables in an expression."""
    if tree.op == "var":
        return {tree.name}
    if tree.op == "call":  # the function is as unknown as a variable
        return {tree.name + "()"}.union(*map(variables, tree.args))
    return set().union(*map(variables, tree.args)) if tree.args else set()


def functions(tree: Tree) -> set[str]:
    """Return the names of the operations and functions in an expression; "log" is one without base."""
    name = "logarithm" if tree.name == "log" and len(tree.args) == 2 else tree.name
    return {name if tree.op == "fn" else tree.op}.union(*map(functions, tree.args))


def points(names: Iterable[str], count: int, low: float, high: float, whole: bool = False) -> list[dict[str, Value]]:
    """Return ``count`` draws of values for each of ``names``, the same for the same arguments."""
    draw = random.Random(0)  # noqa: S311 (no secret)
    names = sorted(names)

    def value() -> Value:
        return mpf(draw.randint(int(low), int(high))) if whole else mpf(draw.uniform(low, high)) + mpf(1) / 7**5

    return [{name: value() for name in names} for _ in range(count)]


def wide_points(names: Iterable[str], positive: bool) -> list[dict[str, Value]]:
    """Return draws of values of several sizes, to a million, whole and not; variables have one size or several."""
    draw = random.Random(1)  # noqa: S311 (no secret)
    names = sorted(names)

    def value(whole: bool, size: int) -> Value:
        drawn = draw.uniform(0, size) * (1 if positive or draw.random() < 0.5 else -1)
        return mpf(round(drawn) or 1) if whole else mpf(drawn)

    return [
        {name: value(whole, size if alike else draw.choice(SIZES)) for name in names}
        for size in SIZES
        for whole in (False, True)
        for alike in (True, True, False)
    ]


def same_value(left: Value, right: Value) -> bool:
    """Tell whether two values agree but for rounding, relative to their size."""
    if left == right:
        return True
    return abs(left - right) <= AGREE * max(abs(left), abs(right))


def agree(
    left: Tree, right: Tree, at: dict[str, Value], near: Fraction = Fraction(0), most: int = MOST_PRECISE
) -> bool:
    """Tell whether two expressions have the same value at a point, but for rounding or a difference of ``near``.

    Raises:
        Undefined: If one has no value there.
        TooCostly: If a number on the way is too large, or takes too many digits to tell from 0.
    """
    sizes = Sizes()
    one, other = value_at(left, at, sizes), value_at(right, at, sizes)
    distance = mpf(near.numerator) / near.denominator
    if sizes.spread <= PRECISE:
        return same_value(one, other) or bool(near and abs(one - other) <= distance)
    bits = mpmath.mp.prec + 4 * max(sizes.top, -sizes.bottom)
    if bits > most:
        raise TooCostly("a number of too many digits")
    with mpmath.workprec(bits):
        one, other = value_at(left, at), value_at(right, at)
        return abs(one - other) <= max(mpmath.ldexp(1, sizes.top - bits * 3 // 4), distance)


class Sizes:
    """Binary exponents of the values of expressions: the largest, the smallest, and the most that a sum lost of one."""

    def __init__(self) -> None:
        """Begin without values."""
        self.top = self.bottom = self.spread = 0

    def note(self, tree: Tree, arguments: list[Value], value: Value) -> None:
        """Take note of the value of an operation on ``arguments``."""
        size = _size(value)
        self.top, self.bottom = max(self.top, size), min(self.bottom, size)
        if tree.op == "add":
            sizes = [_size(argument) for argument in arguments if argument]
            self.spread = max(self.spread, max(sizes, default=0) - min([*sizes, size if value else -mpmath.mp.prec]))
        elif tree.op in ("fn", "call") or (tree.op == "pow" and _size(arguments[1]) < 0):
            self.spread = max(self.spread, *(abs(_size(argument)) for argument in arguments), -size)


def _size(value: Value) -> int:
    return int(mpmath.mag(value)) if value else 0


def value_at(tree: Tree, at: dict[str, Value], sizes: Sizes | None = None) -> Value:
    """Return the value of an expression, and note the sizes of all values on the way.

    Raises:
        Undefined: If it has none.
        TooCostly: If a number on the way is too large.
    """
    if tree.op == "number":
        return mpf(tree.value.numerator) / mpf(tree.value.denominator)
    if tree.op == "var":
        return at[tree.name]
    if tree.op == "const":
        return _constant(tree.name)
    arguments = [value_at(part, at, sizes) for part in tree.args]
    value = _operation(tree, arguments, at)
    if sizes:
        sizes.note(tree, arguments, value)
    return value


def _operation(tree: Tree, arguments: list[Value], at: dict[str, Value]) -> Value:
    if tree.op == "pow" and mpmath.im(arguments[0]) == 0 and mpmath.re(arguments[0]) < 0:
        return _power_of_negative(tree, arguments)
    try:
        if tree.op == "call":
            return _unknown(arguments[0], at[tree.name + "()"])
        result = OPERATIONS[tree.op](*arguments) if tree.op in OPERATIONS else _function(tree, arguments)
    except (ZeroDivisionError, ValueError, KeyError, TypeError) as error:
        raise Undefined(str(error)) from error
    if not mpmath.isfinite(result):
        raise Undefined("no finite value")
    return result


def _constant(name: str) -> Value:
    if name == "oo":
        raise Undefined("infinity")
    return {"pi": mpf(mpmath.pi), "e": mpf(mpmath.e), "i": mpc(0, 1)}[name]


def _power(base: Value, exponent: Value) -> Value:
    if base == 0:
        return mpf(0) if mpmath.re(exponent) > 0 else mpf(1) / 0
    if abs(exponent) * max(abs(mpmath.log(abs(base), 2)), 1) > MOST:
        raise TooCostly("a power of too many digits")
    return base**exponent


def _power_of_negative(tree: Tree, arguments: list[Value]) -> Value:
    """Return a power of a negative number: the real one where the exponent has an odd denominator, as in x^(1/3)."""
    base, exponent = arguments
    fraction = rational(tree.args[1])
    if fraction is None or fraction.denominator % 2 == 0 or fraction.denominator == 1:
        return _power(base, exponent)
    size = _power(-base, exponent)
    return -size if fraction.numerator % 2 else size


def _root(base: Value, degree: Value) -> Value:
    if mpmath.im(base) == 0 and mpmath.re(base) < 0 and degree == int(mpmath.re(degree)) and int(degree) % 2:
        return -((-base) ** (1 / degree))  # the real cube root
    return _power(base, 1 / degree)


def _factorial(value: Value) -> Value:
    if abs(value) > MOST:
        raise TooCostly("a large factorial")
    return mpmath.gamma(value + 1)


def _binomial(above: Value, below: Value) -> Value:
    if max(abs(above), abs(below)) > MOST:
        raise TooCostly("a large binomial coefficient")
    return mpmath.binomial(above, below)


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": lambda *parts: mpmath.fsum(parts),
    "neg": lambda value: -value,
    "mul": lambda left, right: left * right,
    "div": lambda left, right: left / right,
    "pow": _power,
    "root": _root,
    "fact": _factorial,
    "binom": _binomial,
}


def _snapped(value: Value) -> Value:
    """Return the whole number that a value is but for rounding, or the value."""
    near = mpmath.nint(value)
    return near if same_value(value, near) else value


ONE_ARGUMENT: dict[str, Callable[[Value], Value]] = {
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "cot": mpmath.cot, "sec": mpmath.sec, "csc": mpmath.csc,
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan, "arccot": mpmath.acot, "sinh": mpmath.sinh,
    "cosh": mpmath.cosh, "tanh": mpmath.tanh, "coth": mpmath.coth, "ln": mpmath.log, "log": mpmath.log,
    "lg": mpmath.log10, "abs": abs, "floor": lambda x: mpmath.floor(_snapped(x)),
    "ceil": lambda x: mpmath.ceil(_snapped(x)), "exp": lambda x: _power(mpmath.e, x),
}  # fmt: skip


def _unknown(argument: Value, drawn: Value) -> Value:
    """Return f(x) of an unknown f: an odd function of x and of a value that is drawn for the name f."""
    return mpmath.cos(argument + drawn) + argument * drawn + mpmath.sqrt(2 + argument * argument)


def _function(tree: Tree, arguments: list[Value]) -> Value:
    """Return the value of a function."""
    first = arguments[0]
    if abs(first) > mpf(2) ** 256:
        raise TooCostly("a function of a large number")
    if tree.name == "log" and len(arguments) == 2:
        return mpmath.log(first) / mpmath.log(arguments[1])
    if tree.name in ("max", "min"):
        return max(arguments) if tree.name == "max" else min(arguments)
    if tree.name not in ONE_ARGUMENT or len(arguments) > 1:
        raise Undefined(f"the function {tree.name}")
    return ONE_ARGUMENT[tree.name](first)
