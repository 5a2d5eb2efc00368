"""Compare tuples, intervals, sets, lists, systems, unions, ratios and matrices."""

from curate.verifiers.math.comparison.intervals import intervals
from curate.verifiers.math.comparison.same_quantity import Quantities
from curate.verifiers.math.expressions.parser import Tree
from curate.verifiers.math.reading.kinds import Group, Matrix, Node, Opaque, Plain, Relation, Unsure, Words
from curate.verifiers.math.reading.relations import ABOVE, BELOW

WHOLE = {"number", "var", "const", "add", "neg", "mul", "div", "pow"}  # operations of polynomials
SETS = {"union", "difference", "intersection"}


class Groups(Quantities):
    """Compares answers of several parts."""

    def same(self, truth: Node, answer: Node) -> bool:
        """Tell whether two parts are the same."""
        raise NotImplementedError

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
        if group.shape == "piecewise":
            return self.pieces_and_formula(group, single)
        if group.shape == "congruence" and self.same(group.items[-2], single):
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
        if rows := _rows(other):  # [[1, 2], [3, 4]]
            other = Matrix(rows)
            return self.several(matrix, other) if first else self.several(other, matrix)
        if not isinstance(other, Group) or other.shape != "tuple" or min(len(matrix.rows), len(matrix.rows[0])) > 1:
            return False
        return self.ordered(cells, other.items) if first else self.ordered(other.items, cells)

    def groups(self, truth: Group, answer: Group) -> bool:
        """Compare two groups: ordered in brackets, in any order elsewhere."""
        if "piecewise" in (truth.shape, answer.shape):
            return self.piecewise(truth, answer)
        if any(map(_is_dots, truth.items + answer.items)):
            return self.patterns(truth, answer)
        if _is_inequalities(truth) != _is_inequalities(answer) and truth.items and answer.items:
            raise Unsure("only one of the answers is a list of inequalities")
        return self.parts(truth, answer)

    def parts(self, truth: Group, answer: Group) -> bool:
        """Compare two groups of which all parts are written."""
        shapes = {truth.shape, answer.shape}
        if shapes & SETS:
            sets = intervals(truth), intervals(answer)
            if sets[0] is not None and sets[1] is not None:
                return sets[0] == sets[1]
        if shapes & {*SETS, "ratio", "congruence"} and len(shapes) > 1:
            raise Unsure("the answers are sets that are written in different ways")
        if shapes == {"congruence"}:  # 3 (mod 7) has no name
            named = len(truth.items) == len(answer.items)
            return self.ordered(truth.items[-3 if named else -2 :], answer.items[-3 if named else -2 :])
        if len(truth.items) != len(answer.items):
            if shapes & SETS:
                raise Unsure("the answers are sets that are written in different ways")
            return False
        if shapes == {"tuple"}:
            return self.tuples(truth, answer)
        if shapes == {"ratio"}:
            return self.ratios(truth, answer)
        if shapes == {"difference"}:
            return self.ordered(truth.items, answer.items)
        return self.tuple_and_list(truth, answer) if "tuple" in shapes else self.lists(truth, answer)

    def piecewise(self, truth: Group, answer: Group) -> bool:
        """Compare the values of functions whose pieces have the same conditions; others may be the same function."""
        left, pairs = _pieces(answer), []
        for value, condition in _pieces(truth):
            for at, (_, other) in enumerate(left):
                if self.is_sure(condition, other):
                    pairs.append((value, left.pop(at)[0]))
                    break
        same = self.ordered(tuple(one for one, _ in pairs), tuple(other for _, other in pairs))
        if same and (left or len(pairs) < len(truth.items)):
            raise Unsure("the pieces of the answers differ in their conditions")
        return same

    def pieces_and_formula(self, function: Group, single: Node) -> bool:
        """Refuse to compare pieces with a formula, but where that is none of pieces itself and differs from a piece."""
        whole = isinstance(single, Plain) and not _has_pieces(single.head)
        if whole and not all(self.is_sure(value, single) for value, _ in _pieces(function)):
            return False
        raise Unsure("only one of the answers is piecewise")

    def is_sure(self, truth: Node, answer: Node) -> bool:
        """Tell whether two parts are surely the same."""
        try:
            return self.same(truth, answer)
        except Unsure:
            return False

    def patterns(self, truth: Group, answer: Group) -> bool:
        """Compare 1, 2, ..., 10 by what stands before and after the dots."""
        halves = [_around_dots(group) for group in (truth, answer)]
        (before, after), (other_before, other_after) = halves
        listed = [group for group in (truth, answer) if not any(map(_is_dots, group.items))]
        if listed and len(listed[0].items) < len(truth.items + answer.items) - len(listed[0].items):
            return False  # 1, 10 has nothing for the dots of 1, ..., 10
        known = min(len(before), len(other_before))
        if not self.ordered(before[:known], other_before[:known]):
            return False
        if after is None or other_after is None or len(after) != len(other_after) or truth.shape != answer.shape:
            raise Unsure("the answers are sequences with dots that are written in different ways")
        if not self.ordered(after, other_after):
            return False
        if len(before) != len(other_before):
            raise Unsure("the answers are sequences with dots that are written in different ways")
        return True

    def lists(self, truth: Group, answer: Group) -> bool:
        """Compare items in any order; words only in the same one."""
        if not self.unordered(truth.items, answer.items):
            return False
        if all(isinstance(item, Words) for item in truth.items) and not self.ordered(truth.items, answer.items):
            raise Unsure("the words are the same in another order")
        names = [_names(group) for group in (truth, answer)]
        if max(map(len, names)) > 1 and not min(map(len, names)):  # x = 1, y = 2 and 2, 1
            if "set" in (truth.shape, answer.shape) or not self.ordered(truth.items, answer.items):
                raise Unsure("only one of the answers has names")
        return True

    def tuple_and_list(self, truth: Group, answer: Group) -> bool:
        """Compare (1, 2) with 1, 2 or x = 1, y = 2, of which the order is the same; with a set it is never."""
        brackets = {group.opens + group.closes for group in (truth, answer) if group.shape == "tuple"}
        if {truth.shape, answer.shape} not in ({"tuple", "list"}, {"tuple", "system"}) or brackets != {"()"}:
            return False
        if self.ordered(truth.items, answer.items):
            return True
        names = [item.sides[0] for item in truth.items + answer.items if isinstance(item, Relation)]
        if (not names or names != sorted(names, key=str)) and self.unordered(truth.items, answer.items):
            raise Unsure("one answer is ordered and the other is not")
        return False

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


