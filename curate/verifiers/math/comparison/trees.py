"""Whether two expressions have the same value, two equations the same solutions, two inequalities the same sign.

Decided by values to ``numeric.DIGITS`` digits at drawn points. Runs in a worker, as its work has no bound of its own.
"""

from collections.abc import Iterator
from fractions import Fraction

import mpmath
from mpmath import mpf

from curate.verifiers.math.expressions.exact import rational
from curate.verifiers.math.expressions.numeric import (
    MOST_FAR,
    MOST_PRECISE,
    Undefined,
    Value,
    agree,
    functions,
    points,
    same_value,
    value_at,
    variables,
    wide_points,
)
from curate.verifiers.math.expressions.parser import TooCostly, Tree
from curate.verifiers.math.reading.kinds import Unsure

FAR = (Undefined, TooCostly)  # reasons to leave out a point that is far from 0
COUNT = 5  # points of each kind
WHOLE = set("sin cos tan cot sec csc pow fact binom floor ceil".split())  # may agree at integers only
BROKEN = set("abs floor ceil max min ln log lg arcsin arccos arctan arccot".split())  # may agree near 0 only


def compare_trees(what: str, left: Tree, right: Tree, tolerance: Fraction) -> bool:
    """Compare two expressions.

    Args:
        what: "value" for the same value, "zero" for the same solutions of ``left = 0`` and ``right = 0``, "sign" for
            those of ``left > 0`` and ``right > 0``.
        left: Of the right answer.
        right: Of the given answer.
        tolerance: Difference that two values without variables may have.

    Raises:
        Unsure: If that can't be told.
        TooCostly: If a number is too large.
    """
    try:
        if "either" not in functions(left) | functions(right):
            return _compare(what, left, right, tolerance)
        same = {_compare(what, _read_as(left, which), _read_as(right, which), tolerance) for which in (0, 1)}
        if len(same) == 2:
            raise Unsure("a letter before a bracket may be a function or a factor")
        return same == {True}
    except Undefined as error:
        raise Unsure("an answer has no value that can be computed") from error


def _compare(what: str, left: Tree, right: Tree, tolerance: Fraction) -> bool:
    if what == "value":
        return _same_in_any_base(left, right, tolerance)
    return _same_zeros(left, right) if what == "zero" else _same_signs(left, right)


def _read_as(tree: Tree, which: int) -> Tree:
    """Return an expression with P(2) read as a value of P (0) or as a product (1)."""
    if tree.op == "either":
        return _read_as(tree.args[which], which)
    return tree._replace(args=tuple(_read_as(part, which) for part in tree.args))


def _same_in_any_base(left: Tree, right: Tree, tolerance: Fraction) -> bool:
    """Compare values, where a log without base in one of the two may be natural or decimal."""
    if ("log" in functions(left)) == ("log" in functions(right)):
        return _same_values(left, right, tolerance)
    same = {_same_values(left, right, tolerance), _same_values(_decimal(left), _decimal(right), tolerance)}
    if len(same) == 2:
        raise Unsure("the base of a logarithm is not said")
    return same == {True}


def _decimal(tree: Tree) -> Tree:
    """Return an expression with decimal logarithms in place of those without base."""
    args = tuple(map(_decimal, tree.args))
    return Tree("fn", args, name="lg") if tree.name == "log" and len(args) == 1 else tree._replace(args=args)


def _same_values(left: Tree, right: Tree, tolerance: Fraction) -> bool:
    names = variables(left) | variables(right)
    if not names:
        return agree(left, right, {}, tolerance)
    agreed = {low: list(_agreements(left, right, points(names, COUNT, low, 4))) for low in (0.3, -4)}
    broken = _is_broken(left) or _is_broken(right)
    if broken:
        for low, found in agreed.items():
            found.extend(_agreements(left, right, wide_points(names, low > 0), far=True) if all(found) else [])
    if min(map(len, agreed.values())) == 0 and max(map(len, agreed.values())) < 3:
        raise Unsure("an answer has no value that can be computed")
    if all(agreed[0.3]) and all(agreed[-4]):
        return True
    if all(agreed[0.3]) and agreed[0.3]:
        raise Unsure("the answers are equal for positive values only")
    if (functions(left) | functions(right)) & WHOLE and _same_at_whole_numbers(left, right, names, broken):
        raise Unsure("the answers are equal for whole numbers only")
    return False


def _same_at_whole_numbers(left: Tree, right: Tree, names: set[str], broken: bool) -> bool:
    at = points(names, 3 * COUNT, 1, 9, whole=True)
    if broken:
        at += [{name: mpmath.nint(value) for name, value in one.items()} for one in wide_points(names, True)]
    agreed = list(_agreements(left, right, at, far=broken))
    return bool(agreed) and all(agreed)


