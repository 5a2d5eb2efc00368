"""The mean cosine of each text of a group with the group's other texts: of sets of n-grams, or of embeddings."""

import numpy as np
import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.utf8 import utf8

BYTES = 4 << 20  # bytes of text in a block
DIGITS = 9  # of a cosine: rounding makes it the same whatever the order of the texts


def of_texts(text: pl.Series, group: pl.Series, ngram: int) -> np.ndarray:
    """Return the mean cosine of each text's set of character n-grams with those of its group's other texts.

    Args:
        text: The texts; a null or an empty one is not compared.
        group: The group of each.
        ngram: The characters of an n-gram; a shorter text is one n-gram.

    Returns:
        Numbers from 0 to 1; NaN for a text that is not compared, or with nothing.
    """
    order, starts = _by_group(group)
    if not len(order):
        return np.zeros(0)
    from curate.algorithms.text.mean_cosine_loops import mean_cosines

    data, ends = utf8(text.gather(order))
    sizes = np.diff(ends[starts])
    cuts = np.searchsorted(np.cumsum(sizes), np.arange(BYTES, int(sizes.sum()), BYTES))
    cuts = np.unique(np.concatenate(([0], cuts, [len(sizes)])))
    found = np.empty(len(order))

    def work(number: int) -> None:
        low, high = int(cuts[number]), int(cuts[number + 1])
        first, last = int(starts[low]), int(starts[high])
        mean_cosines(data, ends[first : last + 1], starts[low : high + 1] - first, ngram, found[first:last])

    each(work, range(len(cuts) - 1))
    return _in_place(found, order)


def of_vectors(vectors: np.ndarray, group: pl.Series, skip: np.ndarray) -> np.ndarray:
    """Return the mean cosine of each unit vector with those of its group's other rows.

    Args:
        vectors: Unit vectors, a row for each.
        group: The group of each row.
        skip: Rows that are not compared.

    Returns:
        Numbers from -1 to 1; NaN for a row that is not compared, or with nothing.
    """
    order, starts = _by_group(group)
    found = np.full(len(order), np.nan)
    for low, high in zip(starts[:-1], starts[1:], strict=True):
        rows = order[low:high]
        rows = rows[~skip[rows]]
        if len(rows) > 1:
            held = vectors[rows].astype(np.float64)
            own = np.einsum("ij,ij->i", held, held)
            found[low:high][~skip[order[low:high]]] = (held @ held.sum(axis=0) - own) / (len(rows) - 1)
    return _in_place(np.clip(found, -1, 1), order)


def _by_group(group: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows by group, and where each group begins and the last ends."""
    codes = group.rank("dense").fill_null(0).to_numpy()
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return order, np.append(starts, len(order)).astype(np.int64)


def _in_place(found: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return values, which are in ``order``, at the places of their rows."""
    out = np.empty(len(order))
    out[order] = np.round(found, DIGITS)
    return out
