"""Short forms of vectors whose products bound cosines from above, so that most of them need never be computed.

A vector is turned so that its first few numbers hold as much of it as can be (the principal axes of a sample); to them
is added the length of what is left out. By Cauchy and Schwarz the product of two such short forms is at least the
product of the vectors: no pair is overlooked. Real embeddings lie near few axes; where vectors lie in all directions
alike, nothing is gained and the vectors stay as they are.
"""

import numpy as np

BLOCK = 1 << 14  # rows turned at a time
SAMPLE = 4096  # rows from which the axes are taken and the gain is judged
LENGTHS = (31, 63, 95, 127, 191)  # one less than what processors like to multiply
START, SINGLE = 80, 6
OVER = 1.00003  # the most that a unit vector's squared length can be, rounded


def shorten(vectors: np.ndarray, rows: np.ndarray, share: float) -> np.ndarray:
    """Return short forms of all ``vectors``, or ``vectors`` themselves where these would cost no more.

    ``vectors`` (float32, n x d) are unit vectors at ``rows``; elsewhere they may be anything. ``share`` in (0, 1] is
    the share of pairs that the caller looks for, the nearest: it says how many bounds will be above what is sought.
    For any two of ``rows`` the product of their short forms is at least their cosine less 1e-5.
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
            short[low : low + BLOCK] = _shorten(vectors[low : low + BLOCK] @ axes)
    return short


def _shorten(turned: np.ndarray) -> np.ndarray:
    left = np.sqrt(np.maximum(OVER - np.square(turned).sum(axis=1, keepdims=True), 0))
    return np.hstack((turned, left))


def _best_length(turned: np.ndarray, share: float) -> int:
    """The length of least work: that of a product for all pairs, and true cosines for those not skipped.

    Work is counted in columns of a large matrix product. What narrow products (``START``) and single cosines
    (``SINGLE`` a column) cost more was measured.
    """
    some, width = turned[:: max(1, len(turned) // 256)], turned.shape[1]
    cosines = np.sort(some @ turned.T, axis=1)
    sought = cosines[:, -2 - min(int(share * len(turned)), len(turned) - 2), None]  # the last is the row itself
    work = {width: float(width)}
    for length in LENGTHS:
        if length < width:
            bounds = _shorten(some[:, :length]) @ _shorten(turned[:, :length]).T
            work[length] = START + length + SINGLE * width * float((bounds > sought).mean())
    return min(work, key=work.__getitem__)
