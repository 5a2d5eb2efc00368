r"""Read an answer as the kind that it is: number, tuple, set, matrix, relation, choice, date, words.

Each reader returns the node of a text that is wholly of its kind, or None. No reader takes a part of a text for its
answer: what no reader knows is ``Words``, or ``Opaque`` where it has signs of mathematics.
"""

import re
from functools import lru_cache

from curate.verifiers.math.brackets import Unbalanced, enclosed, split, split_signs
from curate.verifiers.math.expressions import NotAnExpression, TooCostly, number
from curate.verifiers.math.kinds import Based, Choice, Group, Matrix, Node, Opaque, Plain, Relation, Words
from curate.verifiers.math.moments import read_moments
from curate.verifiers.math.numerals import other_readings, read_numeral
from curate.verifiers.math.quantities import HEAD, read_compound, read_product, read_quantity
from curate.verifiers.math.spelling import clean, key, unwrapped, without_text
from curate.verifiers.math.units import read_unit
from curate.verifiers.math.relations import as_set, is_name

LETTERED = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?(?:[(\[]\s*([A-Ja-j])\s*[)\]]|([A-Ja-j])\s*[).](?!\d)|([A-J])\s*:(?=\s))[.:]?\s*(.*)", re.DOTALL | re.I
)
NAMED = re.compile(r"(?:option|choice|answer)\s*:?\s*([A-J])", re.I)
ENVIRONMENT = re.compile(r"\\begin\s*\{([a-zA-Z]+)\*?\}\s*(.*?)\s*\\end\s*\{\1\*?\}", re.DOTALL)
RELATIONS = {"=", "<", ">", "\\le", "\\ge", "\\neq", "\\in", "\\equiv", "\\approx", "\\subset", "\\subseteq", "\\notin", "\\to", "\\sim"}
RELATION = re.compile(r"[=<>]|\\(?:le|ge|neq)(?![A-Za-z])")
UNKNOWN = "is written in a way that is not understood"
OPEN = {"(": "(", "[": "[", "\\langle": "(", "]": "("}
CLOSE = {")": ")", "]": "]", "\\rangle": ")", "[": ")"}
BASED = r"-?\d[0-9A-Za-z]*(?:\.[0-9A-Za-z]*(?:\\overline\s*\{\w+\})?)?|-?[A-F][0-9A-F]*"
BASE = re.compile(rf"\(?\s*({BASED})\s*\)?\s*(?:_\s*\{{?\s*\(?(-?\d{{1,2}}|[a-z]+)\)?\s*\}}?|,?\s*\(?(?:in )?base[- ](\d{{1,2}}|[a-z]+)\)?)")
MATHEMATICAL = re.compile(r"\\(?!text)[A-Za-z]+|[=^_<>|]|[A-Za-z0-9)][+*/][A-Za-z0-9(]")
SYNONYMS = {
    r"\emptyset": r"\{\}", "emptyset": r"\{\}", "empty set": r"\{\}", "the empty set": r"\{\}", "infinity": r"\infty",
    "positive infinity": r"\infty", "negative infinity": r"-\infty", "minus infinity": r"-\infty", r"+\infty": r"\infty",
    "all real numbers": r"\mathbb{R}", "all reals": r"\mathbb{R}", "the real numbers": r"\mathbb{R}", "real numbers": r"\mathbb{R}",
    r"(-\infty, \infty)": r"\mathbb{R}", r"(-\infty,\infty)": r"\mathbb{R}", r"(-\infty, +\infty)": r"\mathbb{R}",
    r"(-\infty,+\infty)": r"\mathbb{R}", "pi": r"\pi", "dne": "does not exist",
}  # fmt: skip


@lru_cache(8192)
def readings(answer: str) -> tuple[Node, ...]:
    """Return what an answer is, and after that what else it may be: 3,5 is two numbers, or a decimal."""
    text = clean(answer)
    nodes = [read(text)]
    bare = without_text(text)
    if len(moments := read_moments(bare)) > 1:
        nodes.extend(moments[1:])
    if moments and ":" in bare and (ratio := _ratio(bare)):
        nodes.append(ratio)
    if re.fullmatch(r"[A-Za-z]{2,3}", bare):
        segment = len(bare) == 2 and not re.search(r"[IVXLCDM]{2}", bare)  # AB is BA, but IV is not VI
        other = Words((bare.lower(),)) if not isinstance(nodes[0], Words) else read_product(bare) if segment else None
        nodes.extend([other] if other else [])
    sign, digits = ("-", bare[1:]) if bare.startswith("-") else ("", bare)
    nodes.extend(read(sign + str(numeral.value)) for numeral in other_readings(digits))
    if re.fullmatch(r"-?\d{1,3}(?:,-?\d{2,3})+", bare):
        nodes.append(Group("list", tuple(read(part) for part in bare.split(","))))
    return tuple(nodes)


SHORT_WORDS = set(  # words of two or three letters that are no product of variables
    "yes no odd one two six ten red win tie may sun mon tue wed thu fri sat jan feb mar apr jun jul aug sep oct nov dec".split()
)


