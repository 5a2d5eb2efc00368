"""facility_location: the picks of plain greedy, a cover as good from a sparse graph, and bounds that hold."""

import itertools
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.facility_location as facility_location
from curate.algorithms.vectors.distinct_rows import MIN_KEPT, PART, distinct_rows, divide
from schemas.errors import UserError
from tests.select.rows import planted


def subset(vectors, keep, score=None, **given):
    column = pl.Series("embedding", vectors, dtype=None if isinstance(vectors, np.ndarray) else pl.Array(pl.Float32, 2))
    score = pl.Series("score", [None] * len(column) if score is None else score, dtype=pl.Float64)
    return facility_location.subset(column, score, keep=keep, **given)


def kept(result):
    return np.flatnonzero(result[0]["kept"].to_numpy()).tolist()


def greedy(vectors, count, rank=0.0, quality=0.0):
    """Plain greedy on all cosines: again and again the row that adds most."""
    cosine = np.maximum(vectors @ vectors.T, 0).astype(np.float64)
    covered, picks = np.zeros(len(vectors)), []
    for _ in range(count):
        gain = (1 - quality) * np.maximum(cosine, covered).mean(axis=1) + quality * rank / count
        gain[picks] = -1
        picks.append(int(np.argmax(gain)))
        covered = np.maximum(covered, cosine[picks[-1]])
    return sorted(picks)


def coverage(vectors, picks):
    return np.maximum(vectors @ vectors[picks].T, 0).max(axis=1).mean()


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (30, 1), (90, 12), (300, 40)])
@pytest.mark.parametrize("clustered", [False, True])
def test_with_every_neighbour_the_picks_are_plain_greedys(rows, count, clustered):
    vectors = planted(rows, count)
    if not clustered:
        vectors = np.random.default_rng(count).standard_normal((rows, 16)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert kept(subset(vectors, count, neighbours=rows)) == greedy(vectors, count)


@pytest.mark.parametrize("count", [6, 15, 90])
@pytest.mark.parametrize("width", [16, 96])
def test_a_sparse_graph_covers_as_well_as_the_full_one(count, width):
    vectors = planted(900, count, width)
    result, summary = subset(vectors, count)
    picks = kept((result, summary))
    reached = coverage(vectors, picks)
    assert len(picks) == count
    assert reached > 0.995 * coverage(vectors, greedy(vectors, count))
    assert summary.startswith(f"coverage {reached:.4f} (mean cosine to the nearest kept row), at least 0.")
    others = ~result["kept"].to_numpy()
    cosine = vectors @ vectors[picks].T
    assert result["similarity"].to_numpy()[others] == pytest.approx(cosine.max(axis=1)[others], abs=1e-5)
    nearest = np.searchsorted(picks, result["nearest"].to_numpy()[others].astype(int))
    assert cosine[others, nearest] == pytest.approx(cosine.max(axis=1)[others], abs=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 12))
def test_no_rows_cover_more_than_the_bound_says(seed, count, neighbours):
    vectors = planted(12, seed, width=4)
    result = subset(vectors, count, neighbours=neighbours)
    share = float(re.findall(r"at least ([\d.]+) of what any", result[1])[0])
    best = max(coverage(vectors, list(picks)) for picks in itertools.combinations(range(12), count))
    assert coverage(vectors, kept(result)) >= (share - 6e-4) * best


@pytest.mark.parametrize("quality", [0.2, 0.5, 1.0])
def test_scores_weigh_as_qdit_says(quality):
    vectors, score = planted(120, 3), np.random.default_rng(3).permutation(120)
    result = subset(vectors, 15, score, quality=quality, neighbours=120)
    assert kept(result) == greedy(vectors, 15, (score + 1) / 120, quality)
    assert "at least" not in result[1]
    assert kept(subset(vectors, 15, score, quality=0.0)) == kept(subset(vectors, 15))


def test_rows_without_a_score_are_kept_last():
    vectors = planted(60, 4)
    score = [float(row) if row < 20 else (None if row % 2 else float("nan")) for row in range(60)]
    assert max(kept(subset(vectors, 15, score))) < 20
    chosen = kept(subset(vectors, 25, score))
    assert set(range(20)) < set(chosen) and len(chosen) == 25
    of_equals = subset(np.repeat(np.eye(2, dtype=np.float32), 3, axis=0), 2, [1, None, 3, None, 5, 4])
    assert kept(of_equals) == [2, 4]


