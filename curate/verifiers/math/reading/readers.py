r"""Read an answer as the kind that it is: number, tuple, set, matrix, relation, choice, date, words.

Each reader returns the node of a text that is wholly of its kind, or None. No reader takes a part of a text for its
answer: what no reader knows is ``Words``, or ``Opaque`` where it has signs of mathematics.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from curate.verifiers.math.expressions.parser import TooCostly
from curate.verifiers.math.reading.brackets import Unbalanced, split
from curate.verifiers.math.reading.kinds import UNKNOWN, Based, Choice, Group, Node, Opaque, Words
from curate.verifiers.math.reading.labels import read_labelled
from curate.verifiers.math.reading.lines import with_semicolons
from curate.verifiers.math.reading.moments import read_moments
from curate.verifiers.math.reading.numerals import other_readings, read_numeral
from curate.verifiers.math.reading.part_readers import (
    read_bracketed,
    read_congruence,
    read_environment,
    read_list,
    read_relation,
    read_union,
)
from curate.verifiers.math.reading.phrases import SHORT_WORDS, words_of
from curate.verifiers.math.reading.quantities import HEAD, read_compound, read_product, read_quantity
from curate.verifiers.math.reading.ranges import read_range
from curate.verifiers.math.reading.spelling import clean, key, unwrapped, without_text
from curate.verifiers.math.reading.units import read_unit

LETTERED = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?"
    r"(?:[(\[]\s*([A-Ja-j])\s*[)\]]|([A-Ja-j])\s*[).](?!\d)|([A-J])\s*:(?=\s))[.:]?\s*(.*)",
    re.DOTALL | re.I,
)
NAMED = re.compile(r"(?:option|choice|answer)\s*:?\s*([A-J])", re.I)
BASED = r"-?\d[0-9A-Za-z]*(?:\.[0-9A-Za-z]*(?:\\overline\s*\{\w+\})?)?|-?[A-F][0-9A-F]+|-?[a-f][0-9a-f]+"
BASE = re.compile(
    rf"\(?\s*({BASED})\s*\)?\s*"
    r"(?:_\s*\{?\s*\(?(-?\d{1,2}|[a-z]+)\)?\s*\}?|,?\s*\(?(?:in )?base[- ](\d{1,2}|[a-z]+)\)?)"
)
FORMULA = re.compile(r"\\(?!text)[A-Za-z]+|[=^_<>|]")
LONG_WORD = re.compile(r"[A-Za-z]{4,}")
LETTERS_BESIDE = re.compile(r"-?[\d.]{1,20}(?:[A-Za-z]{1,2}(?:\^\{?\d\}?)?){1,4}")
SAME_AS = {
    r"\{\}": [r"\emptyset", "emptyset", "empty set", "the empty set"],
    r"\infty": ["infinity", "positive infinity", r"+\infty"],
    r"-\infty": ["negative infinity", "minus infinity"],
    r"\mathbb{R}": [
        *(
            "all real numbers",
            "all reals",
            "the real numbers",
            "real numbers",
            r"(-\infty, \infty)",
            r"(-\infty,\infty)",
        ),
        *(r"(-\infty, +\infty)", r"(-\infty,+\infty)"),
    ],
    r"\pi": ["pi"],
    "does not exist": ["dne"],
}
SYNONYMS = {name: put for put, names in SAME_AS.items() for name in names}
ARTICLE = re.compile(r"^(?:[Aa]n?|[Tt]he) (?=[a-z]{3,}$)(?!squared|cubed|factorial|half)")
VOWEL = re.compile(r"[aeiou]")
VARIABLES = set("abcxyz")


@lru_cache(8192)
def readings(answer: str) -> tuple[Node, ...]:
    """Return what an answer is, and after that what else it may be: 3,5 is two numbers, or a decimal."""
    text = ARTICLE.sub("", clean(with_semicolons(answer)))
    nodes = [read(text)]
    bare = without_text(text)
    if len(moments := read_moments(bare)) > 1:
        nodes.extend(moments[1:])
    if moments and ":" in bare and (ratio := _ratio(bare)):
        nodes.append(ratio)
    if re.fullmatch(r"[A-Za-z]{2,3}", bare):
        segment = len(bare) == 2 and not re.search(r"[IVXLCDM]{2}", bare)  # AB is BA, but IV is not VI
        other = words_of(bare) if not isinstance(nodes[0], Words) else read_product(bare) if segment else None
        nodes.extend([other] if other else [])
        if len(bare) == 3 and bare.islower() and VOWEL.search(bare) and not set(bare) <= VARIABLES:
            nodes.sort(key=lambda node: not isinstance(node, Words))  # dog is a word first, and may be d o g
    if (other := re.sub(r"(?<=/)\s?(\d+[A-Za-z](?:\^\d+)?)(?![A-Za-z])", r"(\1)", bare)) != bare and "\\" not in bare:
        nodes.append(read(other))  # 1/2x
    if LETTERS_BESIDE.fullmatch(bare):  # 12nm^2 or 5m: units, or a product
        product, spaced = read_product(bare), read(re.sub(r"(?<=\d)(?=[A-Za-z])", " ", bare, count=1))
        nodes.extend(node for node in (product, spaced) if node and node != nodes[0])
    if "\\approx" in text:
        nodes.append(read(text.rpartition("\\approx")[2].strip()))
    sign, digits = ("-", bare[1:]) if bare.startswith("-") else ("", bare)
    nodes.extend(read(sign + str(numeral.value)) for numeral in other_readings(digits))
    if re.fullmatch(r"-?\d{1,3}(?:,-?\d{2,3})+", bare):
        nodes.append(Group("list", tuple(read(part) for part in bare.split(","))))
    return tuple(nodes)


def read(text: str) -> Node:
    """Return the node of a cleaned text, or of an item of a list."""
    return _read(text, read_range)


def read_inside(text: str) -> Node:
    """Return the node of a part of a text, such as a side of an equation, where 10-8 is a subtraction."""
    return _read(text, lambda bare: None)


def _read(text: str, ranges: Callable[[str], Node | None]) -> Node:
    text = re.sub(r"\\text\s*\{([^{}]*?),?\s*\b(and|or)\s*\}", r"\\text{\1} \2 ", text)
    text = re.sub(r"\\text\s*\{([^{}]*?)([,;])\s*\}", r"\\text{\1}\2 ", text)
    text = unwrapped(re.sub(r"\\text\s*\{\s*\}", " ", text))
    if not text:
        return Opaque("is empty", "")
    text = SYNONYMS.get(text.lower(), text)
    bare = without_text(text)
    try:
        return _single(text, bare, ranges) or _parts(text) or read_quantity(text) or _rest(text, bare)
    except TooCostly as error:
        return Opaque(str(error), key(text), costly=True)
    except Unbalanced:
        return _rest(text, bare)
    except RecursionError:
        return Opaque("is nested too deep", key(text), costly=True)


def _single(text: str, bare: str, ranges: Callable[[str], Node | None]) -> Node | None:
    """Return a node that must be tried before the text is split: B. 42, May 14, 2020, 1,234."""
    found = read_labelled(bare, read) or _choice(bare) or _letters(bare) or _based(bare)
    if found or "\\begin" in text:
        return found
    return _moment(bare) or ranges(bare) or _number(text, bare)


def _parts(text: str) -> Node | None:
    readers = (read_environment, read_bracketed, read_congruence, read_union, read_list, read_relation)
    for reader in readers:
        node = reader(text, read if reader is read_list and "\\pm" not in text else read_inside)
        if node is not None:
            return node
    return None


def _rest(text: str, bare: str) -> Node:
    words = words_of(bare)
    in_words = not FORMULA.search(bare) and (LONG_WORD.search(bare) or not re.search(r"[A-Za-z0-9)][+*/]", bare))
    return words if words.words and in_words else Opaque(UNKNOWN, key(text))


def _letters(bare: str) -> Node | None:
    """Return names and words that are letters only; two or three small letters may be a product."""
    if not re.fullmatch(r"[A-Za-z]{2,3}", bare) or bare in ("ln", "pi") or (bare.islower() and bare not in SHORT_WORDS):
        return None
    return words_of(bare)


def _choice(bare: str) -> Node | None:
    if re.fullmatch(r"[A-Za-z]", bare):
        return Choice(bare, False)
    if found := NAMED.fullmatch(bare):
        return Choice(found[1].upper(), True)
    found = LETTERED.fullmatch(bare)
    if not found or re.match(r"(?:and|or)\b|[-+*/^_=<>,!'(\[]|\\(?:cdot|times|cup|cap|le|ge|in)\b", found[4]):
        return None
    letter = next(letter for letter in found.groups()[:3] if letter)
    if found[4][:1].isalpha() and bare[found.start(4) - 1] in ")]":  # (a)x is a product
        return None
    return Choice(letter.upper(), True, read(found[4]) if found[4] else None)


def _based(bare: str) -> Node | None:
    found = BASE.fullmatch(bare)
    if not found:
        return None
    name, digits = found[2] or found[3], found[1].upper().lstrip("0") or "0"
    named = read_numeral(name) if not re.fullmatch(r"-?\d+", name) else None
    base = int(named.value) if named else int(name) if re.fullmatch(r"-?\d+", name) else 0
    if (
        not 2 <= abs(base) <= 36
        or (digits.strip("-")[0].isalpha() and base != 16)
        or any(sign.isalnum() and int(sign, 36) >= abs(base) for sign in re.sub(r"\\[A-Z]+", "", digits))
    ):
        return None
    return Based(digits, base, int(digits, base) if base > 0 and re.fullmatch(r"-?[0-9A-Z]+", digits) else None)


def _moment(bare: str) -> Node | None:
    moments = read_moments(bare)
    return moments[0] if moments else _ratio(bare)


def _ratio(bare: str) -> Node | None:
    if not re.fullmatch(r"[\w.\\{}]+(?: ?: ?[\w.\\{}]+)+", bare):
        return None
    try:
        items = [read_quantity(part) for part in split(bare, ":")]
    except Unbalanced:
        return None
    return Group("ratio", tuple(item for item in items if item)) if len(items) > 1 and all(items) else None


def _number(text: str, bare: str) -> Node | None:
    """Return a number, or a quantity that begins with one that has commas: 1,234 apples."""
    if plain := read_compound(bare):
        return plain
    if not re.search(r"\d", bare) and read_numeral(bare):  # three and a half
        return read_quantity(text)
    found = HEAD.fullmatch(re.sub(r"^(-?)\s*(?:\\\$|[€£¥₹₩₽])\s*", r"\1", bare))
    if not found or re.search(r"^[,;]|[=<>]|\b(?:and|or)\b", found[3]):
        return None
    decimal = re.fullmatch(r"\d+,\d{1,2}", found[2]) and (unit := read_unit(found[3])) and unit.dimensions
    return read_quantity(text) if decimal or read_numeral(found[2]) else None


def spelled(answer: str) -> str:
    """Return the spelling of an answer without typesetting; equal spellings are equal answers."""
    return key(clean(answer))