def _letters(text: str, bare: str) -> Node | None:
    """Return names and words that are letters only; two or three small letters may be a product."""
    if not re.fullmatch(r"[A-Za-z]{2,3}", bare) or bare in ("ln", "pi") or (bare.islower() and bare not in SHORT_WORDS):
        return None
    return Words((bare.lower(),))


def read(text: str) -> Node:
    """Return the node of a cleaned text."""
    text = re.sub(r"\\text\s*\{([^{}]*?),?\s*\b(and|or)\s*\}", r"\\text{\1} \2 ", text)
    text = re.sub(r"\\text\s*\{([^{}]*?)([,;])\s*\}", r"\\text{\1}\2 ", text)
    text = unwrapped(re.sub(r"\\text\s*\{\s*\}", " ", text))
    if not text:
        return Opaque("is empty", "")
    text = SYNONYMS.get(text.lower(), text)
    bare = without_text(text)
    try:
        for reader in (_choice, _letters, _based, _environment, _moment, _number, _bracketed, _congruence, _union, _list, _relation):
            if (node := reader(text, bare)) is not None:
                return node
        return read_quantity(text) or _rest(text, bare)
    except TooCostly as error:
        return Opaque(str(error), key(text), costly=True)
    except (Unbalanced, RecursionError) as error:
        return _rest(text, bare) if isinstance(error, Unbalanced) else Opaque("is nested too deep", key(text), costly=True)


def _rest(text: str, bare: str) -> Node:
    if MATHEMATICAL.search(bare) or not re.search(r"\w", bare):
        return Opaque(UNKNOWN, key(text))
    words = re.findall(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[a-z]+)?|%", bare.lower())
    return Words(tuple(word for word in words if word not in ("a", "an", "the")))


def _choice(text: str, bare: str) -> Node | None:
    if re.fullmatch(r"[A-Za-z]", bare):
        return Choice(bare, False)
    if found := NAMED.fullmatch(bare):
        return Choice(found[1].upper(), True)
    found = LETTERED.fullmatch(bare)
    if not found or re.match(r"[-+*/^_=<>,!'(\[]|\\(?:cdot|times|cup|cap|le|ge|in)\b", found[4]):
        return None
    letter = next(letter for letter in found.groups()[:3] if letter)
    if found[4][:1].isalpha() and bare[found.start(4) - 1] in ")]":  # (a)x is a product
        return None
    return Choice(letter.upper(), True, read(found[4]) if found[4] else None)


def _based(text: str, bare: str) -> Node | None:
    found = BASE.fullmatch(bare)
    if not found:
        return None
    name, digits = found[2] or found[3], found[1].upper().lstrip("0") or "0"
    named = read_numeral(name) if not re.fullmatch(r"-?\d+", name) else None
    base = int(named.value) if named else int(name) if re.fullmatch(r"-?\d+", name) else 0
    if not 2 <= abs(base) <= 36 or any(sign.isalnum() and int(sign, 36) >= abs(base) for sign in re.sub(r"\\[A-Z]+", "", digits)):
        return None
    return Based(digits, base, int(digits, base) if base > 0 and re.fullmatch(r"-?[0-9A-Z]+", digits) else None)


def _environment(text: str, bare: str) -> Node | None:
    inside = enclosed(text) if text[0] in "([" else None
    found = ENVIRONMENT.fullmatch(inside[1] if inside else re.sub(r"^\\\{\s*(?=\\begin)", "", text))
    if not found:
        return None
    name, body = found[1], found[2]
    if name == "array":
        body = re.sub(r"^\{[^{}]*\}", "", body.strip())
    rows = [row for row in split(body, "\\\\") if row.strip()]
    cells = [[part for part in split(row, "&")] for row in rows]
    if name in ("cases", "aligned", "align", "gathered", "split", "gather", "eqnarray") or (
        name == "array" and not inside and RELATION.search(body)
    ):
        lines = [" ".join(filter(None, row)) if "&" in rows[at] else rows[at] for at, row in enumerate(cells)]
        return Group("system", tuple(read(line.strip(" ,;.")) for line in lines))
    if name not in ("pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix", "vmatrix", "Vmatrix", "psmallmatrix"):
        return Opaque(UNKNOWN, key(text))
    return Matrix(tuple(tuple(read(cell) for cell in row) for row in cells), bars=name.lower().startswith("v"))


def _moment(text: str, bare: str) -> Node | None:
    moments = read_moments(bare)
    return moments[0] if moments else _ratio(bare)


def _ratio(bare: str) -> Node | None:
    if not re.fullmatch(r"[\w.\\{}]+(?: ?: ?[\w.\\{}]+)+", bare):
        return None
    try:
        items = [read_quantity(part) for part in split(bare, ":")]
    except (NotAnExpression, Unbalanced):
        return None
    return Group("ratio", tuple(item for item in items if item)) if len(items) > 1 and all(items) else None


