"""Normalise texts, cut them into words and word n-grams, and count shared n-grams (54-bit hashes in NumPy arrays).

Words are what stands between spaces and punctuation, in lower case, after NFKC. In scripts that are written without
spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan) every character is a word, also in a text of mixed
scripts. A text of fewer words than ``n`` has one n-gram, the whole text, which only an equal text shares.
"""

import numpy as np
import polars as pl

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
HASH_BITS = 54  # the other 10 bits of a sort key hold the row within its block
BLOCK_ROWS = 1 << (64 - HASH_BITS)
PAD = np.uint64(0x9E3779B97F4A7C15)  # stands for a missing word in a text shorter than n
ODD = np.uint64(0xD6E8FEB86659FD93)
MIX = np.uint64(0xFF51AFD7ED558CCD)


def nfkc(text: pl.Series) -> pl.Series:
    """Return the texts in Unicode's compatibility form; texts of ASCII alone stay as they are."""
    beyond_ascii = (text.str.len_bytes() != text.str.len_chars()).fill_null(False)
    if not beyond_ascii.any():
        return text
    return text.clone().scatter(beyond_ascii.arg_true(), text.filter(beyond_ascii).str.normalize("NFKC"))


def normalise(text: pl.Series) -> pl.Series:
    """Return each text as its words with single spaces between; "" for a text without words; null stays null."""
    text = nfkc(text.cast(pl.String)).str.to_lowercase()
    unspaced = text.str.contains(f"[{UNSPACED}]").fill_null(False)
    if unspaced.any():
        apart = text.filter(unspaced).str.replace_all(f"([{UNSPACED}])", " $1 ")
        text = text.clone().scatter(unspaced.arg_true(), apart)
    return one_space(text.str.replace_all(r"[\p{P}\p{C}\p{Z}--\x20]", " "))


def one_space(text: pl.Series) -> pl.Series:
    """Return the texts with one space for every run of white space, and none at the ends."""
    # Two passes with few matches each: one pass that matches every single space too takes several times as long.
    return text.str.replace_all(r"[\s--\x20]", " ").str.replace_all("  +", " ").str.strip_chars(" ")


def word_hashes(words: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Hash the words of normalised texts. Null and empty texts have no words.

    Returns:
        The hashes of all words one after another (uint64), and where those of each row begin and the last row's end
        (int64, one longer than ``words``).
    """
    lists = words.fill_null("").str.split(" ")
    sizes = np.where((words.fill_null("") == "").to_numpy(), 0, lists.list.len().to_numpy()).astype(np.int64)
    flat = lists.explode()
    hashes = flat.filter(flat != "").hash(seed=0).to_numpy()
    return hashes, _ends(sizes)


def ngrams(hashes: np.ndarray, ends: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the n-grams of each row in the order of the text, with repeats.

    Args:
        hashes: The hashes of all words one after another.
        ends: Where those of each row begin, and the last row's end.
        n: The number of words in an n-gram.

    Returns:
        The n-grams (54-bit hashes, uint64) and where those of each row begin, as ``word_hashes`` returns words.
    """
    sizes = np.diff(ends)
    counts = np.where(sizes > 0, np.maximum(sizes - n + 1, 1), 0)
    starts = _ends(counts)
    position = np.arange(starts[-1]) + np.repeat(ends[:-1] - starts[:-1], counts)
    whole = bool((sizes[sizes > 0] >= n).all())
    grams = hashes[position]
    last = None if whole else np.repeat(ends[1:], counts)
    for step in range(1, n):
        if whole:
            word = hashes[position + step]
        else:
            at = position + step
            word = np.where(at < last, hashes[np.minimum(at, max(len(hashes) - 1, 0))], PAD)
        grams = (grams ^ (grams >> np.uint64(31))) * ODD + word
    grams ^= grams >> np.uint64(32)
    grams *= MIX
    return grams >> np.uint64(64 - HASH_BITS), starts


def ngram_sets(words: pl.Series, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct n-grams of normalised texts: sorted within each row, one row after another.

    Works in blocks of rows, so that only a block is in memory beside the result.

    Args:
        words: Texts that ``normalise`` returned.
        n: The number of words in an n-gram.

    Returns:
        The n-grams (54-bit hashes, uint64; two different ones have the same hash with a probability of 1 in 2**54),
        where those of each row begin and the last row's end (int64, one longer than ``words``), and how many n-grams
        each row has with repeats.
    """
    parts, sizes, totals = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for low in range(0, len(words), BLOCK_ROWS):
        grams, starts = ngrams(*word_hashes(words[low : low + BLOCK_ROWS]), n)
        total = np.diff(starts)
        row = np.repeat(np.arange(len(total), dtype=np.uint64), total)
        keys = np.sort((row << np.uint64(HASH_BITS)) | grams)
        keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
        totals.append(total)
        sizes.append(np.bincount((keys >> np.uint64(HASH_BITS)).astype(np.int64), minlength=len(total)))
        parts.append(keys & np.uint64((1 << HASH_BITS) - 1))
    return np.concatenate(parts), _ends(np.concatenate(sizes)), np.concatenate(totals)


def take_rows(values: np.ndarray, ends: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of the given rows one after another, and for each value the index in ``rows`` it is from."""
    sizes = ends[rows + 1] - ends[rows]
    owner = np.repeat(np.arange(len(rows)), sizes)
    position = np.arange(sizes.sum()) + np.repeat(ends[rows] - _ends(sizes)[:-1], sizes)
    return values[position], owner


def shared(values: np.ndarray, ends: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return how many n-grams row ``left[i]`` of ``ngram_sets`` has in common with row ``right[i]``."""
    counts = np.zeros(len(left), np.int64)
    work = np.cumsum((ends[left + 1] - ends[left]) + (ends[right + 1] - ends[right]))
    low = 0
    while low < len(left):  # a block of at most 1,024 pairs and about 4 million n-grams
        done = work[low - 1] if low else 0
        high = max(low + 1, min(low + BLOCK_ROWS, int(np.searchsorted(work, done + 4_000_000))))
        keys = []
        for side in (left, right):
            grams, owner = take_rows(values, ends, side[low:high])
            keys.append((owner.astype(np.uint64) << np.uint64(HASH_BITS)) | grams)
        both = np.sort(np.concatenate(keys))
        twice = both[1:][both[1:] == both[:-1]] >> np.uint64(HASH_BITS)
        counts[low:high] = np.bincount(twice.astype(np.int64), minlength=high - low)
        low = high
    return counts


def _ends(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)))
