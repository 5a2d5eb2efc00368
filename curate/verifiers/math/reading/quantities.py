r"""Read a number or an expression with the unit, the currency or the percent sign beside it."""

import re
from fractions import Fraction

from curate.verifiers.math.expressions.parser import Tree, number, parse
from curate.verifiers.math.expressions.tokens import NotAnExpression
from curate.verifiers.math.reading.kinds import Plain
from curate.verifiers.math.reading.numerals import Numeral, read_numeral
from curate.verifiers.math.reading.spelling import without_text
from curate.verifiers.math.reading.units import LETTERS, Unit, known, read_unit

MONEY = re.compile(r"(-?)\s*((?:US|USD ?)?\\\$|[€£¥₹₩₽]|USD|EUR|GBP|Rs\.?)\s*(-?)\s*(?=[\d.\\(])(.+)", re.DOTALL)
ORDINAL = re.compile(r"(\d+) ?(?:st|nd|rd|th)")
FILLER = re.compile(
    r"^(?:\\text\s*\{\s*)?(?:about|approximately|approx\.?|around|exactly|roughly|a total of|only)\s*\}?\s*"
    r"(?=[-\d\\$€£])",
    re.I,
)
HEAD = re.compile(r"([-+]?)\s*((?:\d[\d ,.']*\d|\d|\.\d+)(?:[eE][-+]?\d+)?)(?![\d_])\s*(.*)", re.DOTALL)
PART = re.compile(r"\s*(?:,|and)?\s*(\d+(?:\.\d+)?|\d+/\d+)\s*([^\W\d_]+\.?|'|\"|\\\$|°)")
MARKS = {"'": "ft", '"': "in"}
SPLITS = re.compile(
    r"\\text\s*\{|(?<=[\d})\w])\s*(?=\^\\circ)|(?<=[\d})\s])(?=[A-Za-z$€£¥]{2,})|(?<=[\d})])\s+(?=[A-Za-z])|(?<=[\d})])\s*(?=[€£¥₹]|\\\$)"
)
DEGREES = re.compile(r"\^\\circ|degrees?|deg")
TRIGONOMETRY = re.compile(r"(?<![A-Za-z])(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])(?!\s*\^\s*\{?-)")
UNMIXED = re.compile(r"(\d+)[ -](\d+)/(\d+)")


def read_quantity(text: str) -> Plain | None:
    """Return the quantity that a cleaned text is, or None if it is anything else.

    Raises:
        TooCostly: If the expression is nested too deep.
    """
    text = FILLER.sub("", text.strip())
    bare = without_text(text)
    if plain := _number(ORDINAL.sub(r"\1", bare) if ORDINAL.fullmatch(bare) else bare):
        return plain
    if percent := re.fullmatch(r"(.+?)\s*(?:%|percents?|per cent)", bare, re.DOTALL):
        inside = read_quantity(percent[1])
        return inside._replace(percent=True) if inside and not inside.unit and not inside.percent else None
    if bare.startswith("百分之") and (inside := _number(bare[3:])):
        return inside._replace(percent=True)
    if money := MONEY.fullmatch(bare):
        return _money(money)
    return read_compound(bare) or _with_unit(text, bare) or _expression(bare)


def _number(bare: str) -> Plain | None:
    sign, digits = (bare[0], bare[1:].strip()) if bare[:1] in ("-", "+") else ("", bare)
    for word in ("负", "negative ", "minus "):
        if digits.lower().startswith(word):
            sign, digits = "-", digits[len(word) :]
    return _plain(read_numeral(digits), sign)


def _plain(numeral: Numeral | None, sign: str) -> Plain | None:
    return numeral and Plain(number(-numeral.value if sign == "-" else numeral.value), places=numeral.places)


def _money(found: re.Match[str]) -> Plain | None:
    currency = re.sub(r"^(?:US|USD ?)\\\$|^USD", r"\\$", found[2]).replace("Rs.", "Rs")
    unit = read_unit(currency)
    digits = re.sub(r"^(\d+),(\d\d)$", r"\1.\2", found[4]) if currency != "\\$" else found[4]
    inside = read_quantity(digits)
    if not inside or not unit or inside.percent:
        return None
    if inside.unit and inside.unit.dimensions != unit.dimensions:
        if inside.unit.dimensions and not any(power < 0 for _, power in inside.unit.dimensions):
            return None
        unit = unit._replace(noun=inside.unit.noun, extra=inside.unit.extra)
    sign = found[1] or found[3]
    return inside._replace(head=Tree("neg", (inside.head,)) if sign else inside.head, unit=unit)


