"""The one definition of what two texts have in common when ``dedup`` and ``decontaminate`` compare them.

A text is levelled; each part is an option (``Level``):

- *forms*: full-width letters, ligatures, odd spaces, curly quotes, minus signs and hyphens are folded into plain ones
  (``folded_forms``). Superscripts, fractions and circled numbers are not. Characters of no width are left out.
- *case*: words of prose become small letters: those with a capital first, and those in capitals (two letters
  only beside another word in capitals: US is not us). Single letters, words with digits, "_" or mixed case, and words
  in code stay as they are. Code is what stands in backticks, in [] or {}, in () right behind a word, beside a sign such
  as # . / that touches it, or beside an operator; and a line that ends in ";" or "{", begins with "def", "import",
  "return" and the like, or is deeper than such a line. "A" that begins a sentence and the pronoun "I" are words. The
  capitals of a word stay where it stands nearby in another spelling (internet or Internet), alone between quotes, and
  where the text speaks of capitals (upper case, capital letter, ASCII, password).
- *punctuation*: . , ; : ! ? quotes and long dashes are left out at the ends of words, and a pair of quotes around all
  of a text. They count inside words, numbers and code ("3.14", "a.b"), before them ("!x", ".5"), between single letters
  and digits ("1, 2"), and by themselves ("git add ."). "!" and "?" count behind a digit or a single letter (5!), and
  where a sentence goes on behind them ("save! does"); an apostrophe inside a word (isn't), and as a prime (AB').
- *white space*: a run of it is one space, and the ends have none.
- *indents*: where a line ends with ":", it counts which of the next lines are deeper, as in Python; and which items
  of a list are deeper than the item before.

All other signs count: + - * / = < > ^ % $ # & @ | ~ _ brackets, currencies, emoji.

*Units* are the words that n-grams are made of: a word (letters, digits, "_") together with the signs before it, and
those that touch its end and no other word; signs at the end of a text are a unit, and what begins with an apostrophe
inside a word. So "12 - 7%" has the units "12" and "-7%", and "isn't" has "isn" and "'t". "12 - 7" and "12-7" are the
same, but "3 -5", where the sign belongs to the number, is another text. In scripts without spaces (Chinese, Japanese,
Thai, Lao, Khmer, Burmese, Tibetan) every character is a word.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.folded_forms import fold_forms, folded_forms
from curate.algorithms.text.ngrams import UNSPACED
from curate.algorithms.text.utf8 import utf8

SIZE = 0x20000  # code points from here on are looked up by one of the same class (``text_loops.stand_in``)
BYTES = 4 << 20  # bytes of text in a block
MOST_CODES, CODE_BITS = 3, 21  # code points that a form of the table holds
# Characters whose form depends on their neighbours: marks, Korean and Kirat Rai in single letters.
IN_CONTEXT = r"[\p{M}\x{1100}-\x{11FF}\x{A960}-\x{A97F}\x{D7B0}-\x{D7FF}\x{16D40}-\x{16D7F}]"
# Format characters but for the invisible operators of mathematics, and those that are seen.
NO_WIDTH = r"\p{Cf}--[\x{200B}\x{2061}-\x{2064}\x{0600}-\x{0605}\x{06DD}\x{070F}\x{08E2}]"
KINDS = (  # in the order of the bits of ``level_rules_loops``
    r"\p{L}|\p{M}",
    r"\p{Uppercase}|\p{Lt}",
    r"\p{Lowercase}",
    r"\p{N}",
    "_",
    r"\s|\p{Z}|\p{Cc}|\x{200B}",
    f"[{UNSPACED}]",
    r"[.,;:!?¿¡。、，；：！？]|\p{Sentence_Terminal}|[؟،؛۔।॥།]",
    r"[\"'«»‹›「」『』《》〈〉]",
    "[—―⸺⸻]",
    r"\p{Ps}",
    r"\p{Pe}",
    r"[.!?]|\p{Sentence_Terminal}",
    "[a-z0-9]",
)


class Level(NamedTuple):
    """The parts of a text that are levelled (see the module); ``units`` cuts it into units with spaces between."""

    forms: bool = True
    case: bool = True
    punctuation: bool = True
    white_space: bool = True
    indents: bool = True
    units: bool = True

    def flags(self) -> int:
        """Return the flags of the compiled loops."""
        rest = (self.case, self.punctuation, self.white_space or self.units, self.units, self.indents)
        return sum(on << at for at, on in enumerate(rest))


class Tables(NamedTuple):
    """The form and the classes of each code point, and the number that its small letter is further."""

    forms: np.ndarray
    classes: np.ndarray
    lower: np.ndarray


def levelled(text: pl.Series, level: Level) -> pl.Series:
    """Return the texts as they are compared; null stays null."""
    text = text.cast(pl.String)
    if not len(text):
        return text  # without the machine code, whose loading takes half a second
    parts = each(lambda low: _strings(text[low : low + 20_000], level), range(0, len(text), 20_000))
    return pl.concat(parts).set(text.is_null(), None)


def _strings(text: pl.Series, level: Level) -> pl.Series:
    data, ends = levelled_bytes(text, level)
    held, places = data[: ends[-1]].tobytes(), ends.tolist()
    rows = [held[low:high] for low, high in zip(places[:-1], places[1:], strict=True)]
    return pl.Series(text.name, rows, dtype=pl.Binary).cast(pl.String)


def levelled_bytes(text: pl.Series, level: Level) -> tuple[np.ndarray, np.ndarray]:
    """Return the levelled texts as UTF-8 bytes one after another (uint8), and where each begins and the last ends.

    A null text has no bytes. The second array is int64 and one longer than ``text``.
    """
    from curate.algorithms.text.level_loops import level_rows

    data, ends = utf8(without_slow(text, level))
    out, out_ends = np.empty(3 * (ends[-1] - ends[0]) + 8, np.uint8), np.empty(len(text) + 1, np.int64)
    level_rows(data, ends, *tables(level.forms), level.flags(), out, out_ends)
    return out, out_ends


def without_slow(text: pl.Series, level: Level) -> pl.Series:
    """Return the texts, those folded that the loops cannot fold: whose characters depend on their neighbours."""
    data, ends = utf8(text)
    if not level.forms or not len(text) or not (data[ends[0] : ends[-1]] >= 0x80).any():
        return text
    from curate.algorithms.text.level_loops import find_slow

    slow = np.empty(len(text), bool)
    if not find_slow(data, ends, tables(True).forms, slow):
        return text
    rows = pl.Series(np.flatnonzero(slow))
    return text.clone().scatter(rows, fold_forms(text.gather(rows)))


@cache
def tables(fold: bool) -> Tables:
    """Return the tables of the loops; without ``fold`` every character is its own form."""
    codes = np.delete(np.arange(SIZE), np.s_[0xD800:0xE000])  # without surrogates, which are no characters
    every = pl.Series([chr(code) for code in codes.tolist()])
    classes, lower, forms = np.zeros(SIZE, np.uint16), np.zeros(SIZE, np.int32), np.arange(SIZE, dtype=np.int64)
    for bit, pattern in enumerate(KINDS):
        classes[codes] |= every.str.contains(pattern).to_numpy() * np.uint16(1 << bit)
    for code in codes[classes[codes] & 2 != 0].tolist():
        small = chr(code).lower()
        lower[code] = ord(small) - code if len(small) == 1 else 0
    lower[ord("ς")] = ord("σ") - ord("ς")  # at the end of a word, where capitals do not tell
    if fold:
        forms[codes[every.str.contains(IN_CONTEXT).to_numpy()]] = -1
        composed = every.str.normalize("NFC") != every
        forms[codes[composed.to_numpy()]] = -1
        for letter, form in folded_forms().items():
            parts = [ord(part) for part in form]
            fits = len(parts) <= min(MOST_CODES, len(letter.encode())) and (forms[parts] >= 0).all()
            forms[ord(letter)] = sum(part << CODE_BITS * at for at, part in enumerate(parts)) if fits else -1
        forms[codes[every.str.contains(f"[{NO_WIDTH}]").to_numpy()]] = 0
    return Tables(forms, classes, lower)
