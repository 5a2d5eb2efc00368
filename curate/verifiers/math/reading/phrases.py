r"""The words, numbers and signs of a text that is no mathematics: "Alice: -5, Bob: 7" is alice, -5, bob, 7.

A sign belongs to its number, coordinates are one word, a currency is a word. Articles are left out; the letter A is
none where it names something ("Team A").
"""

import re

from curate.verifiers.math.reading.kinds import Words
from curate.verifiers.math.reading.unit_names import KNOWN

CURRENCY = r"\\\$|[€£¥₹₩₽]"
TOKEN = re.compile(
    r"[(\[](?=[^()\[\]]*\d)[^()\[\],]*(?:,[^()\[\],]*)+[)\]]"  # (1, 2]
    r"|(?<![\w)\]}])-?(?:\d+(?:[.,]\d+)*|\.\d+)|\d+(?:[.,]\d+)*"
    rf"|[^\W\d_]+(?:'[a-z]+)?|{CURRENCY}|[%+*/]|(?<![\w)\]}}])-(?=[^\s-])"
)
SHORT_WORDS = set(  # words of two or three letters that are no product of variables
    (
        "yes no odd one two six ten red win tie may sun mon tue wed thu fri sat jan feb mar apr jun jul aug "
        "sep oct nov dec"
    ).split()
)
PAIRS = re.compile(r"(?:([a-z])\1)+")  # AaBb: alleles, of which the case counts
LONGEST_SYMBOL = 4  # letters up to which capitals inside a word count: pH, NaCl


def words_of(bare: str) -> Words:
    """Return the words of a text without LaTeX; none where it has only punctuation."""
    text = re.sub(rf"-\s?({CURRENCY})\s?(?=[\d.])", r"\1 -", bare)
    text = re.sub(r"(?<=[:;,(]) ?- (?=[\d.])", " -", text)
    text = re.sub(r"(?<![\w)\]}])\+(?=[\d.])|^A (?=[a-z])", "", text)
    found = [re.sub(r"\s", "", word) if word[0] in "([" else word for word in TOKEN.findall(text)]
    last = len(found) - 1
    found = [word for at, word in enumerate(found) if not _is_article(word, at == last and last > 0)]
    short = tuple(word for word in found if word.isalpha() and _case_may_count(word))
    return Words(tuple(word.lower() for word in found), short)


def _is_article(word: str, ends: bool) -> bool:
    return word.lower() in ("an", "the") or (word == "a" and not ends)


def _case_may_count(word: str) -> bool:
    mixed = len(word) <= LONGEST_SYMBOL and word not in (word.lower(), word.upper(), word.title())
    return (len(word) == 2 and word.lower() not in SHORT_WORDS) or mixed or PAIRS.fullmatch(word.lower()) is not None


def same_case(left: str, right: str) -> bool:
    """Tell whether two words that differ in case at most are the same: Li and li, but not Mg and mg, CO and Co."""
    if left == right or not (_case_may_count(left) or _case_may_count(right)):
        return True
    return len(left) == 2 and sorted((left, right)) == [left.title(), left.lower()] and left.lower() not in KNOWN
