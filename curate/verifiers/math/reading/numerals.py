"""Numbers as people write them: thousands in several conventions, decimals, scientific, words, Chinese numerals."""

import re
from fractions import Fraction
from typing import NamedTuple

MOST_DIGITS = 4_000  # of an exponent of ten
PLAIN = re.compile(r"(\d+)(?:\.(\d*))?|\.(\d+)")
SCIENTIFIC = re.compile(r"(\d+(?:\.\d+)?|\.\d+)[eE]([-+]?\d{1,5})")
GROUPED = [  # a thousands separator and a decimal point
    (re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?"), ",", "."),
    (re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?"), ",", "."),  # India
    (re.compile(r"\d{1,3}(?: \d{3})+(?:\.\d*)?"), " ", "."),
    (re.compile(r"\d{1,3}(?: \d{3})+,\d+"), " ", ","),
    (re.compile(r"\d{1,3}(?:'\d{3})+(?:\.\d*)?"), "'", "."),
    (re.compile(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?"), ".", ","),
    (re.compile(r"\d{1,3}(?:\.\d{3})+,\d+"), ".", ","),
]
COMMA = re.compile(r"\d+,\d+")  # 3,5 is two numbers or a decimal
UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
WORDS: dict[str, int] = {
    word: value for value, word in enumerate([*UNITS.split(), "seventeen", "eighteen", "nineteen"])
}
WORDS |= {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
PARTS = ["fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
PART = re.compile(rf"(?:([a-z -]+) and )?(?:([a-z]+)[ -])?(half|halves|thirds?|quarters?|(?:{'|'.join(PARTS)})s?)")
HAN = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
HAN_TENS = {"十": 10, "百": 100, "千": 1000}
HAN_GROUPS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}


class Numeral(NamedTuple):
    """A number, and how many digits are written after its point (None if it has none)."""

    value: Fraction
    places: int | None = None


def read_numeral(text: str) -> Numeral | None:
    """Return the unsigned number that a text is, or None if it is anything else or more."""
    if found := PLAIN.fullmatch(text):
        return _decimal(found[1] or "0", found[2] if found[3] is None else found[3])
    if not text or len(text) > 300:
        return None
    if text[0].isdigit() or text[0] == ".":
        for pattern, group, point in GROUPED:
            if pattern.fullmatch(text):
                whole, _, part = text.replace(group, "").partition(point)
                return _decimal(whole, part or None)
        if found := SCIENTIFIC.fullmatch(text):
            return (
                Numeral(Fraction(found[1]) * Fraction(10) ** int(found[2]))
                if abs(int(found[2])) <= MOST_DIGITS
                else None
            )
        if found := re.fullmatch(r"(\S+) ?(hundred|thousand|million|billion|trillion|dozen|[万萬亿億])", text):
            number = read_numeral(found[1])
            return number and Numeral(number.value * (SCALES | HAN_GROUPS)[found[2]])
        return None
    return _english(text.lower()) or _chinese(text)


def other_readings(text: str) -> list[Numeral]:
    """Return numbers that a text may be in another country: 3,5 and 1.234."""
    if COMMA.fullmatch(text) and not GROUPED[0][0].fullmatch(text):
        return [_decimal(*text.split(","))]
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", text):
        return [Numeral(Fraction(text.replace(".", "")))]
    return []


def _decimal(whole: str, part: str | None) -> Numeral:
    value = Fraction(int(whole + (part or "")), 10 ** len(part or ""))
    return Numeral(value, len(part) if part else None)


def _english(text: str) -> Numeral | None:
    """Return the number of words such as "twenty-one" or "two hundred and five", or None."""
    if found := PART.fullmatch(text):
        return _english_part(found)
    words = [word for word in re.split(r"[\s-]+", text) if word]
    if not words or not all(word in WORDS or word in SCALES or word == "and" for word in words) or words[-1] == "and":
        return None
    if words[0] not in WORDS:
        return None
    total, part, last = 0, 0, 10**15
    for word in words:
        if word == "hundred":
            part, last = part * 100, 100
        elif word in SCALES:
            total, part, last = total + part * SCALES[word], 0, 10**15
        elif word != "and":
            if last < 20 or (last < 100 and WORDS[word] > 9):  # "one two" is two numbers
                return None
            part, last = part + WORDS[word], WORDS[word]
    return Numeral(Fraction(total + part))


def _english_part(found: re.Match[str]) -> Numeral | None:
    """Return the number of "half", "two thirds" or "three and a half"."""
    whole = _english(found[1]) if found[1] else Numeral(Fraction(0))
    top = 1 if found[2] in (None, "a", "an") else WORDS.get(found[2])
    if whole is None or top is None or (found[2] is None and found[3] != "half"):
        return None
    name = found[3].removesuffix("s")
    below = {"half": 2, "halve": 2, "third": 3, "quarter": 4}.get(name) or 4 + PARTS.index(name)
    return Numeral(whole.value + Fraction(top, below))


def _chinese(text: str) -> Numeral | None:
    """Return the number of Chinese numerals such as 三百二十, 三点五 or 二分之一, or None."""
    if not re.fullmatch(r"[零〇一二两兩三四五六七八九十百千万萬亿億点點分之]+", text):
        return None
    if "分之" in text:
        bottom, _, top = text.partition("分之")
        low, high = _chinese(bottom), _chinese(top)
        return Numeral(high.value / low.value) if low and high and low.value else None
    whole, point, part = re.sub("點", "点", text).partition("点")
    if any(mark in text for mark in "分之") or (point and not all(sign in HAN for sign in part)):
        return None
    if len(whole) > 1 and all(sign in HAN for sign in whole):
        value = int("".join(str(HAN[sign]) for sign in whole))
    else:
        value = _han_integer(whole)
    decimals = "".join(str(HAN[sign]) for sign in part)
    return _decimal(str(value), decimals or None)


def _han_integer(text: str) -> int:
    total, group, digit = 0, 0, 0
    for sign in text:
        if sign in HAN:
            digit = HAN[sign]
        elif sign in HAN_TENS:
            group, digit = group + (digit or 1) * HAN_TENS[sign], 0
        else:
            total, group, digit = (total + group + digit) * HAN_GROUPS[sign], 0, 0
    return total + group + digit
