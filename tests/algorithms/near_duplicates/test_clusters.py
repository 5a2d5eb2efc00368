"""Which row of a cluster stays: a rule for priority, and two ways to see a cluster."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.near_duplicates.clusters import find_duplicates, priority

NONE = pl.Series([None] * 4, dtype=pl.Float64)


def order(keep, texts, scores=None, known=None):
    rows = len(texts)
    scores = pl.Series(scores or [None] * rows, dtype=pl.Float64)
    known = pl.Series(known or [False] * rows, dtype=pl.Boolean)
    return priority(keep, pl.Series(texts, dtype=pl.String), scores, known).tolist()


def test_priority_is_by_row_length_or_score():
    texts = ["bb", "a", "dddd", None]
    assert order("first", texts) == [0, 1, 2, 3]
    assert order("longest", texts) == [2, 0, 1, 3]
    assert order("best", texts, [0.5, None, 0.1, float("nan")]) == [0, 2, 1, 3]


def test_ties_are_broken_by_the_text_and_not_by_the_row():
    assert order("longest", ["b", "a", "c"]) == [1, 0, 2]
    assert order("best", ["b", "a", "c"], [1.0, 1.0, 1.0]) == [1, 0, 2]


def test_known_rows_come_first_whatever_the_rule():
    assert order("best", ["a", "b", "c"], [1.0, 0.0, 2.0], [False, True, False]) == [1, 2, 0]


def decided(pairs, rows, cluster, known=0):
    left, right = np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int64)
    return [a.tolist() for a in find_duplicates(left, right, np.full(len(pairs), 0.9), rows, known, cluster)]


def test_a_chain_keeps_its_ends_or_its_first():
    kept_for, near, via = decided([(0, 1), (1, 2)], 3, "keep_first")
    assert kept_for == [-1, 0, -1] and near[1] == 0.9 and via == [-1, 0, -1]
    kept_for, near, via = decided([(0, 1), (1, 2)], 3, "connected")
    assert kept_for == [-1, 0, 0] and via == [-1, 0, 1]
    assert near[1] == 0.9 and np.isnan(near[2]), "the third row is near the first by way of the second only"


@pytest.mark.parametrize("cluster", ["keep_first", "connected"])
def test_known_rows_are_never_dropped_and_make_no_pair(cluster):
    assert decided([(0, 1), (1, 2), (0, 3)], 4, cluster, known=2)[0] == [-1, -1, 1, 0]


@pytest.mark.parametrize("cluster", ["keep_first", "connected"])
def test_no_pairs_no_duplicates(cluster):
    assert decided([], 3, cluster)[0] == [-1, -1, -1]


graphs = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=20),
        st.integers(0, min(n, 3)),
    )
)


@given(graphs, st.sampled_from(["keep_first", "connected"]))
def test_pairs_lead_from_every_dropped_row_to_its_kept_row(graph, cluster):
    rows, pairs, known = graph
    kept_for, _, via = decided(pairs, rows, cluster, known)
    near = {(a, b) for a, b in pairs if a >= known or b >= known}
    near |= {(b, a) for a, b in near}
    assert kept_for[:known] == [-1] * known
    for row in range(rows):
        if kept_for[row] >= 0:
            assert kept_for[kept_for[row]] < 0, "a row duplicates a dropped one"
        at = row
        while at != kept_for[row] >= 0:
            assert (at, via[at]) in near
            at = via[at]
    kept = [row for row in range(rows) if kept_for[row] < 0]
    if cluster == "keep_first":
        assert not any((a, b) in near for a in kept for b in kept if a != b), "two kept rows are near"
