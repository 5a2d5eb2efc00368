r"""Read 5-10, 2-3 weeks, \$5-\$10, 1914-1918, 555-1234 and 1/2/3: a range, a score or a number, or a subtraction."""

import re

from curate.verifiers.math.expressions.parser import Tree
from curate.verifiers.math.reading.kinds import Group, Plain
from curate.verifiers.math.reading.quantities import read_quantity

AMOUNT = r"(?:\\\$|[€£¥₹])?\s?\d[\d,]*(?:\.\d+)?"
RANGE = re.compile(
    rf"({AMOUNT}(?:\s?[^\W\d_]+|\s?%)?)\s*(-{{1,3}}|(?<!\w)to(?!\w))\s*({AMOUNT}(?![\d.,/^!]).*)", re.DOTALL
)
SERIES = re.compile(r"\d+(?:([-/])\d+)(?:\1\d+)+")


def read_range(bare: str) -> Group | None:
    """Return two amounts with a hyphen or "to" between them, or several numbers with hyphens or slashes."""
    bare = re.sub(r"^from (?=.* to )", "", bare)
    bare = bare[1:-1] if re.fullmatch(r"\([^()]+\)", bare) else bare
    if series := SERIES.fullmatch(bare):
        parts = [read_quantity(part) for part in bare.split(series[1])]
        return _range(parts, series[1])
    found = RANGE.fullmatch(bare)
    return _range([read_quantity(found[1]), read_quantity(found[3])], found[2][0]) if found else None


def _range(parts: list[Plain | None], sign: str) -> Group | None:
    """Return a range of bare numbers, of which one may have the unit of both."""
    amounts = [part for part in parts if part and part.head.op == "number" and not part.parts]
    if len(amounts) < len(parts):
        return None
    first, last = amounts[0], amounts[-1]
    if first.unit and last.unit and first.unit.dimensions != last.unit.dimensions:
        return None
    unit, percent = last.unit or first.unit, last.percent or first.percent
    return Group("range", tuple(part._replace(unit=part.unit or unit, percent=percent) for part in amounts), sign)


def as_value(node: Group) -> Plain | None:
    """Return the subtraction (5-10) or quotient (1/2/3, 2 to 3) that a range may be; None for other units in it."""
    items = [item for item in node.items if isinstance(item, Plain)]
    if len({item.unit for item in items}) > 1:
        return None
    head = items[0].head
    for item in items[1:]:
        head = Tree("add", (head, Tree("neg", (item.head,)))) if node.opens == "-" else Tree("div", (head, item.head))
    return items[0]._replace(head=head, places=None)


def ascends(node: Group) -> bool:
    """Tell whether each number of a range is larger than the one before, as in no score or subtraction."""
    values = [item.head.value for item in node.items if isinstance(item, Plain)]
    return all(low < high for low, high in zip(values, values[1:], strict=False))
