"""The greedy search: the picks are those of a plain loop that updates every row after each pick."""

import numpy as np
import pytest

from curate.algorithms.vectors.greedy_search import FRONT, greedy_search


class Distances:
    """Rows on a line; the gain of a row is its distance to the nearest pick, or its own number before the first."""

    def __init__(self, points, most_picks, left=None):
        self.points, self.most_picks = points, most_picks
        self.left = points.astype(float) if left is None else left

    def add(self, picks):
        for pick in np.atleast_1d(picks):
            self.left = np.minimum(self.left, np.abs(self.points - self.points[pick]))
        return self.left.copy()

    def front(self, rows, most):
        return Distances(self.points[rows], most, self.left[rows])


@pytest.mark.parametrize("start", [[], [7], [7, 3]])
@pytest.mark.parametrize("most_picks", [1, 5, FRONT])
@pytest.mark.parametrize(("rows", "count"), [(40, 40), (3 * FRONT, 60)])
def test_the_picks_are_those_of_the_plain_loop(rows, count, most_picks, start):
    points = np.random.default_rng(rows).permutation(10 * rows)[:rows] + np.random.default_rng(0).random(rows)
    plain, picked = Distances(points, 1), list(start)
    gain = plain.add(np.array(start, int))
    while len(picked) < count:
        gain[picked] = -np.inf
        picked.append(int(gain.argmax()))
        gain = plain.add(picked[-1])
    found = greedy_search(Distances(points, most_picks), rows, start, count)
    assert np.flatnonzero(found).tolist() == sorted(picked)


def test_no_rows_give_no_picks():
    assert greedy_search(Distances(np.zeros(0), 5), 0, [], 0).tolist() == []
