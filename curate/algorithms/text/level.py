"""The bytes of texts, levelled: cut at the spaces of ``word_bytes.LEVEL``, their words are those of ``normalise``.

Most characters beyond ASCII can be looked up one by one: what small letter they are in Unicode's compatibility form, a
space (punctuation), or a word by themselves (Chinese). Texts with others (marks that join the letter before, Korean in
single letters) go through ``curate.algorithms.text.ngrams.normalise``, which takes ten times as long.
"""

from functools import cache

import numpy as np
import polars as pl

from curate.algorithms.text.ngrams import UNSPACED, nfkc, normalise
from curate.algorithms.text.utf8 import utf8

SIZE = 0x20000  # code points from here on are not looked up
# What becomes of these hangs on what stands beside them: marks, Korean and Kirat Rai in single letters, a large sigma.
TOGETHER = r"[\p{M}\x{1100}-\x{11FF}\x{A960}-\x{A97F}\x{D7B0}-\x{D7FF}\x{16D40}-\x{16D7F}Σ]"


def level(text: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of all texts one after another (uint8), and where each begins and the last ends (int64).

    A text of ASCII alone stays as it is. Nulls are empty.
    """
    data, ends = utf8(text)
    first = ends[0] if len(ends) else 0
    if not len(text) or not (data[first : ends[-1]] >= 0x80).any():
        return data, ends
    from curate.algorithms.text.level_loops import find_slow, write_level

    slow = np.empty(len(text), bool)
    other = (np.frombuffer(b"", np.uint8), np.frombuffer(bytes(8), np.int64))  # read-only, as those of ``utf8`` are
    if find_slow(data, ends, forms(), slow):
        other = utf8(normalise(text.filter(pl.Series(slow))))
    size = 2 * (ends[-1] - first) + len(other[0])
    out, out_ends = np.empty(size, np.uint8), np.empty(len(text) + 1, np.int64)
    write_level(data, ends, forms(), slow, *other, out, out_ends)
    out.flags.writeable = False
    out_ends.flags.writeable = False
    return out, out_ends


@cache
def forms() -> np.ndarray:
    """What each code point below ``SIZE`` is taken for (int64): a code point, with the bits of ``level_loops``."""
    from curate.algorithms.text.level_loops import ALONE, SLOW

    codes = np.delete(np.arange(SIZE), np.s_[0xD800:0xE000])  # surrogates are no characters
    every = pl.Series([f"a{chr(code)}a" for code in codes.tolist()])
    together = nfkc(every).str.contains(TOGETHER)
    codes, found = codes[~together.to_numpy()], normalise(every.filter(~together))
    form = np.full(SIZE, SLOW, np.int64)
    form[codes[(found == "a a").to_numpy()]] = 0x20
    for pattern, bit in (("^a([^ ])a$", 0), (f"^a ([{UNSPACED}]) a$", ALONE)):
        one = found.str.extract(pattern)
        form[codes[one.is_not_null().to_numpy()]] = np.array([ord(c) for c in one.drop_nulls()], np.int64) | bit
    return form
