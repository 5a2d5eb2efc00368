"""Short forms of vectors whose products bound cosines from above, so that most cosines need never be computed.

A vector is rotated so that its first few numbers hold as much of it as possible (the principal axes of a sample); the
length of the rest is appended. By the Cauchy-Schwarz inequality the product of two such short forms is at least the
product of the vectors: no pair is overlooked. Real embeddings lie near few axes. Where vectors point in all directions
alike, nothing is gained and the vectors stay as they are.
"""

import numpy as np

BLOCK = 1 << 14  # rows rotated at a time
SAMPLE = 4096  # rows from which the axes are computed and the gain is estimated
LENGTHS = (31, 63, 95, 127, 191)  # one less than lengths that processors multiply fast
NARROW, SINGLE = 80, 6  # measured extra cost of a narrow product, and of a single cosine for each of its columns
OVER = 1.00003  # the largest squared length of a unit vector after rounding


def shorten(vectors: np.ndarray, rows: np.ndarray, share: float) -> np.ndarray:
    """Return short forms of all ``vectors``, or ``vectors`` themselves where short forms would cost no less.

    For any two of ``rows`` the product of their short forms is at least their cosine less 1e-5.

    Args:
        vectors: Unit vectors at ``rows`` (float32, n x d); other rows may hold anything.
        rows: The row numbers that matter.
        share: The share of pairs, in (0, 1], that the caller looks for, the nearest ones: it tells how many bounds
            will be above the cosine looked for.
    """
    sample = vectors[rows[:: max(1, len(rows) // SAMPLE)]]
    width = vectors.shape[1]
    if len(sample) < 256 or width <= min(LENGTHS):
        return vectors
    axes = np.linalg.eigh((sample.T @ sample).astype(np.float64))[1][:, ::-1].astype(np.float32)
    length = _best_length(sample @ axes, share)
    if length == width:
        return vectors
    axes = np.ascontiguousarray(axes[:, :length])
    short = np.empty((len(vectors), length + 1), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for low in range(0, len(vectors), BLOCK):
            short[low : low + BLOCK] = _with_rest(vectors[low : low + BLOCK] @ axes)
    return short


def _with_rest(rotated: np.ndarray) -> np.ndarray:
    """Append to the first numbers of rotated unit vectors the length of the rest."""
    rest = np.sqrt(np.maximum(OVER - np.square(rotated).sum(axis=1, keepdims=True), 0))
    return np.hstack((rotated, rest))


def _best_length(rotated: np.ndarray, share: float) -> int:
    """Return the length of least work: a product for all pairs, and true cosines for those that the bound keeps.

    Work is counted in columns of a large matrix product.
    """
    some, width = rotated[:: max(1, len(rotated) // 256)], rotated.shape[1]
    cosines = np.sort(some @ rotated.T, axis=1)
    sought = cosines[:, -2 - min(int(share * len(rotated)), len(rotated) - 2), None]  # the last is the row itself
    work = {width: float(width)}
    for length in LENGTHS:
        if length < width:
            bounds = _with_rest(some[:, :length]) @ _with_rest(rotated[:, :length]).T
            work[length] = NARROW + length + SINGLE * width * float((bounds > sought).mean())
    return min(work, key=work.__getitem__)
