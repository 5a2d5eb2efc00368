"""Sets of real numbers with rational ends, as a sorted list of intervals that do not touch."""

from fractions import Fraction
from typing import NamedTuple

from curate.verifiers.math.expressions.exact import rational
from curate.verifiers.math.reading.kinds import Group, Node, Plain

End = tuple[
    int, Fraction, int
]  # (-1, 0 or 1 for minus infinity, a number, infinity), the number, (-1, 0, 1: below, at, above)


class Interval(NamedTuple):
    """The numbers between two ends: an open end lies just above or below its number."""

    low: End
    high: End


def intervals(node: Node) -> list[Interval] | None:
    """Return a set in its normal form, or None for another kind of answer or ends that are not rational."""
    if isinstance(node, Plain):
        return [_ALL] if node.head.op == "var" and node.head.name == "\\mathbb{R}" else None
    if not isinstance(node, Group):
        return None
    if node.shape == "set":
        points = [rational(item.head) if isinstance(item, Plain) else None for item in node.items]
        known = [point for point in points if point is not None]
        return (
            _joined([Interval((0, point, 0), (0, point, 0)) for point in known]) if len(known) == len(points) else None
        )
    if node.shape == "tuple":
        return _interval(node)
    if node.shape not in ("union", "difference", "intersection"):
        return None
    parts = [intervals(item) for item in node.items]
    sets = [part for part in parts if part is not None]
    if len(sets) < len(parts):
        return None
    made = sets[0]
    for part in sets[1:]:
        made = (
            _joined(made + part)
            if node.shape == "union"
            else _common(made, part if node.shape == "intersection" else _rest(part))
        )
    return made


_ALL = Interval((-1, Fraction(0), 0), (1, Fraction(0), 0))


def _interval(node: Group) -> list[Interval] | None:
    if len(node.items) != 2:
        return None
    ends = [_end(item) for item in node.items]
    if ends[0] is None or ends[1] is None:
        return None
    low, high = ends[0], ends[1]
    if node.opens == "(" and low[0] == 0:
        low = (0, low[1], 1)
    if node.closes == ")" and high[0] == 0:
        high = (0, high[1], -1)
    return [Interval(low, high)] if low <= high else None


def _end(node: Node) -> End | None:
    if not isinstance(node, Plain) or node.unit or node.percent:
        return None
    head, sign = node.head, 1
    if head.op == "neg" and head.args[0].name == "oo":
        head, sign = head.args[0], -1
    if head.op == "const" and head.name == "oo":
        return (sign, Fraction(0), 0)
    value = rational(head)
    return None if value is None else (0, value, 0)


def _joined(parts: list[Interval]) -> list[Interval]:
    """Return intervals sorted, with those that overlap or touch made one."""
    made: list[Interval] = []
    for part in sorted(parts):
        if made and part.low <= _after(made[-1].high):
            made[-1] = Interval(made[-1].low, max(made[-1].high, part.high))
        else:
            made.append(part)
    return made


def _common(left: list[Interval], right: list[Interval]) -> list[Interval]:
    """Return what is in both of two sets."""
    parts = [Interval(max(one.low, other.low), min(one.high, other.high)) for one in left for other in right]
    return _joined([part for part in parts if part.low <= part.high])


def _rest(parts: list[Interval]) -> list[Interval]:
    """Return the real numbers that are not in a set."""
    made, low = [], _ALL.low
    for part in parts:
        if part.low[0] == 0:
            made.append(Interval(low, (0, part.low[1], part.low[2] - 1)))
        low = _after(part.high)
        if part.high[0] == 1:
            return made
    return [*made, Interval(low, _ALL.high)]


def _after(end: End) -> End:
    return (end[0], end[1], end[2] + 1) if end[0] == 0 else end
