"""Find words, lines and phrases in a whole column of texts at once, by Polars' regular expressions.

Words, lines and phrases are those of ``curate.verifiers.constraints.text_units``, which reads one text. Every function
takes Series and returns one of the same length. Rust's regular expressions take linear time on any text.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.letter_classes import SIZE, every_character
from curate.algorithms.text.utf8 import utf8

STUCK = r"[!-/:-@\[-`{-~“”‘’«»…—–•¿¡。！？、，]"  # ``text_units.PUNCTUATION`` as a character class
ALNUM = r"[\p{L}\p{N}]"
WORD = rf"{ALNUM}\S*"
# A letter, digit or mark of a script that separates words by spaces (``text_units.UNSPACED`` has the others). "_" is
# none, as _so_ is emphasis; IFEval's own checks take it for a part of a word (``text_units.whole_words``).
SPACED = r"[\p{L}\p{N}\p{M}--[\p{Han}\p{Hiragana}\p{Katakana}ー\x{ff70}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
BLOCK = 8192  # texts in a thread's block
LINE_BREAKS = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
CURLY = ["“", "”", "‘", "’"]
AT_LINE = r"(?m)^[^\S\n]*"  # the start of a line with its white space


def where(texts: pl.Series, rows: pl.Series, changed: pl.Series) -> pl.Series:
    """Return the texts with those where ``rows`` is true replaced by ``changed``, in order."""
    return texts.clone().scatter(rows.arg_true(), changed) if rows.any() else texts  # in place without the clone


def change(texts: pl.Series, rows: pl.Series, how: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return the texts with those where ``rows`` is true replaced by what ``how`` makes of them."""
    return where(texts, rows, how(texts.filter(rows))) if rows.any() else texts


def with_line_feeds(texts: pl.Series) -> pl.Series:
    r"""Return the texts with "\n" for every line break."""
    odd = texts.str.contains_any(LINE_BREAKS)
    return change(texts, odd, lambda some: some.str.replace_all(r"\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", "\n"))


def straight(texts: pl.Series) -> pl.Series:
    """Return the texts with straight quotes for curly ones."""
    return change(texts, texts.str.contains_any(CURLY), _straight)


def _straight(texts: pl.Series) -> pl.Series:
    return texts.str.replace_many(CURLY, ['"', '"', "'", "'"])


def plain(texts: pl.Series) -> pl.Series:
    """Return the texts in the form in which phrases are compared: lower case, straight quotes, single spaces."""
    texts, text = texts.str.to_lowercase(), pl.col("text")
    beyond_ascii = text.str.len_bytes() != text.str.len_chars()
    signs = texts.to_frame("text").select(  # as one expression: each by itself costs more than it takes for a few texts
        curly=text.str.contains_any(CURLY), odd=text.str.contains_any(["  ", "\n", "\t", *LINE_BREAKS]) | beyond_ascii
    )
    texts = change(texts, signs["curly"], _straight)
    return change(texts, signs["odd"], lambda some: some.str.replace_all(r"[\s--\x20]+|  +", " ")).str.strip_chars(" ")


def word_count(texts: pl.Series) -> pl.Series:
    """Return the number of words of each text."""
    found = np.zeros(len(texts), np.int64)
    if len(texts):
        from curate.algorithms.text.word_loops import count_alnum_words

        (data, ends), classes = utf8(texts), word_classes()
        in_blocks(len(texts), BLOCK, lambda low, high: count_alnum_words(data, ends, classes, low, high, found))
    if (found < 0).any():  # rare characters
        rare = pl.Series(found < 0)
        found[rare.to_numpy()] = texts.filter(rare).str.count_matches(WORD).to_numpy()
    return _null_as(texts, pl.Series(found))


