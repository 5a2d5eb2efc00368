"""Whether two answers that have been read are the same: kind by kind, exactly, never by a part of one.

``Unsure`` is raised where the two can't be told apart or together (its text is the reason), never guessed away.
"""

from collections.abc import Callable
from fractions import Fraction

from curate.verifiers.math.exact import rational
from curate.verifiers.math.expressions import Tree, number, parse
from curate.verifiers.math.intervals import intervals
from curate.verifiers.math.kinds import Based, Choice, Group, Matrix, Node, Opaque, Plain, Relation, Unsure, Words
from curate.verifiers.math.moments import Moment, same_moment
from curate.verifiers.math.relations import BELOW, EQUALS, as_set, as_plain, ends, renamed, value_of
from curate.verifiers.math.units import Unit
from curate.verifiers.math.wording import same_words, words_against

TRUTH_DIGITS = 4  # digits from which a truth's decimal may be an approximation of the answer
ANSWER_DIGITS = 6  # digits from which an answer's decimal may be one of the truth


class Comparison:
    """Compares nodes; ``trees`` compares two expressions that are not both rational, within a tolerance or exactly."""

    def __init__(self, trees: Callable[[str, Tree, Tree, Fraction], bool]) -> None:
        """Keep the function that compares expressions: it returns a truth value or raises ``Unsure``."""
        self.trees = trees

    def same(self, truth: Node, answer: Node) -> bool:
        """Tell whether an answer is the right one.

        Raises:
            Unsure: If that can't be told, with the reason.
            TooCostly: If a number is too large to compute.
        """
        if truth == answer and not isinstance(truth, Opaque):
            return True
        if isinstance(truth, Choice) or isinstance(answer, Choice):
            return self.choices(truth, answer)
        for whose, node in (("ground_truth", truth), ("answer", answer)):
            if isinstance(node, Opaque):
                raise Unsure(f"{whose} {node.reason}")
        if isinstance(truth, Words) or isinstance(answer, Words):
            return same_words(truth.words, answer.words) if isinstance(truth, Words) and isinstance(answer, Words) else words_against(truth, answer)
        if _is_condition(truth) or _is_condition(answer):
            return self.relations(truth, answer)
        if isinstance(truth, Moment) or isinstance(answer, Moment):
            return _moments(truth, answer)
        if isinstance(truth, Based) or isinstance(answer, Based):
            return _based(truth, answer)
        if isinstance(truth, Plain) and isinstance(answer, Plain):
            return self.plain(truth, answer)
        return self.several(truth, answer)

    def choices(self, truth: Node, answer: Node) -> bool:
        """Compare where at least one is the letter of a choice."""
        if isinstance(truth, Choice) and isinstance(answer, Choice):
            if truth.marked or answer.marked:
                return truth.letter.upper() == answer.letter.upper()
            return truth.letter == answer.letter or self.same(_variable(truth), _variable(answer))
        if isinstance(truth, Choice):
            if truth.text is not None:
                return self.same(truth.text, answer)
            if isinstance(answer, Words) and len(answer.words) == 1:
                return False
            if isinstance(answer, Words):
                raise Unsure("ground_truth is a letter, and the answer is words")
            return False if truth.marked else self.same(_variable(truth), answer)
        assert isinstance(answer, Choice)
        if answer.text is not None:
            return self.same(truth, answer.text)
        if isinstance(truth, Words) and not answer.marked:
            return False
        if answer.marked:
            raise Unsure("the answer is the letter of a choice, and ground_truth is none")
        return self.same(truth, _variable(answer))

    def plain(self, truth: Plain, answer: Plain) -> bool:
        """Compare numbers and expressions with their units."""
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
            return bool(degrees) and self._radians(truth, answer, sizes)
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
        trees = [head if size == 1 else Tree("mul", (head, number(size))) for head, size in ((truth.head, left), (answer.head, right))]
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

    def several(self, truth: Node, answer: Node) -> bool:
        """Compare tuples, sets, lists, matrices; a single answer is none of these, but a set of one."""
        if isinstance(truth, Matrix) and isinstance(answer, Matrix):
            shapes = [[len(row) for row in matrix.rows] for matrix in (truth, answer)]
            return truth.bars == answer.bars and shapes[0] == shapes[1] and self.ordered(_cells(truth), _cells(answer))
        for one, other in ((truth, answer), (answer, truth)):
            if isinstance(one, Matrix):
                return self.vector(one, other, one is truth)
        if isinstance(truth, Group) and isinstance(answer, Group):
            return self.groups(truth, answer)
        group, single = (truth, answer) if isinstance(truth, Group) else (answer, truth)
        assert isinstance(group, Group)
        if group.shape == "ratio" and isinstance(single, Plain) and len(group.items) == 2:
            return self.quotient(group, single)
        if group.shape == "congruence" and self.same(group.items[1], single):
            raise Unsure("only one of the answers is a congruence")
        return group.shape == "set" and len(group.items) == 1 and self.same(group.items[0], single)

    def quotient(self, ratio: Group, single: Plain) -> bool:
        """Refuse to compare a ratio with a number, but where the number is not its quotient."""
        heads = [item.head for item in ratio.items if isinstance(item, Plain)]
        if self.values(Tree("mul", (single.head, heads[1])), heads[0]):
            raise Unsure("one answer is a ratio and the other a number")
        return False

    def vector(self, matrix: Matrix, other: Node, first: bool) -> bool:
        """Compare a matrix with another kind: a column or row is the tuple of its entries."""
        cells = _cells(matrix)
        if matrix.bars:
            raise Unsure("one answer is a determinant")
        if len(cells) == 1 and not isinstance(other, Group):
            return self.same(cells[0], other) if first else self.same(other, cells[0])
        if not isinstance(other, Group) or other.shape != "tuple" or min(len(matrix.rows), len(matrix.rows[0])) > 1:
            return False
        return self.ordered(cells, other.items) if first else self.ordered(other.items, cells)

    def groups(self, truth: Group, answer: Group) -> bool:
        """Compare two groups: ordered in brackets, in any order elsewhere."""
        shapes = {truth.shape, answer.shape}
        if shapes & {"union", "difference", "intersection"}:
            sets = intervals(truth), intervals(answer)
            if sets[0] is not None and sets[1] is not None:
                return sets[0] == sets[1]
        if shapes & {"union", "difference", "intersection", "ratio", "congruence"} and len(shapes) > 1:
            raise Unsure("the answers are sets that are written in different ways")
        if len(truth.items) != len(answer.items):
            return False
        if shapes == {"tuple"}:
            return self.tuples(truth, answer)
        if shapes == {"ratio"}:
            return self.ratios(truth, answer)
        if shapes <= {"difference", "congruence"}:
            return self.ordered(truth.items, answer.items)
        if "tuple" in shapes:
            if shapes == {"tuple", "list"} and self.ordered(truth.items, answer.items):
                return True
            names = [item.sides[0] for item in truth.items + answer.items if isinstance(item, Relation)]
            if shapes <= {"tuple", "list"} and (not names or names != sorted(names, key=str)) and self.unordered(truth.items, answer.items):
                raise Unsure("one answer is ordered and the other is not")
            return False
        if not self.unordered(truth.items, answer.items):
            return False
        if all(isinstance(item, Words) for item in truth.items) and not self.ordered(truth.items, answer.items):
            raise Unsure("the words are the same in another order")
        return True

    def tuples(self, truth: Group, answer: Group) -> bool:
        """Compare points, vectors and intervals, which their brackets tell apart."""
        if not self.ordered(truth.items, answer.items):
            return False
        if (truth.opens, truth.closes) == (answer.opens, answer.closes):
            return True
        if len(truth.items) == 2:
            return False
        raise Unsure("the brackets of the answers differ")

    def ratios(self, truth: Group, answer: Group) -> bool:
        """Compare 3:4 with 6:8: the quotients with the first part are equal."""
        heads = [[item.head for item in group.items if isinstance(item, Plain)] for group in (truth, answer)]
        products = [
            (Tree("mul", (one, heads[1][0])), Tree("mul", (other, heads[0][0])))
            for one, other in zip(heads[0][1:], heads[1][1:], strict=True)
        ]
        return all(self.values(one, other) for one, other in products)

    def ordered(self, truths: tuple[Node, ...], answers: tuple[Node, ...]) -> bool:
        """Compare item by item; one that differs decides, whatever is unsure."""
        unsure = None
        for truth, answer in zip(truths, answers, strict=True):
            try:
                if not self.same(truth, answer):
                    return False
            except Unsure as error:
                unsure = error
        if unsure:
            raise unsure
        return True

    def unordered(self, truths: tuple[Node, ...], answers: tuple[Node, ...]) -> bool:
        """Find for each item of one the same item of the other."""
        left, unsure = list(answers), None
        nouns = [sorted(_noun(item) for item in items) for items in (truths, answers)]
        if all(nouns[0]) and nouns[0] == nouns[1] and len(set(nouns[0])) == len(nouns[0]):  # 4 red, 3 blue
            return self.ordered(tuple(sorted(truths, key=_noun)), tuple(sorted(answers, key=_noun)))
        missing = 0
        for truth in truths:
            for at, answer in enumerate(left):
                try:
                    if self.same(truth, answer):
                        del left[at]
                        break
                except Unsure as error:
                    unsure = error
            else:
                missing += 1
        if missing and unsure:
            raise unsure
        return not missing and not left

    def relations(self, truth: Node, answer: Node) -> bool:
        """Compare equations and inequalities, or one of them with the value or set that it gives."""
        left, right = as_set(truth), as_set(answer)
        if left and right and (left[0] == right[0] or not left[0] or not right[0]):
            return self.same(left[1], right[1])
        if isinstance(truth, Relation) and isinstance(answer, Relation):
            return self.two_relations(truth, answer)
        relation, other = (truth, answer) if isinstance(truth, Relation) else (answer, truth)
        if not isinstance(relation, Relation):
            return isinstance(truth, Group) and isinstance(answer, Group) and self.alternatives(truth, answer)
        value = value_of(relation)
        if value is None:
            if isinstance(other, Plain) and isinstance(truth, Relation):
                return False
            raise Unsure("only one of the answers is an equation or inequality")
        return self.same(value, other) if relation is truth else self.same(other, value)

    def alternatives(self, truth: Group, answer: Group) -> bool:
        """Compare x = 1 or x = 2 with other solutions."""
        if any(isinstance(item, Relation) and item.signs != ("=",) for item in truth.items + answer.items):
            raise Unsure("only one of the answers is a choice of conditions")
        if len(truth.items) != len(answer.items) and {truth.shape, answer.shape} <= {"or", "list", "set"}:
            return False
        if len(truth.items) != len(answer.items) or {truth.shape, answer.shape} & {"tuple", "union", "ratio"}:
            raise Unsure("only one of the answers is a choice of conditions")
        return self.unordered(truth.items, answer.items)

    def two_relations(self, truth: Relation, answer: Relation) -> bool:
        """Compare two equations, or two inequalities, as conditions on their variables."""
        left, right = renamed(ends(truth)), renamed(ends(answer))
        if len(left.signs) != len(right.signs) or set(left.signs) != set(right.signs):
            pair = {left.signs, right.signs}
            if len(left.signs) == len(right.signs) == 1 and pair in ({("<",), (">",)}, {("\\le",), ("\\ge",)}):
                right = Relation(right.sides[::-1], left.signs)
            else:
                return False
        if left.sides[0] == right.sides[0] and left.signs[0] in EQUALS:
            return self.ordered(left.sides, right.sides)
        trees = [_difference(relation) for relation in (left, right)]
        if trees[0] and trees[1] and len(left.signs) == 1:
            what = "zero" if left.signs[0] in EQUALS | {"\\neq"} else "sign"
            return self.trees(what, trees[0], trees[1], Fraction(0))
        if self.ordered(left.sides[1:], right.sides[1:]):
            if self.ordered(left.sides[:1], right.sides[:1]):
                return True
            raise Unsure("the answers give the same value to different names")
        return False