def read_compound(bare: str) -> Plain | None:
    """Return a sum of quantities of one dimension: 2 hours 30 minutes, 3' 5", 2h 30m."""
    parts = list(PART.finditer(bare))
    if len(parts) < 2 or sum(len(part[0]) for part in parts) != len(bare):
        return None
    words = [MARKS.get(part[2], part[2].strip(".")) for part in parts]
    if "h" in words or "hr" in words:
        words = ["min" if word == "m" else word for word in words]
    found = [known(word) for word in words]
    units = [unit for unit in found if unit]
    if (
        len(units) < len(parts)
        or len({dimension for dimension, _ in units}) > 1
        or len({size for _, size in units}) < len(units)
    ):
        return None
    total = sum((Fraction(part[1]) * size for part, (_, size) in zip(parts, units, strict=True)), Fraction(0))
    unit = Unit(((units[0][0], 1),), Fraction(1))
    return Plain(number(total), unit, parts=tuple(total / size for _, size in units))


def _with_unit(text: str, bare: str) -> Plain | None:
    if found := HEAD.fullmatch(bare):
        sign, digits, tail = found.groups()
        digits = digits.strip(" ,")
        near = re.search(r"\d(?=" + re.escape(tail) + "$)", bare) is not None
        if (
            tail
            and tail[0] not in "-*/(+"
            and not (tail.startswith(("\\cdot", "\\times")) and "\\text" not in text)
            and (unit := read_unit(tail))
            and (unit.dimensions or unit.extra or _is_noun(tail, text))
        ):
            letter_beside = near and tail in LETTERS and "\\text" not in text
            digits = re.sub(r"^(\d+),(\d{1,2})$", r"\1.\2", digits)
            if not letter_beside and (plain := _plain(read_numeral(digits), sign)):
                return plain._replace(unit=unit, product=_product(bare, tail) if "\\text" not in text else None)
        if tail.startswith(("hundred", "thousand", "million", "billion", "trillion", "dozen")):
            return _scaled(sign, digits, tail)
    words = re.fullmatch(r"((?:[a-z]+[ -])*?[a-z]+) ([^\d\\]+)", bare, re.I)
    if words and (numeral := read_numeral(words[1])) and (unit := read_unit(words[2])):
        return Plain(number(numeral.value), unit)
    for place in SPLITS.finditer(text):
        head, tail = text[: place.start()].strip(), without_text(text[place.start() :].strip())
        if DEGREES.fullmatch(tail) and (angle := _angle(head)):
            return angle
        unit = read_unit(tail) if head and tail and (len(head) == 1 or re.search(r"\d|\\", head)) else None
        if unit and (unit.dimensions or _is_noun(tail, text)) and not (tail in LETTERS and "\\text" not in text):
            if plain := _number(head) or _expression(head):
                return plain._replace(unit=unit)
    return None


def _angle(head: str) -> Plain | None:
    r"""Return an expression before a degree sign of its last number only: \tan 45^\circ, 60^\circ + 30^\circ."""
    if TRIGONOMETRY.search(head):
        return _expression(without_text(head) + "^\\circ")
    if "^\\circ" not in head:
        return None
    terms = re.split(r"[-+]", without_text(head) + "^\\circ")
    if all(term.count("^\\circ") == 1 and term.strip().endswith("^\\circ") for term in terms):
        plain = _expression(without_text(head).replace("^\\circ", ""))
        return plain and plain._replace(unit=read_unit("^\\circ"))
    return _expression(without_text(head) + "^\\circ")


def _product(bare: str, tail: str) -> Tree | None:
    """Return 9.8 t as a product, if its unit is of single letters; m/s is a unit."""
    words = re.findall(r"[^\W\d_]+", tail)
    if "/" in tail or not tail.isascii() or "\\" in tail or "$" in tail or any(len(word) > 1 for word in words):
        return None
    product = _expression(bare) if words else None
    return product.head if product else None


def _is_noun(tail: str, text: str) -> bool:
    r"""Tell whether words after a number are a noun, and no product of variables such as ``5 xy``."""
    spaced = re.search(r"[\d})] +[a-z]{3}$", text) is not None
    return "\\text" in text or spaced or re.search(r"[^\W\d_]{4,}", tail) is not None or not tail.isascii()


def _scaled(sign: str, digits: str, tail: str) -> Plain | None:
    scale, _, rest = tail.partition(" ")
    numeral = read_numeral(f"{digits} {scale}")
    unit = read_unit(rest) if rest else None
    plain = _plain(numeral, sign) if not rest or unit else None
    return plain and plain._replace(unit=unit)


def _expression(bare: str) -> Plain | None:
    if not bare or len(bare) > 600:
        return None
    try:
        return Plain(parse(UNMIXED.sub(_mixed, bare) if UNMIXED.fullmatch(bare.strip("-")) else bare))
    except NotAnExpression:
        return None


def read_product(bare: str) -> Plain | None:
    """Return letters as a product of variables, or None if they are a word."""
    return _expression(bare)


def _mixed(found: re.Match[str]) -> str:
    """Return 2-1/2 and 2 1/2 as a mixed number, if the part is less than 1 and the text has the hyphen or space."""
    return f"{found[1]} {found[2]}/{found[3]}" if found[0][len(found[1])] == " " else found[0]
