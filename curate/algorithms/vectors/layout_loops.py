"""The compiled loop that moves points of a layout: near rows together, and each away from some at random."""

import numpy as np

from curate.algorithms.compiled import compiled

AWAY = 5  # random points that a point is moved away from, for each neighbour it is moved to: UMAP's default
SPREAD = 1.58  # the a of UMAP's curve 1 / (1 + a d^2b) for points at least 0.1 apart; b, there 0.9, is 1: no powers
FARTHEST = 4.0  # a step's most, before it is multiplied by the rate


@compiled
def settle(places: np.ndarray, heads: np.ndarray, tails: np.ndarray, every: np.ndarray, rounds: int, seed: int) -> None:
    """Move the points ``places`` (float32, rows x 2) in place, by stochastic gradient descent.

    The edge between points ``heads[i]`` and ``tails[i]`` pulls once in ``every[i]`` rounds, and each of its ends is
    then pushed away from ``AWAY`` random points. The same arguments give the same places: no threads, and a generator
    of its own.
    """
    state = np.uint64(seed * 2 + 1)
    due = every.copy()
    count = np.uint64(len(places))
    for turn in range(rounds):
        rate = np.float32(1 - turn / rounds)
        for edge in range(len(heads)):
            if due[edge] > turn + 1:
                continue
            due[edge] += every[edge]
            for side in range(2):
                one = heads[edge] if side == 0 else tails[edge]
                other = tails[edge] if side == 0 else heads[edge]
                x, y = places[one, 0], places[one, 1]
                dx, dy = x - places[other, 0], y - places[other, 1]
                square = dx * dx + dy * dy
                pull = np.float32(-2 * SPREAD) / (np.float32(1) + np.float32(SPREAD) * square)
                x += rate * min(max(pull * dx, -FARTHEST), FARTHEST)
                y += rate * min(max(pull * dy, -FARTHEST), FARTHEST)
                for _ in range(AWAY):
                    state ^= state << np.uint64(13)
                    state ^= state >> np.uint64(7)
                    state ^= state << np.uint64(17)
                    far = np.int64((state >> np.uint64(11)) % count)
                    dx, dy = x - places[far, 0], y - places[far, 1]
                    square = dx * dx + dy * dy
                    if far == one or square == 0:
                        continue
                    push = np.float32(2) / (
                        (np.float32(0.001) + square) * (np.float32(1) + np.float32(SPREAD) * square)
                    )
                    x += rate * min(max(push * dx, -FARTHEST), FARTHEST)
                    y += rate * min(max(push * dy, -FARTHEST), FARTHEST)
                places[one, 0], places[one, 1] = x, y