def _difference(relation: Relation) -> Tree | None:
    """Return left side - right side, turned so that it is positive where an inequality holds."""
    heads = []
    for side in relation.sides:
        plain = as_plain(side)
        if not isinstance(plain, Plain) or plain.unit or plain.percent:
            return None
        heads.append(plain.head)
    if relation.signs[0] in BELOW:
        heads.reverse()
    return Tree("add", (heads[0], Tree("neg", (heads[1],))))


def _moments(truth: Node, answer: Node) -> bool:
    if not isinstance(truth, Moment) or not isinstance(answer, Moment):
        if isinstance(answer, Moment) and isinstance(truth, Plain):
            raise Unsure("the answer is a date or time, and ground_truth is none")
        return False
    same = same_moment(truth, answer)
    if same is None:
        raise Unsure("one of the answers says more of the date or time")
    return same


def _based(truth: Node, answer: Node) -> bool:
    if isinstance(truth, Based) and isinstance(answer, Based):
        if truth.base != answer.base and truth.value is not None and truth.value == answer.value:
            raise Unsure("the answers are equal, but in different bases")
        return truth == answer
    based, other = (truth, answer) if isinstance(truth, Based) else (answer, truth)
    assert isinstance(based, Based)
    value = rational(other.head) if isinstance(other, Plain) else None
    if value is not None and (str(value) == based.digits or value == based.value):
        raise Unsure("only one of the answers has a base")
    return False


def _variable(choice: Choice) -> Plain:
    """Return a letter as the variable or constant that it is."""
    return Plain(parse(choice.letter))


def _is_condition(node: Node) -> bool:
    return isinstance(node, Relation) or (isinstance(node, Group) and node.shape == "or")


def _cells(matrix: Matrix) -> tuple[Node, ...]:
    return tuple(cell for row in matrix.rows for cell in row)


def _noun(node: Node) -> str:
    return node.unit.noun if isinstance(node, Plain) and node.unit else ""


def _infinity(tree: Tree) -> int:
    """Return 1 for infinity, -1 for minus infinity, 0 for others."""
    if tree.op == "neg":
        return -_infinity(tree.args[0])
    return int(tree.op == "const" and tree.name == "oo")


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
