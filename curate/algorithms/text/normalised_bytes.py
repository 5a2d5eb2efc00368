"""The bytes of a column of texts, normalised so that compiled loops can cut them into words byte by byte.

Cut at the bytes that ``word_bytes.BYTE_FORMS`` maps to a space, they have the words of ``ngrams.normalise``. Most
characters beyond ASCII are looked up one by one: a small letter in Unicode's compatibility form, a space (for
punctuation), or a word by itself (Chinese). Texts with other characters (marks that combine with the letter before,
Korean in single letters) go through ``normalise``, which takes ten times as long.
"""

from functools import cache

import numpy as np
import polars as pl

from curate.algorithms.text.ngrams import UNSPACED, nfkc, normalise
from curate.algorithms.text.utf8 import utf8

SIZE = 0x20000  # code points from here on are not looked up
# Characters whose form depends on their neighbours: marks, Korean and Kirat Rai in single letters, capital sigma.
IN_CONTEXT = r"[\p{M}\x{1100}-\x{11FF}\x{A960}-\x{A97F}\x{D7B0}-\x{D7FF}\x{16D40}-\x{16D7F}Σ]"


def normalised_bytes(text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of all texts one after another (uint8), and where each begins and the last ends (int64).

    ASCII bytes stay as they are, and are mapped by ``word_bytes.BYTE_FORMS`` when read. Null texts are empty.
    """
    data, ends = utf8(text)
    first = ends[0] if len(ends) else 0
    if not len(text) or not (data[first : ends[-1]] >= 0x80).any():
        return data, ends
    from curate.algorithms.text.normalised_bytes_loops import find_slow, write_normalised

    slow = np.empty(len(text), bool)
    other = (np.frombuffer(b"", np.uint8), np.frombuffer(bytes(8), np.int64))  # read-only, like those of ``utf8``
    if find_slow(data, ends, character_forms(), slow):
        other = utf8(normalise(text.filter(pl.Series(slow))))
    size = 2 * (ends[-1] - first) + len(other[0])
    out, out_ends = np.empty(size, np.uint8), np.empty(len(text) + 1, np.int64)
    write_normalised(data, ends, character_forms(), slow, *other, out, out_ends)
    out.flags.writeable = False
    out_ends.flags.writeable = False
    return out, out_ends


@cache
def character_forms() -> np.ndarray:
    """Return the normalised form of each code point below ``SIZE``: a code point, or flags of the loops (int64)."""
    from curate.algorithms.text.normalised_bytes_loops import ALONE, SLOW

    codes = np.delete(np.arange(SIZE), np.s_[0xD800:0xE000])  # without surrogates, which are no characters
    every = pl.Series([f"a{chr(code)}a" for code in codes.tolist()])
    in_context = nfkc(every).str.contains(IN_CONTEXT)
    codes, found = codes[~in_context.to_numpy()], normalise(every.filter(~in_context))
    form = np.full(SIZE, SLOW, np.int64)
    form[codes[(found == "a a").to_numpy()]] = 0x20
    for pattern, bit in (("^a([^ ])a$", 0), (f"^a ([{UNSPACED}]) a$", ALONE)):
        one = found.str.extract(pattern)
        form[codes[one.is_not_null().to_numpy()]] = np.array([ord(c) for c in one.drop_nulls()], np.int64) | bit
    return form