def line_count(texts: pl.Series) -> pl.Series:
    """Return the number of lines of each text that are not blank."""
    found = np.zeros(len(texts), np.int64)
    if len(texts):
        from curate.algorithms.text.word_loops import count_full_lines

        (data, ends), classes = utf8(texts), word_classes()
        in_blocks(len(texts), BLOCK, lambda low, high: count_full_lines(data, ends, classes, low, high, found))
    return _null_as(texts, pl.Series(found))


def _null_as(texts: pl.Series, found: pl.Series) -> pl.Series:
    """Return what was found, null where the text is."""
    return found.set(texts.is_null(), None) if texts.null_count() else found


@cache
def word_classes() -> np.ndarray:
    """Return which code points are white space (1), letters or digits (2), ``SPACED`` (4), and line breaks (8)."""
    codes, every = every_character()
    classes = np.zeros(SIZE, np.uint8)
    for bit, pattern in enumerate((r"\s", ALNUM, SPACED, rf"[\n{''.join(LINE_BREAKS)}]")):
        classes[codes] |= every.str.contains(pattern).to_numpy() * np.uint8(1 << bit)
    return classes


def lowercase_only(texts: pl.Series) -> pl.Series:
    """Return whether each text has no capital letter and at least one small one."""
    return ~texts.str.contains(r"[\p{Uppercase}\p{Lt}]") & texts.str.contains(r"\p{Lowercase}")


def uppercase_only(texts: pl.Series) -> pl.Series:
    """Return whether each text has no small letter and at least one capital."""
    return ~texts.str.contains(r"[\p{Lowercase}\p{Lt}]") & texts.str.contains(r"\p{Uppercase}")


def times(texts: pl.Series, phrases: list[pl.Series]) -> list[pl.Series]:
    """Return, for each column of phrases, how often each text has its phrase as whole words."""
    size, low = len(texts), texts.str.to_lowercase()
    found = _times(pl.concat([low] * len(phrases), rechunk=True), pl.concat(phrases, rechunk=True).str.to_lowercase())
    return [found[place * size : (place + 1) * size] for place in range(len(phrases))]


def _times(texts: pl.Series, phrases: pl.Series) -> pl.Series:
    # Most texts do not have the phrase's first word, which is a quick check.
    word = pl.col("phrase").str.extract(f"({ALNUM}+)").fill_null("")
    both = pl.DataFrame([texts.alias("text"), phrases.alias("phrase")])
    rows = both.select(pl.col("text").str.contains(word, literal=True)).to_series()
    found = np.zeros(len(texts), np.int64)
    if rows.any():
        from curate.algorithms.text.word_loops import count_whole

        some = np.zeros(int(rows.sum()), np.int64)
        count_whole(*utf8(plain(texts.filter(rows))), *utf8(plain(phrases.filter(rows))), word_classes(), some)
        found[rows.fill_null(False).to_numpy()] = some
    return pl.Series(found)


def begin_with(texts: pl.Series, phrases: pl.Series) -> pl.Series:
    """Return whether each text begins with its phrase, and the phrase's last word ends there too; all are ``plain``."""
    found = np.zeros(len(texts), bool)
    if len(texts):
        from curate.algorithms.text import word_loops

        word_loops.begin_with(*utf8(texts), *utf8(phrases), word_classes(), found)
    return pl.Series(found)


def end_with(texts: pl.Series, phrases: pl.Series) -> pl.Series:
    """Return whether each text ends with its phrase, and the phrase's first word begins there; all are ``plain``."""
    found = np.zeros(len(texts), bool)
    if len(texts):
        from curate.algorithms.text import word_loops

        word_loops.end_with(*utf8(texts), *utf8(phrases), word_classes(), found)
    return pl.Series(found)


def in_words(texts: pl.Series) -> pl.Series:
    """Return the words of each text (a list), without punctuation at their ends."""
    bare = texts.str.replace_all(rf"(^|\s){STUCK}+", "${1}").str.replace_all(rf"{STUCK}+(\s|$)", "${1}")
    return bare.str.extract_all(rf"\S*{ALNUM}\S*")
