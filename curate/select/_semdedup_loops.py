"""The compiled loop of ``semdedup``: which rows stay at each of many thresholds, decided side by side."""

import numpy as np

from curate.algorithms.compiled import compiled


@compiled
def decide_block(
    before: np.ndarray, stayed: np.ndarray, among: np.ndarray, thresholds: np.ndarray, stays: np.ndarray
) -> None:
    """Decide a block of rows, best first: a row goes, at a threshold, if its cosine to one that stays is above it.

    Whether a row stays is a set of bits: bit t is for threshold t.

    Args:
        before: The cosines to rows of earlier blocks (float32, rows x p).
        stayed: At which thresholds those p rows stayed (uint64).
        among: The cosines among the rows of the block (float32, rows x rows).
        thresholds: The thresholds (float32), ascending and evenly spaced, 64 at most.
        stays: At which thresholds each row stays (uint64); this is filled in.
    """
    one = np.uint64(1)
    count = len(thresholds)
    steps = (count - 1) / (thresholds[-1] - thresholds[0]) if count > 1 else 0.0
    all_of_them = ~np.uint64(0) >> np.uint64(64 - count)
    for row in range(len(among)):
        goes = np.uint64(0)
        for other in range(before.shape[1] + row):
            inside = other - before.shape[1]
            cosine = before[row, other] if inside < 0 else among[row, inside]
            if cosine > thresholds[0]:
                below = min(count, int((cosine - thresholds[0]) * steps) + 1)  # how many thresholds it is above
                while below < count and cosine > thresholds[below]:
                    below += 1
                while cosine <= thresholds[below - 1]:
                    below -= 1
                bits = all_of_them if below == 64 else (one << np.uint64(below)) - one
                goes |= bits & (stayed[other] if inside < 0 else stays[inside])
                if goes == all_of_them:
                    break
        stays[row] = all_of_them & ~goes
