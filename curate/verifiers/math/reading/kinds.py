"""The kinds of answers that ``readers`` tells apart and ``same`` compares."""

from fractions import Fraction
from typing import NamedTuple

from curate.verifiers.math.expressions.parser import Tree
from curate.verifiers.math.reading.moments import Moment
from curate.verifiers.math.reading.units import Unit

NO_MATHEMATICS = "ground_truth is no mathematical answer"
UNKNOWN = "is written in a way that is not understood"


class Plain(NamedTuple):
    """A number or expression with what stands beside it."""

    head: Tree
    unit: Unit | None = None
    percent: bool = False
    places: int | None = None  # digits after the point, of a decimal
    parts: tuple[Fraction, ...] = ()  # 2 hours 30 minutes: its value in each of the units
    product: Tree | None = None  # of 5 m: the expression that it is if m is a variable


class Based(NamedTuple):
    """Digits with their base, and the value where it is a whole number in a base from 2 to 36."""

    digits: str
    base: int
    value: int | None = None


class Group(NamedTuple):
    """Several answers: a tuple or interval, a set, a list without brackets, a system, a union, a ratio."""

    shape: str
    items: tuple["Node", ...]
    opens: str = ""
    closes: str = ""


class Matrix(NamedTuple):
    """Rows of cells."""

    rows: tuple[tuple["Node", ...], ...]
    bars: bool = False  # a determinant


class Relation(NamedTuple):
    """Sides with a sign between each two: x = 1, 1 < x <= 2."""

    sides: tuple["Node", ...]
    signs: tuple[str, ...]


class Choice(NamedTuple):
    """The letter of a choice, whether it is marked as one (brackets, a full stop), and the text after it."""

    letter: str
    marked: bool
    text: "Node | None" = None


class Words(NamedTuple):
    """A text that is no mathematics, as its words and numbers in lower case."""

    words: tuple[str, ...]
    short: tuple[str, ...] = ()  # those of them whose case may count, as written: CO, Co


class Opaque(NamedTuple):
    """Mathematics that can be compared by its spelling only, and why."""

    reason: str
    text: str
    costly: bool = False


Node = Plain | Based | Group | Matrix | Relation | Choice | Words | Moment | Opaque


class Unsure(Exception):  # noqa: N818 (a result, no mistake)
    """Whether two answers are the same can't be told; the text is the reason."""