def test_rows_without_a_direction_are_left_out():
    result, _ = subset([None, [0, 0], [float("nan"), 1], [float("inf"), 1], [1, 0], [0, 2]], 1.0)
    assert result["kept"].to_list() == [False] * 4 + [True] * 2
    assert result["nearest"].null_count() == 6
    result, _ = subset([None, [0, 0], [1, 0], [0.6, 0.8], [0, 2]], 1)
    assert result["kept"].to_list() == [False] * 3 + [True, False]
    assert result["nearest"].to_list() == [None, None, 3, None, 3]
    assert subset([None], 1)[0]["kept"].to_list() == [False]
    assert subset([], 1)[0].height == 0


def test_rows_far_from_every_kept_one_have_their_nearest_too():
    result, summary = subset(np.eye(4, dtype=np.float32) * [[1], [1], [-1], [1]], 1)
    assert result["similarity"].drop_nulls().to_list() == [0, 0, 0]
    assert result["nearest"].drop_nulls().n_unique() == 1
    assert summary.startswith("coverage 0.2500")
    opposite, _ = subset(np.array([[1, 0], [1, 0], [-1, 0]], np.float32), 1)
    assert opposite["similarity"].to_list() == [None, 1, -1]


def test_many_equal_rows_are_one():
    vectors = np.repeat(planted(30, 6), 2000, axis=0)
    result, summary = subset(vectors, 10)
    assert sorted({row // 2000 for row in kept((result, summary))}) == kept(subset(vectors[::2000], 10))
    assert subset(vectors, 40_000)[0]["kept"].sum() == 40_000
    assert subset(np.ones((50_000, 3), np.float32), 20_000)[1].startswith("coverage 1.0000")


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 40), st.booleans())
def test_the_order_of_rows_does_not_matter(seed, keep, scored):
    draw = np.random.default_rng(seed)
    vectors, score = planted(40, seed), draw.permutation(40).astype(float) if scored else None
    shuffled = draw.permutation(40)
    chosen = kept(subset(vectors, keep, score, seed=seed))
    other = kept(subset(vectors[shuffled], keep, None if score is None else score[shuffled], seed=seed))
    assert len(chosen) == keep
    assert sorted(shuffled[other]) == chosen
    assert subset(vectors[chosen], keep)[0]["kept"].all()


def test_distinct_vectors_are_in_random_order():
    vectors = np.repeat(planted(50, 7), 3, axis=0)
    rows = np.arange(3, 150)  # the first vector's three rows are not asked for
    rank = np.tile([0.1, np.nan, 0.9], 50)[rows]
    first, times, others = distinct_rows(vectors, rows, rank, 0)
    assert sorted(first) == list(range(5, 150, 3)) and set(times) == {3}
    assert others.tolist() == [*range(3, 150, 3), *range(4, 150, 3)]
    assert first.tolist() != sorted(first)
    assert first.tolist() != distinct_rows(vectors, rows, rank, 1)[0].tolist()
    backwards = distinct_rows(vectors[::-1].copy(), rows - 3, rank[::-1].copy(), 0)[0]
    assert (149 - backwards).tolist() == first.tolist()


@pytest.mark.parametrize("rows", [10, PART, 3 * PART + 1])
@pytest.mark.parametrize("share", [1e-6, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("able", [0.0, 0.2, 1.0])
def test_parts_keep_what_was_asked_and_no_more_than_they_have(rows, share, able):
    able, count = np.random.default_rng(rows).random(rows) < able, max(1, int(share * rows))
    parts = list(divide(able, count))
    assert sum(kept for _, kept in parts) == count
    for part, kept_here in parts:
        size, first = part.stop - part.start, int(able[part].sum())
        assert kept_here <= (first if count <= able.sum() else size)
        assert kept_here >= (first if count >= able.sum() else 0)
        assert size <= PART or len(parts) == max(1, count // MIN_KEPT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep": 0}, "keep: expected a number"),
        ({"keep": 1, "quality": 1.5}, "quality: expected a number from 0 to 1"),
        ({"keep": 1, "neighbours": 0}, "neighbours: expected"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        subset([], **settings)
