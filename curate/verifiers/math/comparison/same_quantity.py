"""Compare numbers and expressions with their units, currencies, percent signs and bases; dates and times."""

from collections.abc import Callable
from fractions import Fraction

from curate.verifiers.math.expressions.exact import rational
from curate.verifiers.math.expressions.parser import Tree, number
from curate.verifiers.math.reading.kinds import Based, Node, Plain, Unsure
from curate.verifiers.math.reading.moments import Moment, same_moment
from curate.verifiers.math.reading.relations import has_variables
from curate.verifiers.math.reading.units import Unit

TRUTH_DIGITS = 4  # digits from which a truth's decimal may be an approximation of the answer
ANSWER_DIGITS = 6  # digits from which an answer's decimal may be one of the truth


class Quantities:
    """Compares quantities; ``trees`` compares two expressions that are not both rational."""

    def __init__(self, trees: Callable[[str, Tree, Tree, Fraction], bool]) -> None:
        """Keep the function that compares expressions: it returns a truth value or raises ``Unsure``."""
        self.trees = trees

    def plain(self, truth: Plain, answer: Plain) -> bool:
        """Compare numbers and expressions with their units."""
        if truth.product or answer.product:
            return self.letters(truth, answer)
        if truth.percent != answer.percent:
            return self.percent(truth, answer)
        if not truth.unit or not answer.unit:
            return self.one_unit(truth, answer)
        left, right = truth.unit, answer.unit
        if left.dimensions != right.dimensions:
            return self.other_units(truth, answer)
        if not self.heads(truth, answer, left.factor, right.factor):
            return False
        return _same_nouns(left, right)

    def letters(self, truth: Plain, answer: Plain) -> bool:
        """Compare where the unit of at least one is a letter, which may be a variable."""
        pair = truth, answer
        units = [plain._replace(product=None) for plain in pair]
        products = [Plain(plain.product) if plain.product else plain for plain in pair]
        sure = [plain for plain in pair if not plain.product]
        if any(plain.unit for plain in sure):
            return self.plain(units[0], units[1])
        if any(has_variables(plain.head) for plain in sure):
            return self.plain(products[0], products[1])
        same = self.plain(units[0], units[1])
        # An answer says the unit of a number more often than a variable that the truth does not have.
        if (truth in sure and _is_usual(answer.unit)) or same == self.plain(products[0], products[1]):
            return same
        raise Unsure("a letter after a number may be a unit or a variable")

    def percent(self, truth: Plain, answer: Plain) -> bool:
        """Compare where one of the two has a percent sign: 50% is 0.5, and 50 where the sign was left out."""
        sign, plain = (truth, answer) if truth.percent else (answer, truth)
        if plain.unit:
            return False
        if self.heads(sign, plain, Fraction(1, 100), Fraction(1)):
            return True
        value = rational(sign.head)
        return self.heads(sign, plain) and (value is None or abs(value) >= 1)

    def one_unit(self, truth: Plain, answer: Plain) -> bool:
        """Compare where at most one has a unit, which is then no difference; a direction is one."""
        unit, parts = truth.unit or answer.unit, truth.parts or answer.parts
        if parts:
            bare = rational((answer if truth.parts else truth).head)
            if bare is not None and bare in parts:
                raise Unsure("only one of the answers has units")
            return False
        if not self.heads(truth, answer):
            degrees = unit and unit.dimensions == (("angle", 1),)
            sizes = [Fraction(1, 180) if plain.unit else Fraction(1) for plain in (truth, answer)]
            if degrees and self._radians(truth, answer, sizes):
                return True
            heads = [_without_degrees(plain.head) for plain in (truth, answer)]
            if heads != [truth.head, answer.head] and self.values(heads[0], heads[1]):
                raise Unsure("an angle may be in degrees or radians")
            return False
        if truth.unit and truth.unit.extra:
            raise Unsure(f"ground_truth says {truth.unit.extra!r} and the answer does not")
        return True

    def _radians(self, truth: Plain, answer: Plain, sizes: list[Fraction]) -> bool:
        """Compare degrees with a number that may be radians."""
        pi = Tree("const", name="pi")
        trees = [
            Tree("mul", (Tree("mul", (plain.head, number(size))), pi)) if plain.unit else plain.head
            for plain, size in zip((truth, answer), sizes, strict=True)
        ]
        return self.values(trees[0], trees[1])

    def other_units(self, truth: Plain, answer: Plain) -> bool:
        """Compare where the dimensions differ: never equal, but unsure where one is a noun that may be any unit."""
        left, right = truth.unit, answer.unit
        assert left and right
        if right.per and not left.per and _but_rates(left) == _but_rates(right):  # $18 and 18 dollars per day
            return self.heads(truth, answer, left.factor, right.factor / right.per)
        if left.dimensions and right.dimensions:
            kinds = {left.dimensions, right.dimensions}
            if kinds == {(("angle", 1),), (("radians", 1),)}:
                raise Unsure("one answer is in degrees, the other in radians")
            return False
        if not self.heads(truth, answer):
            return False
        raise Unsure("the units of the answers differ")

    def heads(self, truth: Plain, answer: Plain, left: Fraction = Fraction(1), right: Fraction = Fraction(1)) -> bool:
        """Compare the values of two quantities, each times the size of its unit."""
        one, other = rational(truth.head), rational(answer.head)
        tolerance = _tolerance(truth, one, other) * left / 2 + _tolerance(answer, other, one, ANSWER_DIGITS) * right
        if one is not None and other is not None:
            return one * left == other * right or (bool(tolerance) and abs(one * left - other * right) <= tolerance)
        trees = [
            head if size == 1 else Tree("mul", (head, number(size)))
            for head, size in ((truth.head, left), (answer.head, right))
        ]
        return self.values(trees[0], trees[1], tolerance)

    def values(self, left: Tree, right: Tree, tolerance: Fraction = Fraction(0)) -> bool:
        """Compare two expressions."""
        if left == right:
            return True
        infinite = [_infinity(tree) for tree in (left, right)]
        if any(infinite):
            return infinite[0] == infinite[1]
        one, other = rational(left), rational(right)
        return one == other if one is not None and other is not None else self.trees("value", left, right, tolerance)