def _cells(matrix: Matrix) -> tuple[Node, ...]:
    return tuple(cell for row in matrix.rows for cell in row)


def _noun(node: Node) -> str:
    return node.unit.noun if isinstance(node, Plain) and node.unit else ""


def _has_pieces(tree: Tree) -> bool:
    """Tell whether a formula may have pieces, as |x| and (-1)^n have; sums, products and powers of x have none."""
    if tree.op == "pow" and tree.args[1].op != "number":
        return True
    return tree.op not in WHOLE or any(map(_has_pieces, tree.args))


def _is_dots(node: Node) -> bool:
    return isinstance(node, Opaque) and node.text == "\\ldots"


def _around_dots(group: Group) -> tuple[tuple[Node, ...], tuple[Node, ...] | None]:
    """Return the items before and after the dots; None for those after where there are none, or several."""
    places = [at for at, item in enumerate(group.items) if _is_dots(item)]
    if not places:
        return group.items, None
    return group.items[: places[0]], group.items[places[0] + 1 :] if len(places) == 1 else None


def _pieces(group: Group) -> list[tuple[Node, Node]]:
    """Return the value and the condition of each piece; none for another kind of group."""
    found = [item.items for item in group.items if isinstance(item, Group) and item.shape == "piece"]
    return [(items[0], items[1]) for items in found]


def _names(group: Group) -> set[Node]:
    """Return the left sides of equations."""
    return {item.sides[0] for item in group.items if isinstance(item, Relation) and item.signs == ("=",)}


def _is_inequalities(group: Group) -> bool:
    return all(isinstance(item, Relation) and set(item.signs) <= {*BELOW, *ABOVE} for item in group.items)


def _rows(node: Node) -> tuple[tuple[Node, ...], ...] | None:
    """Return the rows of a tuple of tuples of one length."""
    if not isinstance(node, Group) or node.shape != "tuple":
        return None
    rows = tuple(item.items for item in node.items if isinstance(item, Group) and item.shape == "tuple")
    return rows if len(rows) == len(node.items) and len({len(row) for row in rows}) == 1 else None
