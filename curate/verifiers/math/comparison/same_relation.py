"""Compare equations and inequalities, with each other and with the value or set that they give."""

from fractions import Fraction

from curate.verifiers.math.comparison.same_range import Ranges
from curate.verifiers.math.expressions.parser import Tree
from curate.verifiers.math.reading.kinds import Group, Node, Plain, Relation, Unsure
from curate.verifiers.math.reading.relations import (
    ABOVE,
    BELOW,
    EQUALS,
    as_plain,
    as_set,
    ends,
    has_variables,
    renamed,
    upward,
    value_of,
)


class Relations(Ranges):
    """Compares conditions on variables."""

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
            if isinstance(other, Plain):
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
        left, right = upward(renamed(ends(truth))), upward(renamed(ends(answer)))
        if len(left.signs) != len(right.signs) and set(left.signs + right.signs) <= {*BELOW, *ABOVE}:
            raise Unsure("the inequalities are written in different ways")
        if len(left.signs) != len(right.signs) or set(left.signs) != set(right.signs):
            pair = {left.signs, right.signs}
            if len(left.signs) == len(right.signs) == 1 and pair in ({("<",), (">",)}, {("\\le",), ("\\ge",)}):
                right = Relation(right.sides[::-1], left.signs)
            else:
                return False
        if left.signs != right.signs and len(left.signs) > 1:
            return False
        if left.sides[0] == right.sides[0] and left.signs[0] in EQUALS:
            return self.ordered(left.sides, right.sides)
        trees = [_difference(relation) for relation in (left, right)]
        if trees[0] and trees[1] and len(left.signs) == 1:
            if not has_variables(trees[0]) and not has_variables(trees[1]):
                return self.statements(left, right)
            what = "zero" if left.signs[0] in EQUALS | {"\\neq"} else "sign"
            return self.trees(what, trees[0], trees[1], Fraction(0))
        if self.ordered(left.sides[1:], right.sides[1:]):
            if self.ordered(left.sides[:1], right.sides[:1]):
                return True
            raise Unsure("the answers give the same value to different names")
        return False

    def statements(self, truth: Relation, answer: Relation) -> bool:
        """Compare 2 + 3 = 5 with another relation of numbers, which has no solutions: the same sides are sure."""
        symmetric = truth.signs[0] in EQUALS | {"\\neq"}
        if self.ordered(truth.sides, answer.sides) or (symmetric and self.ordered(truth.sides, answer.sides[::-1])):
            return True
        raise Unsure("the answers are relations of numbers that differ")


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


def is_condition(node: Node) -> bool:
    """Tell whether an answer is an equation or inequality, or a choice of some."""
    return isinstance(node, Relation) or (isinstance(node, Group) and node.shape == "or")
