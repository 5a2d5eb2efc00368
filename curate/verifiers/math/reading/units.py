r"""Units that stand after a number: what they measure, and how large they are in a base unit.

A known unit has dimensions and an exact factor ("km": metres, 1000). Any other words after a number are a noun
("apples"). A direction ("south", "loss") is part of the answer: it is kept as ``extra``.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from curate.verifiers.math.reading.unit_names import KNOWN

LETTERS = {name for name in KNOWN if len(name) == 1 and name.isascii() and name.isalpha()}  # 5m may be 5 times m
SHORT = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "sqft": "ft^{2}", "cc": "cm^{3}"}
EXTRA = set(
    (
        "north south east west northeast northwest southeast southwest left right up down above below upward "
        "downward forward backward clockwise counterclockwise anticlockwise profit loss gain increase "
        "decrease ahead behind early late earlier later ago before after bc ad bce ce am pm higher lower "
        "faster slower more less deep high"
    ).split()
)
NUMBER_PARTS = {  # names that make another number of the one before them: 60 hundredths, 60 tens
    name + ending
    for name in (
        "fourth fifth sixth seventh eighth ninth tenth eleventh twelfth fifteenth sixteenth twentieth thirtieth "
        "fiftieth sixtieth hundredth thousandth millionth billionth ten hundred thousand million billion trillion "
        "dozen lakh crore"
    ).split()
    for ending in ("", "s")
}
NOT_UNITS = NUMBER_PARTS | set(  # words that change the value of the number before them
    (
        "times squared cubed plus minus half halves third thirds quarter quarters pi over not divided "
        "factorial root remainder modulo mod and or to by point with if when where is are than for any but e "
        "percent percents pct base zero par negative reciprocal doubled tripled fold"
    ).split()
)
WORD = re.compile(
    r"\^\\circ ?[CF](?![A-Za-z])|\^\\circ|\\\$|[^\W\d_]+\$?|[$€£¥₹₩₽¢']|\^\{?-?\d\}?|/|\\cdot|\\times|\*|-|\(|\)"
)


class Unit(NamedTuple):
    """Dimensions with exponents, the factor to their base units, a noun that is no known unit, and a direction."""

    dimensions: tuple[tuple[str, int], ...]
    factor: Fraction
    noun: str = ""
    extra: str = ""
    per: Fraction | None = None  # of a rate: the size of what it is per


@lru_cache(4096)
def read_unit(text: str) -> Unit | None:
    """Return the unit that a cleaned text without numbers is, or None if it is something else.

    Args:
        text: The words after a number, such as "cm", "miles per hour", "square inches", "red apples".
    """
    text = re.sub(r"\bunits? ?\^ ?\{?2\}?", "square units", text.strip().strip("."))
    words = WORD.findall(text)
    if not words or len(words) > 8 or re.sub(r"\s", "", "".join(words)) != re.sub(r"[\s.]", "", text):
        return None
    words = [part for word in words for part in WORD.findall(SHORT.get(word, word))]
    return (
        None
        if any(word.lower() in NOT_UNITS for word in words if word not in KNOWN) and not _powers(words)
        else _unit(words)
    )


def _powers(words: list[str]) -> bool:
    """Tell whether the only words that change a value are "squared" and "cubed" after a known unit: cm squared."""
    return all(word in ("squared", "cubed") or word.lower() not in NOT_UNITS for word in words) and bool(
        known(words[0])
    )


def _unit(words: list[str]) -> Unit | None:
    dimensions: dict[str, int] = {}
    factor, nouns, extra, sign, before = Fraction(1), [], [], 1, 1
    per = Fraction(1)
    for at, word in enumerate(words):
        low = word.lower()
        if low in ("/", "per") or (low in ("an", "each") and at):
            sign = -1
        elif low in ("square", "sq", "cubic", "cu"):
            before = 2 if low[0] == "s" else 3
        elif word in ("\\cdot", "\\times", "*", "-", "(", ")", ",", "'") or low in ("of", "a", "an", "the", "in"):
            if low == "in" and known(word) and at == 0:
                dimensions["length"], factor = 1, factor * KNOWN["in"][1]
        elif word[0] == "^" and "circ" not in word or low in ("squared", "cubed"):
            power = {"squared": 2, "cubed": 3}.get(low) or int(re.sub(r"[^-\d]", "", word))
            last = known(words[at - 1]) if at else None
            if not last or abs(power) > 4:
                return None
            dimensions[last[0]] = dimensions.get(last[0], 0) + sign * (power - 1)
            factor *= last[1] ** (sign * (power - 1))
        elif (found := known(word)) and not (nouns and word in LETTERS):
            power, before = sign * before, 1
            dimensions[found[0]] = dimensions.get(found[0], 0) + power
            factor *= found[1] ** power
            per *= found[1] ** (power if power < 0 else 0)
        elif low in EXTRA:
            extra.append(low)
        else:
            nouns.append(singular(low) if sign > 0 else "/" + singular(low))
    dimensions, factor = _volume(dimensions, factor)
    return Unit(
        tuple(sorted((n, p) for n, p in dimensions.items() if p)),
        factor,
        " ".join(nouns),
        " ".join(extra),
        None if sign > 0 else per,
    )


def _volume(dimensions: dict[str, int], factor: Fraction) -> tuple[dict[str, int], Fraction]:
    """Return litres as cubic metres."""
    if power := dimensions.pop("volume", 0):
        dimensions["length"] = dimensions.get("length", 0) + 3 * power
        factor *= Fraction(1, 1000) ** power
    return dimensions, factor


def known(word: str) -> tuple[str, Fraction] | None:
    """Return the dimension and the factor of a unit's name, in the singular or plural."""
    word = word.replace(" ", "")
    if word in KNOWN:
        return KNOWN[word]
    low = word.lower() if len(word) > 2 else word
    return KNOWN.get(low) or (KNOWN.get(low[:-1]) if len(low) > 2 and low.endswith("s") else None)


def singular(word: str) -> str:
    """Return an English noun without the ending of its plural."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:s|x|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
