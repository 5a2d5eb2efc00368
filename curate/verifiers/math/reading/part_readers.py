r"""Read answers of several parts: matrices, systems, tuples, intervals, sets, unions, lists, relations.

Each function takes a cleaned text and ``read``, which returns the node of a part; it returns None for other kinds.
"""

import re
from collections.abc import Callable
from typing import TypeGuard

from curate.verifiers.math.expressions.parser import number
from curate.verifiers.math.reading.brackets import enclosed, split, split_signs
from curate.verifiers.math.reading.kinds import UNKNOWN, Group, Matrix, Node, Opaque, Plain, Relation, Words
from curate.verifiers.math.reading.lines import are_several
from curate.verifiers.math.reading.piecewise import read_piecewise, row_of_equations
from curate.verifiers.math.reading.relations import as_set, is_name
from curate.verifiers.math.reading.spelling import key

Read = Callable[[str], Node]
ENVIRONMENT = re.compile(r"\\begin\s*\{([a-zA-Z]+)\*?\}\s*(.*?)\s*\\end\s*\{\1\*?\}", re.DOTALL)
RELATIONS = {"=", "<", ">", "\\le", "\\ge", "\\neq", "\\in", "\\notin", "\\equiv", "\\approx", "\\sim", "\\to"}
RELATIONS |= {"\\subset", "\\subseteq"}
SYSTEMS = {"cases", "aligned", "align", "gathered", "gather", "split", "eqnarray"}
MATRICES = {"matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix", "psmallmatrix", "array"}
RELATION = re.compile(r"[=<>]|\\(?:le|ge|neq)(?![A-Za-z])")
OPEN = {"(": "(", "[": "[", "\\langle": "(", "]": "("}
CLOSE = {")": ")", "]": "]", "\\rangle": ")", "[": ")"}
CONGRUENCE = re.compile(r"(?:(.*?)\\equiv\s*(.*?)|(-?\d+))\s*\(?\s*(?:\\p?|(?<=\())mod\s*\{?\s*(\d+)\s*\}?\s*\)?")


def read_environment(text: str, read: Read) -> Node | None:
    """Return a matrix or a system of equations."""
    inside = enclosed(text) if text[0] in "([" else None
    found = ENVIRONMENT.fullmatch(inside[1] if inside else re.sub(r"^\\\{\s*(?=\\begin)", "", text))
    if not found:
        return None
    name, body = found[1], found[2]
    if name == "array":
        body = re.sub(r"^\{[^{}]*\}", "", body.strip())
    rows = [row for row in split(body, "\\\\") if row.strip()]
    cells = [[part for part in split(row, "&")] for row in rows]
    if name in SYSTEMS or (name == "array" and not inside and RELATION.search(body)):
        if name in ("cases", "array") and (pieces := read_piecewise(cells, read)):
            return pieces
        lines = [row_of_equations(row) if "&" in rows[at] else rows[at] for at, row in enumerate(cells)]
        return Group("system", tuple(read(line.strip(" ,;.")) for line in lines))
    if name not in MATRICES:
        return Opaque(UNKNOWN, key(text))
    return Matrix(tuple(tuple(read(cell) for cell in row) for row in cells), bars=name.lower().startswith("v"))


def read_bracketed(text: str, read: Read) -> Node | None:
    """Return a tuple, an interval, a vector or a set."""
    if text[0] == "]" or (text[-1] == "[" and text[0] in "[]"):  # French: ]1, 2[
        if found := re.fullmatch(r"([\[\]])([^\[\]]*?)[,;]([^\[\]]*)([\[\]])", text):
            opens, closes = "[" if found[1] == "[" else "(", "]" if found[4] == "]" else ")"
            return Group("tuple", (read(found[2]), read(found[3])), opens, closes)
        return None
    found = enclosed(text)
    if not found:
        return None
    opens, inside, closes = found
    if opens == "\\{" and closes == "\\}":
        if condition := re.search(r"\||:", inside):
            node = read(inside[condition.end() :])
            return node if as_set(node) else Opaque("is a set by a condition", key(text))
        items = _expanded(split(inside, ",", ";"), read)
        return items[0] if len(items) == 1 and isinstance(items[0], Relation) else Group("set", items)
    if opens not in OPEN or closes not in CLOSE:
        return None
    items = split(inside, ";") if ";" in inside else split(inside, ",")
    if opens == "[" and len(items) == 1 and inside.startswith("["):  # [[1, 2]]: a matrix of one row
        return Group("tuple", (read(inside),), "[", "]")
    if len(items) < 2 or not all(items):
        return None if opens != "(" or closes != ")" or not items[0] or len(items) > 1 else read(items[0])
    return Group("tuple", tuple(read(item) for item in items), OPEN[opens], CLOSE[closes])


