"""The words of many texts as places and hashes in their bytes: what regular expressions take ten times as long for.

NumPy goes over the bytes of a block of texts at once, a block a thread. What a word is, is that of
``curate.algorithms.text.ngrams`` (``hashes``) and of white space (``counts``).
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.ngrams import BLOCK_ROWS, UNSPACED, normalise

SPACE = 32
# Of ASCII: capitals as small letters; punctuation (Unicode's P), controls and white space as a space. Symbols stay.
LEVEL = bytes(
    code + 32
    if 65 <= code <= 90
    else SPACE
    if code <= SPACE or code == 127 or chr(code) in "!\"#%&'()*,-./:;?@[\\]_{}"
    else code
    for code in range(256)
)
MASKS = np.array([(1 << 8 * size) - 1 for size in range(8)] + [2**64 - 1], np.uint64)
ODD = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xD6E8FEB86659FD93)


def in_blocks(texts: pl.Series, block: Callable[[pl.Series], np.ndarray]) -> np.ndarray:
    """Do something to a thousand texts at a time, on every core, and put the results one after another."""
    parts = [texts[low : low + BLOCK_ROWS] for low in range(0, len(texts), BLOCK_ROWS)]
    return np.concatenate(each(block, parts or [texts]))


def counts(texts: pl.Series) -> np.ndarray:
    """Number of words of each text by white space; in scripts without spaces every character is one. Null has none."""
    found = in_blocks(texts.fill_null(""), _counts)
    beyond = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(False)
    rare = beyond.arg_true().gather(texts.filter(beyond).str.contains(rf"[{UNSPACED}\s--[\t-\r\x20]]").arg_true())
    found[rare.to_numpy()] = texts.gather(rare).str.count_matches(rf"[{UNSPACED}]|[^\s{UNSPACED}]+").to_numpy()
    return found


def _counts(texts: pl.Series) -> np.ndarray:
    data, ends = _bytes(texts)
    space = data == SPACE
    space |= (data - np.uint8(9)) < 5  # tab to carriage return
    starts = ~space[1:]
    starts &= space[:-1]
    return np.diff(np.searchsorted(np.flatnonzero(starts), ends))


def _bytes(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The texts' bytes with a space before each and after the last, and the place of each of these spaces."""
    joined = (pl.Series([" "]) + texts).to_arrow()
    ends = np.frombuffer(joined.buffers()[1], np.int64)[: len(texts) + 1]
    return np.append(np.frombuffer(joined.buffers()[2] or b"", np.uint8)[: ends[-1]], np.uint8(SPACE)), ends


def levelled(texts: pl.Series) -> pl.Series:
    """Texts of which ``hashes`` finds the words that ``normalise`` finds: those of ASCII alone stay as they are."""
    beyond = texts.str.len_bytes() != texts.str.len_chars()
    return texts.scatter(beyond.arg_true(), normalise(texts.filter(beyond)))


def hashes(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Hash the words of ``levelled`` texts: their hashes one after another (uint64), and where each row's begin.

    The second (int64) is one longer than ``texts``: it ends with the end of the last row's.
    """
    data, ends = _bytes(texts)
    data = np.frombuffer(data.tobytes().translate(LEVEL) + bytes(8), np.uint8)
    space = data[: ends[-1] + 1] == SPACE
    starts = np.flatnonzero(space[:-1] & ~space[1:]) + 1
    lengths = np.flatnonzero(~space[:-1] & space[1:]) + 1 - starts
    eights = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))  # the eight bytes from each byte on
    found = (eights[starts] & MASKS[np.minimum(lengths, 8)]) * ODD
    found ^= found >> np.uint64(29)
    long, done = np.flatnonzero(lengths > 8), 8
    while len(long):
        more = eights[starts[long] + done] & MASKS[np.minimum(lengths[long] - done, 8)]
        mixed = (found[long] ^ more) * MIX
        found[long] = mixed ^ (mixed >> np.uint64(32))
        done += 8
        long = long[lengths[long] > done]
    found += lengths.astype(np.uint64) * MIX
    return found, np.searchsorted(starts, ends)