def _is_usual(unit: Unit | None) -> bool:
    """Tell whether answers often have a unit of one letter: m, m^2, s, g, but not t (tonnes) or d (days)."""
    if not unit or len(unit.dimensions) != 1 or unit.factor in (10**6, 86400):
        return False
    return unit.dimensions[0][1] == 1 or unit.dimensions[0][0] == "length"


def _but_rates(unit: Unit) -> tuple[tuple[str, int], ...]:
    return tuple((name, power) for name, power in unit.dimensions if power > 0)


def _infinity(tree: Tree) -> int:
    """Return 1 for infinity, -1 for minus infinity, 0 for others."""
    if tree.op == "neg":
        return -_infinity(tree.args[0])
    return int(tree.op == "const" and tree.name == "oo")


def _without_degrees(tree: Tree) -> Tree:
    """Return an expression with 45 in place of 45 degrees."""
    if tree.op == "div" and tree.args[1] == number(180) and tree.args[0].args[1:] == (Tree("const", name="pi"),):
        return tree.args[0].args[0]
    return tree._replace(args=tuple(map(_without_degrees, tree.args)))


def _same_nouns(left: Unit, right: Unit) -> bool:
    if left.noun != right.noun:
        raise Unsure("the units of the answers differ")
    if left.extra == right.extra:
        return True
    if left.extra and right.extra:
        return False
    raise Unsure("one of the answers says more beside its unit")


def _tolerance(decimal: Plain, value: Fraction | None, other: Fraction | None, digits: int = TRUTH_DIGITS) -> Fraction:
    """Return a unit of the last place of a decimal, if it may approximate a number that is no decimal; else 0."""
    if decimal.places is None or value is None or abs(value) * 10**decimal.places < 10 ** (digits - 1):
        return Fraction(0)
    if other is not None:
        bottom = other.denominator
        for prime in (2, 5):
            while bottom % prime == 0:
                bottom //= prime
        if bottom == 1:
            return Fraction(0)
    return Fraction(1, 10**decimal.places)


def same_moments(truth: Node, answer: Node) -> bool:
    """Compare where at least one of the two is a date or time."""
    if not isinstance(truth, Moment) or not isinstance(answer, Moment):
        if isinstance(answer, Moment) and isinstance(truth, Plain):
            raise Unsure("the answer is a date or time, and ground_truth is none")
        return False
    same = same_moment(truth, answer)
    if same is None:
        raise Unsure("one of the answers says more of the date or time")
    return same


def same_based(truth: Node, answer: Node) -> bool:
    """Compare where at least one of the two has a base."""
    if isinstance(truth, Based) and isinstance(answer, Based):
        if truth.base != answer.base and truth.value is not None and truth.value == answer.value:
            raise Unsure("the answers are equal, but in different bases")
        return truth == answer
    based, other = (truth, answer) if isinstance(truth, Based) else (answer, truth)
    assert isinstance(based, Based)
    value = rational(other.head) if isinstance(other, Plain) else None
    if value is not None and (
        value == based.value or (based is truth and based.digits.isdigit() and value == int(based.digits))
    ):
        raise Unsure("only one of the answers has a base")
    return False
