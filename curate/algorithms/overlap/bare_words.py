"""The bare words of texts: what the n-grams of ``benchmark_index`` are made of, however a text is written.

A bare word is a run of letters, digits and combining marks, in Unicode's compatibility form (NFKC) and in small
letters. All else only separates words, ASCII's "_" and symbols too: "$x_1$" has the words "x" and "1". LaTeX's dfrac
and tfrac are the word frac. In scripts without spaces (``ngrams.UNSPACED``) every character is a word. Characters of no
width are left out. So texts that are equal after levelling (``levels``) have the same bare words; the reverse is not so
(12 - 7 and 12 * 7).

Most characters beyond ASCII are looked up one by one. Texts with others (marks that combine with the letter before,
Korean in single letters) go through regular expressions, which takes ten times as long.
"""

from functools import cache

import numpy as np
import polars as pl

from curate.algorithms.text.folded_forms import folded_forms
from curate.algorithms.text.ngrams import UNSPACED, nfkc
from curate.algorithms.text.utf8 import utf8

SIZE = 0x20000  # code points from here on are not looked up
SPACE = 32
# The form of each byte: ASCII letters become small, what is neither letter nor digit a space; other bytes stay.
BYTE_FORMS = bytes(
    code if code >= 0x80 else ord(chr(code).lower()) if chr(code).isalnum() else SPACE for code in range(256)
)
# Left out: characters of no width, but the space of no width and the signs of numbers; variation selectors.
NO_WIDTH = r"[\p{Cf}\x{FE00}-\x{FE0F}--[\x{200B}\x{2061}-\x{2064}\x{0600}-\x{0605}\x{06DD}\x{070F}\x{08E2}]]"
SEPARATORS = r"[^\p{L}\p{M}\p{N}]|\x{02BC}"  # U+02BC is a letter, but is written as an apostrophe
# Characters whose form depends on their neighbours: marks, Korean and Kirat Rai in single letters.
IN_CONTEXT = r"[\p{M}\x{1100}-\x{11FF}\x{A960}-\x{A97F}\x{D7B0}-\x{D7FF}\x{16D40}-\x{16D7F}]"


def bare_words(text: pl.Series) -> pl.Series:
    """Return each text as its bare words with single spaces between; "" for a text without words; null stays null."""
    text = text.cast(pl.String).str.replace_all(NO_WIDTH, "").str.replace_all(_symbols(), " ")
    text = nfkc(text).str.to_lowercase()
    text = text.str.replace_all("ς", "σ", literal=True)  # one letter, whose capitals do not tell them apart
    apart = text.str.replace_all(f"([{UNSPACED}])", " $1 ")
    words = apart.str.replace_all(SEPARATORS, " ").str.replace_all("  +", " ").str.strip_chars(" ")
    for _ in range(2):  # a second one may begin where the first ends
        words = words.str.replace_all("(^| )[dt]frac( |$)", "${1}frac$2")
    return words


@cache
def _symbols() -> str:
    """Return a pattern of symbols and their marks, without those that levelling folds.

    NFKC has letters for some (a trade mark's).
    """
    return r"[\p{S}--[" + "".join(f"\\x{{{ord(letter):X}}}" for letter in folded_forms()) + r"]]\p{M}*"


def word_bytes(text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of all texts one after another (uint8), and where each begins and the last ends (int64).

    Cut at the bytes that ``BYTE_FORMS`` maps to a space, they have the words of ``bare_words``. ASCII bytes stay as
    they are, and are mapped when read. Null texts are empty.
    """
    data, ends = utf8(text)
    first = ends[0] if len(ends) else 0
    if not len(text) or not (data[first : ends[-1]] >= 0x80).any():
        return data, ends
    from curate.algorithms.overlap.bare_word_loops import find_slow, write_words

    slow = np.empty(len(text), bool)
    other = (np.frombuffer(b"", np.uint8), np.frombuffer(bytes(8), np.int64))  # read-only, like those of ``utf8``
    if find_slow(data, ends, character_forms(), slow):
        other = utf8(bare_words(text.filter(pl.Series(slow))))
    size = 2 * (ends[-1] - first) + len(other[0])
    out, out_ends = np.empty(size, np.uint8), np.empty(len(text) + 1, np.int64)
    write_words(data, ends, character_forms(), slow, *other, out, out_ends)
    out.flags.writeable = False
    out_ends.flags.writeable = False
    return out, out_ends


@cache
def character_forms() -> np.ndarray:
    """Return the form of each code point below ``SIZE``: a code point, or flags of the loops (int64)."""
    from curate.algorithms.overlap.bare_word_loops import ALONE, DROPPED, SLOW

    codes = np.delete(np.arange(SIZE), np.s_[0xD800:0xE000])  # without surrogates, which are no characters
    every = pl.Series([f"a{chr(code)}a" for code in codes.tolist()])
    in_context = nfkc(every.str.replace_all(NO_WIDTH, "")).str.contains(IN_CONTEXT)
    codes, found = codes[~in_context.to_numpy()], bare_words(every.filter(~in_context))
    form = np.full(SIZE, SLOW, np.int64)
    form[codes[(found == "a a").to_numpy()]] = SPACE
    form[codes[(found == "aa").to_numpy()]] = DROPPED
    for pattern, bit in (("^a([^ ])a$", 0), (f"^a ([{UNSPACED}]) a$", ALONE)):
        one = found.str.extract(pattern)
        form[codes[one.is_not_null().to_numpy()]] = np.array([ord(c) for c in one.drop_nulls()], np.int64) | bit
    return form


def cut_words(text: pl.Series, span: np.ndarray, most: int) -> pl.Series:
    """Return the parts of texts that hold some of their bare words, as written, cut to ``most`` characters.

    Args:
        text: The texts.
        span: For each text the number of the first word, and of the one after the last; then, for a text of ASCII
            alone, the byte where the first begins and the one after the last (int64, rows x 4).
        most: The largest number of characters.
    """
    begin, end = span[:, 2].copy(), span[:, 3].copy()
    other = np.flatnonzero((text.str.len_bytes() != text.str.len_chars()).to_numpy())
    if len(other):
        begin[other] = _characters_before(text.gather(other), span[other, 0])
        end[other] = _characters_before(text.gather(other), span[other, 1])
    cut = pl.DataFrame({"text": text, "begin": begin, "length": np.minimum(end - begin, most)})
    part = cut.select(pl.col("text").str.slice("begin", "length")).to_series()
    return part.str.replace(f"(?:{SEPARATORS})+$", "").str.strip_chars()


def _characters_before(text: pl.Series, words: np.ndarray) -> np.ndarray:
    """Return how many characters come before the word of this number, by bisection of all texts at once."""
    low, high = np.zeros(len(text), np.int64), text.str.len_chars().to_numpy().astype(np.int64)
    while (low < high).any():
        middle = (low + high + 1) // 2
        head = pl.DataFrame({"text": text, "length": middle}).select(pl.col("text").str.slice(0, "length")).to_series()
        head = bare_words(head)
        count = np.where((head == "").to_numpy(), 0, head.str.count_matches(" ", literal=True).to_numpy() + 1)
        low, high = np.where(count <= words, middle, low), np.where(count <= words, high, middle - 1)
    return low
