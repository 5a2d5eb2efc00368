"""Equations and inequalities: the variable that they are about, and the value or set that they give it."""

import re

from curate.verifiers.math.expressions.exact import rational
from curate.verifiers.math.expressions.parser import Tree, parse
from curate.verifiers.math.reading.kinds import Choice, Group, Matrix, Node, Opaque, Plain, Relation, Words

EQUALS = {"=", "\\approx"}
BELOW, ABOVE = ("<", "\\le"), (">", "\\ge")
INFINITY = Tree("const", name="oo")


def value_of(relation: Relation) -> Node | None:
    """Return the value that a relation gives to a name: 5 of x = 5, x = 10/2 = 5 and 5 = x; None if it gives none."""
    if relation.signs == ("\\in",):
        return relation.sides[1]
    if not set(relation.signs) <= EQUALS:
        return None
    values = [rational(side.head) if isinstance(side, Plain) and not side.unit else None for side in relation.sides]
    if None not in values and len(set(values)) == 1:  # 2 + 3 = 5
        return relation.sides[-1]
    if is_name(relation.sides[0]) or isinstance(relation.sides[-1], Matrix):
        return relation.sides[-1]
    return relation.sides[0] if len(relation.sides) == 2 and is_name(relation.sides[1]) else None


def ends(relation: Relation) -> Relation:
    """Return a chain of equations as its first and last side: x = 10/2 = 5 as x = 5."""
    chain = len(relation.signs) > 1 and set(relation.signs) <= EQUALS
    return Relation((relation.sides[0], relation.sides[-1]), ("=",)) if chain else relation


def upward(relation: Relation) -> Relation:
    """Return a chain of > and >= with its sides in the other order: c > b > a as a < b < c."""
    if len(relation.signs) < 2 or not all(sign in ABOVE for sign in relation.signs):
        return relation
    return Relation(relation.sides[::-1], tuple(BELOW[ABOVE.index(sign)] for sign in relation.signs[::-1]))


def renamed(relation: Relation) -> Relation:
    """Return f(n) = n as f(x) = x: the argument of a function that is defined has no name of its own."""
    left = relation.sides[0]
    if not isinstance(left, Plain) or relation.signs != ("=",):
        return relation
    head = left.head.args[0] if left.head.op == "either" else left.head
    if head.op != "call" or head.args[0].op != "var":
        return relation
    name = head.args[0].name
    sides = [as_plain(side) for side in relation.sides]
    made = (side._replace(head=_with_name(side.head, name)) if isinstance(side, Plain) else side for side in sides)
    return Relation(tuple(made), relation.signs)


def as_plain(node: Node) -> Node:
    """Return a letter as the variable or constant that it is, also after a number, and any other node as it is."""
    if isinstance(node, Plain) and node.product:
        return Plain(node.product)
    return Plain(parse(node.letter)) if isinstance(node, Choice) and not node.marked else node


def _with_name(tree: Tree, name: str) -> Tree:
    if tree.op == "var":
        return tree._replace(name="argument") if tree.name == name else tree
    return tree._replace(args=tuple(_with_name(part, name) for part in tree.args))


def is_name(node: Node) -> bool:
    """Tell whether a side is a name that is given a value: x, f(x), AB, Area, (x, y)."""
    if isinstance(node, Choice):
        return not node.marked
    if isinstance(node, Group):
        return node.shape == "tuple" and all(map(is_name, node.items))
    if isinstance(node, Opaque):  # P(X > 2), [ABC]
        return re.fullmatch(r"\\?[A-Za-z]+\(.*\)|\[[A-Z]+\]|\|.*\|", node.text) is not None
    if isinstance(node, Words):
        return len(node.words) < 4 and not set(node.words) & {"at", "when", "if", "for", "where", "max", "min", "not"}
    return isinstance(node, Plain) and not node.unit and not node.percent and _is_product_of_names(node.head)


def _is_product_of_names(tree: Tree) -> bool:
    if tree.op in ("var", "call", "either") or (tree.op == "const" and tree.name in ("e", "i")):
        return True
    if tree.op == "fn" and tree.name == "abs":
        return _is_product_of_names(tree.args[0])
    return tree.op == "mul" and all(map(_is_product_of_names, tree.args))


def as_set(node: Node) -> tuple[str, Node] | None:
    """Return (variable, set of its values) of an inequality or membership, ("", set) of a set; None for others."""
    if isinstance(node, Group):
        if node.shape == "or":
            parts = [as_set(item) for item in node.items]
            found = [part for part in parts if part]
            if len(found) == len(parts) and len({name for name, _ in found}) == 1:
                return found[0][0], Group("union", tuple(part for _, part in found))
            return None
        pair = node.shape == "tuple" and len(node.items) == 2
        return ("", node) if pair or node.shape in ("union", "difference", "set") else None
    if not isinstance(node, Relation):
        return None
    if node.signs == ("\\in",):
        name = _variable(node.sides[0])
        return (name, node.sides[1]) if name and isinstance(node.sides[1], Group) else None
    return _interval(node)


def _interval(node: Relation) -> tuple[str, Node] | None:
    sides, signs = node.sides, node.signs
    if all(sign in ABOVE for sign in signs):
        sides, signs = sides[::-1], tuple(BELOW[ABOVE.index(sign)] for sign in signs[::-1])
    if not all(sign in BELOW for sign in signs) or len(sides) > 3:
        return None
    if len(sides) == 2 and (size := _absolute(sides[0])) and isinstance(sides[1], Plain):  # |x| < 1
        sides, signs = (sides[1]._replace(head=Tree("neg", (sides[1].head,))), size, sides[1]), signs * 2
    if len(sides) == 3:
        low, middle, high = sides
        name, strict = _variable(middle), (signs[0] == "<", signs[1] == "<")
    elif name := _variable(sides[1]):
        low, high, strict = sides[0], Plain(INFINITY), (signs[0] == "<", True)
    else:
        low, high, strict = Plain(Tree("neg", (INFINITY,))), sides[1], (True, signs[0] == "<")
        name = _variable(sides[0])
    if not name or not _is_constant(low) or not _is_constant(high):
        return None
    return name, Group("tuple", (low, high), "(" if strict[0] else "[", ")" if strict[1] else "]")


def _absolute(node: Node) -> Plain | None:
    """Return x of |x|."""
    is_size = isinstance(node, Plain) and not node.unit and node.head.op == "fn" and node.head.name == "abs"
    return Plain(node.head.args[0]) if is_size and node.head.args[0].op == "var" else None


def _variable(node: Node) -> str:
    if isinstance(node, Choice):
        return "" if node.marked else node.letter
    return node.head.name if isinstance(node, Plain) and node.head.op == "var" and not node.unit else ""


def _is_constant(node: Node) -> bool:
    return isinstance(node, Plain) and not has_variables(node.head)


def has_variables(tree: Tree) -> bool:
    """Tell whether an expression depends on a variable."""
    return tree.op in ("var", "call") or any(map(has_variables, tree.args))