def _expanded(items: list[str], read: Read) -> tuple[Node, ...]:
    """Return the nodes of items, two for one with ±."""
    nodes: list[Node] = []
    for item in filter(None, items):
        node = read(item)
        nodes.extend(node.items if isinstance(node, Group) and node.shape == "list" else [node])
    return tuple(nodes)


def read_union(text: str, read: Read) -> Node | None:
    """Return a union, intersection or difference of sets."""
    for sign, shape in (("\\cup", "union"), ("\\cap", "intersection"), ("\\setminus", "difference")):
        if sign in text and len(parts := split(text, sign)) > 1 and all(parts):
            nodes = [read(part) for part in parts]
            if shape == "union":  # (A or B) or C
                nodes = [item for node in nodes for item in (node.items if _is_union(node) else (node,))]
            return Group(shape, tuple(nodes))
    return None


def _is_union(node: Node) -> TypeGuard[Group]:
    return isinstance(node, Group) and node.shape == "union"


def read_list(text: str, read: Read) -> Node | None:
    """Return a list of answers: 1, 2; x = 1 or x = 2; -1 ± 3."""
    if re.search(r"\\pm(?![A-Za-z])", text) and not any(sign in text for sign in (",", ";", " or ", " and ")):
        signs = [("\\pm", "+"), ("\\mp", "-")], [("\\pm", "-"), ("\\mp", "+")]
        options = []
        for pairs in signs:
            option = text
            for old, new in pairs:
                option = option.replace(old, new)
            options.append(read(option))
        return (
            Group("list", tuple(options)) if not any(isinstance(option, Words | Opaque) for option in options) else None
        )
    text = re.sub(r"(?<=[\w)}\]])\s*\(\s*(\w\s*\\in\s*\\mathbb\{[A-Z]\}[^()]*)\)$", r", \1", text)  # (k in Z)
    listed = re.sub(r",?\s+(?:and|or)\s+(?![^{}]*\})", " ; ", text)
    if not re.search(r"[,;]", listed):
        return None
    parts = [part for part in split(listed, ",", ";")]
    if len(parts) < 2 or not all(parts):
        return None
    nodes = _expanded(parts, read)
    worded = [isinstance(node, Words) for node in nodes]
    if any(worded) and (not all(worded) or listed != text):
        return None
    first = nodes[0]
    if (
        isinstance(first, Relation)
        and first.signs in (("=",), ("\\neq",))
        and not any(isinstance(node, Relation) for node in nodes[1:])
    ):
        nodes = (first, *(Relation((first.sides[0], node), first.signs) for node in nodes[1:]))  # x = 1, 2
    if " or " in text and all(isinstance(node, Relation) for node in nodes):
        return Group("or", nodes)
    return Group("list", nodes)


def read_congruence(text: str, read: Read) -> Node | None:
    """Return x = 3 (mod 7), or 3 (mod 7) alone, with the remainder that is less than the modulus."""
    found = CONGRUENCE.fullmatch(text)
    if not found or int(found[4]) == 0:
        return None
    modulus = int(found[4])
    parts = [
        int(part) % modulus if re.fullmatch(r"-?\d+", part) else None
        for part in re.split(r"\s*,\s*", found[2] or found[3])
    ]
    remainders = [Plain(number(part)) for part in parts if part is not None]
    if len(remainders) < len(parts):
        return None
    remainder = remainders[0] if len(remainders) == 1 else Group("list", tuple(remainders))
    named = () if found[3] else (read(found[1]),)
    return Group("congruence", (*named, remainder, Plain(number(modulus))))


def read_relation(text: str, read: Read) -> Node | None:
    """Return an equation, an inequality or a membership; (x, y) = (1, 2) as two equations."""
    parts, signs = split_signs(text, RELATIONS)
    if not signs or not all(parts) or signs.count("\\approx") == len(signs) > 1:
        return None
    if signs[-1] == "\\approx" and not is_name(exact := read(parts[-2])):  # 40/3 or x = 40/3, with a decimal after it
        return exact if len(parts) == 2 else read_relation(text[: text.rindex("\\approx")].strip(), read)
    if are_several(parts, signs):
        return Opaque("may be several equations, or a chain of one", key(text))
    left, right = read(parts[0]), read(parts[-1])
    pair = (
        isinstance(left, Group) and isinstance(right, Group) and left.shape == right.shape == "tuple" and signs == ["="]
    )
    if pair and is_name(left):  # (x, y) = (1, 2)
        if len(left.items) != len(right.items):
            return Opaque("gives names another number of values", key(text))
        return Group("list", tuple(Relation(sides, ("=",)) for sides in zip(left.items, right.items, strict=True)))
    return Relation(tuple(read(part) for part in parts), tuple(signs))