def _is_broken(tree: Tree) -> bool:
    """Tell whether an expression may be made of several functions, as |x - 10| is: small values say little."""
    exponent = rational(tree.args[1]) if tree.op == "pow" else None
    if tree.op == "root" or (tree.op == "fn" and tree.name in BROKEN) or (exponent and exponent.denominator > 1):
        return bool(variables(tree))
    return any(map(_is_broken, tree.args))


def _agreements(left: Tree, right: Tree, at: list[dict[str, Value]], far: bool = False) -> Iterator[bool]:
    """Yield whether two expressions agree at each point where both have a value; if ``far``, one that is not costly."""
    skipped = FAR if far else (Undefined,)
    for point in at:
        try:
            yield agree(left, right, point, most=MOST_FAR if far else MOST_PRECISE)
        except skipped:
            continue


def _same_zeros(left: Tree, right: Tree) -> bool:
    names = variables(left) | variables(right)
    wide = wide_points(names, False) if _is_broken(left) or _is_broken(right) else []
    if _is_constant(
        [one / other for one, other in _pairs(left, right, points(names, COUNT + 1, -4, 4) + wide) if other]
    ):
        return True
    decided = False
    for name in sorted(names):
        at = points(names, COUNT, 0.3, 4) + wide
        roots = [(_linear_root(left, name, point), _linear_root(right, name, point)) for point in at]
        if any(None in pair for pair in roots[:COUNT]):
            continue
        known = [(one, other) for one, other in roots if one is not None and other is not None]
        if not all(same_value(one, other) for one, other in known):
            return False
        # x(y - 2) = 0 has the root x = 0 at each y: the other factor decides as well.
        decided |= len(names) == 1 or not all(same_value(one, known[0][0]) for one, _ in known)
    if any(_differ_at_a_root(one, other, names) for one, other in ((left, right), (right, left))):
        return False
    if decided:
        return True
    raise Unsure("the equations could not be compared")


def _same_signs(left: Tree, right: Tree) -> bool:
    names = variables(left) | variables(right)
    wide = wide_points(names, False) if _is_broken(left) or _is_broken(right) else []
    pairs = list(_pairs(left, right, points(names, 4 * COUNT, -9, 9) + wide))
    quotients = [one / other for one, other in pairs if other]
    if _is_constant(quotients):
        return mpmath.re(quotients[0]) > 0
    if any(mpmath.sign(mpmath.re(one)) != mpmath.sign(mpmath.re(other)) for one, other in pairs):
        return False
    raise Unsure("the inequalities could not be compared")


def _pairs(left: Tree, right: Tree, at: list[dict[str, Value]]) -> Iterator[tuple[Value, Value]]:
    for point in at:
        try:
            yield value_at(left, point), value_at(right, point)
        except FAR:
            continue


def _is_constant(quotients: list[Value]) -> bool:
    return len(quotients) > 2 and quotients[0] != 0 and all(same_value(one, quotients[0]) for one in quotients)


def _linear_root(tree: Tree, name: str, at: dict[str, Value]) -> Value | None:
    """Return where an expression is 0 as a function of one variable, if it is linear in it; else None."""
    try:
        zero, one, two = (value_at(tree, at | {name: mpf(value)}) for value in (1, 2, 3))
    except (Undefined, TooCostly):
        return None
    slope = one - zero
    size = max(abs(zero), abs(one), abs(two))
    if abs(two - 2 * one + zero) > size * mpf(10) ** -60 or abs(slope) <= size * mpf(10) ** -60:
        return None
    return 1 - zero / slope


def _differ_at_a_root(left: Tree, right: Tree, names: set[str]) -> bool:
    """Tell whether ``right`` is clearly not 0 at some root of ``left``."""
    for name in sorted(names & variables(left)):
        for at in points(names, COUNT, -3, 3):
            try:
                with mpmath.workdps(60):
                    root = mpmath.findroot(lambda value, at=at, name=name: value_at(left, at | {name: value}), at[name])
                    beside = abs(value_at(left, at | {name: root + mpf(1) / 1000}))
                    # A function that becomes small far away, such as 1/x, has no root there.
                    is_root = abs(value_at(left, at | {name: root})) < beside * mpf(10) ** -9
                    if is_root and abs(value_at(right, at | {name: root})) > mpf(10) ** -9:
                        return True
            except (ValueError, ZeroDivisionError, Undefined, TooCostly):
                continue
    return False
