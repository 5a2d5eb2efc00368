"""Connected components of rows, from pairs of rows that belong together."""

import numpy as np

Pairs = tuple[np.ndarray, np.ndarray]  # the rows on one side of each pair, and those on the other (int64)


def pairs_by_key(rows: np.ndarray, keys: np.ndarray) -> Pairs:
    """Return pairs that connect all rows of equal keys; the key 0 stands for none."""
    rows, keys = rows[keys != 0], keys[keys != 0]
    order = np.argsort(keys, kind="stable")
    same = keys[order[1:]] == keys[order[:-1]]
    return rows[order[:-1][same]], rows[order[1:][same]]


def joined(parts: list[Pairs]) -> Pairs:
    """Return all pairs of several lists in one."""
    empty = np.zeros(0, np.int64)
    return np.concatenate([empty, *(p[0] for p in parts)]), np.concatenate([empty, *(p[1] for p in parts)])


def component_labels(rows: int, pairs: Pairs) -> np.ndarray:
    """Return for each of ``rows`` rows the least row of its connected component (int64).

    Labels are hooked onto the least label that they meet, and paths to it shortened, until nothing changes (Shiloach
    and Vishkin 1982).
    """
    label = np.arange(rows, dtype=np.int64)
    left, right = pairs
    while len(left):
        one, other = label[left], label[right]
        apart = one != other
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        np.minimum.at(label, np.maximum(one, other), np.minimum(one, other))
        while True:
            shorter = label[label]
            if np.array_equal(shorter, label):
                break
            label = shorter
    return label


def sizes_of(labels: np.ndarray) -> np.ndarray:
    """Return for each row how many rows have its label (int64)."""
    return np.bincount(labels, minlength=len(labels))[labels]