def _number(text: str, bare: str) -> Node | None:
    """Return a number, or a quantity that begins with one that has commas: 1,234 apples."""
    if plain := read_compound(bare):
        return plain
    found = HEAD.fullmatch(re.sub(r"^(-?)\s*(?:\\\$|[€£¥₹₩₽])\s*", r"\1", bare))
    if not found or re.search(r"^[,;]|[=<>]|\b(?:and|or)\b", found[3]):
        return None
    decimal = re.fullmatch(r"\d+,\d{1,2}", found[2]) and (unit := read_unit(found[3])) and unit.dimensions
    return read_quantity(text) if decimal or read_numeral(found[2]) else None


def _bracketed(text: str, bare: str) -> Node | None:
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
        items = _expanded(split(inside, ",", ";"))
        return items[0] if len(items) == 1 and isinstance(items[0], Relation) else Group("set", items)
    if opens not in OPEN or closes not in CLOSE:
        return None
    items = split(inside, ";") if ";" in inside else split(inside, ",")
    if len(items) < 2 or not all(items):
        return None if opens != "(" or closes != ")" or not items[0] or len(items) > 1 else read(items[0])
    return Group("tuple", tuple(read(item) for item in items), OPEN[opens], CLOSE[closes])


def _expanded(items: list[str]) -> tuple[Node, ...]:
    """Return the nodes of items, two for one with ±."""
    nodes: list[Node] = []
    for item in filter(None, items):
        node = read(item)
        nodes.extend(node.items if isinstance(node, Group) and node.shape == "list" else [node])
    return tuple(nodes)


def _union(text: str, bare: str) -> Node | None:
    for sign, shape in (("\\cup", "union"), ("\\cap", "intersection"), ("\\setminus", "difference")):
        if sign in text and len(parts := split(text, sign)) > 1 and all(parts):
            return Group(shape, tuple(read(part) for part in parts))
    return None


def _list(text: str, bare: str) -> Node | None:
    """Return a list of answers: 1, 2; x = 1 or x = 2; -1 ± 3."""
    if re.search(r"\\pm(?![A-Za-z])", text) and not any(sign in text for sign in (",", ";", " or ", " and ")):
        signs = [("\\pm", "+"), ("\\mp", "-")], [("\\pm", "-"), ("\\mp", "+")]
        options = []
        for pairs in signs:
            option = text
            for old, new in pairs:
                option = option.replace(old, new)
            options.append(read(option))
        return Group("list", tuple(options)) if not any(isinstance(option, Words | Opaque) for option in options) else None
    text = re.sub(r"(?<=[\w)}\]])\s*\(\s*(\w\s*\\in\s*\\mathbb\{[A-Z]\}[^()]*)\)$", r", \1", text)  # (k in Z)
    listed = re.sub(r",?\s+(?:and|or)\s+(?![^{}]*\})", " ; ", text)
    if not re.search(r"[,;]", listed):
        return None
    parts = [part for part in split(listed, ",", ";")]
    if len(parts) < 2 or not all(parts):
        return None
    nodes = _expanded(parts)
    worded = [isinstance(node, Words) for node in nodes]
    if any(worded) and (not all(worded) or listed != text):
        return None
    first = nodes[0]
    if isinstance(first, Relation) and first.signs == ("=",) and not any(isinstance(node, Relation) for node in nodes[1:]):
        nodes = (first, *(Relation((first.sides[0], node), ("=",)) for node in nodes[1:]))  # x = 1, 2
    if " or " in text and all(isinstance(node, Relation) for node in nodes):
        return Group("or", nodes)
    return Group("list", nodes)


CONGRUENCE = re.compile(r"(.*?)\\equiv\s*(.*?)\s*\(?\s*\\p?mod\s*\{?\s*(\d+)\s*\}?\s*\)?")


def _congruence(text: str, bare: str) -> Node | None:
    """Return x = 3 (mod 7) with the remainder that is less than the modulus."""
    found = CONGRUENCE.fullmatch(text)
    if not found or int(found[3]) == 0:
        return None
    parts = [int(part) % int(found[3]) if re.fullmatch(r"-?\d+", part) else None for part in re.split(r"\s*,\s*", found[2])]
    remainders = [Plain(number(part)) for part in parts if part is not None]
    if len(remainders) < len(parts):
        return None
    remainder = remainders[0] if len(remainders) == 1 else Group("list", tuple(remainders))
    return Group("congruence", (read(found[1]), remainder, Plain(number(int(found[3])))))


def _relation(text: str, bare: str) -> Node | None:
    parts, signs = split_signs(text, RELATIONS)
    if not signs or not all(parts) or signs.count("\\approx") == len(signs) > 1:
        return None
    left, right = read(parts[0]), read(parts[-1])
    pair = isinstance(left, Group) and isinstance(right, Group) and left.shape == right.shape == "tuple" and signs == ["="]
    if pair and is_name(left) and len(left.items) == len(right.items):  # (x, y) = (1, 2)
        return Group("list", tuple(Relation(sides, ("=",)) for sides in zip(left.items, right.items, strict=True)))
    return Relation(tuple(read(part) for part in parts), tuple(signs))


def spelled(answer: str) -> str:
    """Return the spelling of an answer without typesetting; equal spellings are equal answers."""
    return key(clean(answer))
