"""SemDeDup: who stays in a cluster, at a threshold given or found."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.semdedup as semdedup
from curate.algorithms.vectors import kmeans
from curate.algorithms.vectors.integer_vectors import inverse_lengths, to_integers
from schemas.errors import UserError
from tests.select.rows import embeddings, numbers


def crowd(rows, width=6, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cosines(vectors):
    rounded = to_integers(vectors)
    inverse = inverse_lengths(rounded)
    return (rounded @ rounded.T) * inverse[:, None] * inverse


def plain_loop(vectors, cluster, rank, threshold):
    cluster, kept = cluster.to_numpy(), np.zeros(len(vectors), bool)
    near = (cosines(vectors) > threshold) & (cluster[:, None] == cluster)
    for row in np.argsort(rank, kind="stable"):
        kept[row] = not (near[row] & kept).any()
    return np.flatnonzero(kept).tolist()


@pytest.mark.parametrize("threshold", [-1.0, 0.3, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("clusters", [1, 4, None])
def test_who_stays_is_who_stays_in_the_plain_loop(threshold, clusters):
    vectors, score = crowd(700), np.random.default_rng(1).random(700)
    table = embeddings(vectors)
    result, summary = semdedup.subset(table, numbers(score), threshold=threshold, clusters=clusters)
    expected = plain_loop(vectors, result["cluster"], -score, np.float32(threshold))
    assert np.flatnonzero(result["kept"]).tolist() == expected
    assert summary.startswith(f"threshold {threshold:.4f}, ")
    result, _ = semdedup.subset(table, numbers([None] * 700), threshold=threshold, clusters=clusters)
    _, typical = kmeans.cells(vectors, kmeans.centres(vectors, clusters or 26, 0))
    expected = plain_loop(vectors, result["cluster"], typical, np.float32(threshold))
    assert np.flatnonzero(result["kept"]).tolist() == expected


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("count", [26, 50, 300, 695, 700])
def test_a_dropped_row_names_a_kept_near_row_of_its_cluster(count, scored):
    vectors = crowd(700)
    score = numbers(np.random.default_rng(1).random(700) if scored else [None] * 700)
    result, summary = semdedup.subset(embeddings(vectors), score, keep=count)
    threshold = float(summary.split()[1].rstrip(","))
    cosine, kept = cosines(vectors), result["kept"].to_numpy()
    assert kept.sum() == count
    dropped = result.with_row_index().filter(~pl.col("kept"))
    for row, near, similarity, cluster in dropped.select("index", "nearest", "similarity", "cluster").iter_rows():
        assert kept[near] and result["cluster"][near] == cluster
        assert similarity == pytest.approx(float(vectors[row] @ vectors[near]), abs=1e-6)
        assert cosine[row, near] >= threshold - 1e-4
    same = result["cluster"].to_numpy()[:, None] == result["cluster"].to_numpy()
    close = (cosine > threshold + 1e-4) & same & kept[:, None] & kept
    np.fill_diagonal(close, False)
    assert np.triu(close).sum() <= 5  # those added to make the number


def test_the_best_row_stays_or_the_farthest_from_the_centre():
    vectors = [[1, 0, 0], [1, 0.15, 0], [1, -0.05, 0.02]]
    result, _ = semdedup.subset(embeddings(vectors), numbers([None] * 3), threshold=0.9, clusters=1)
    assert result["kept"].to_list() == [False, True, False] and result["nearest"].to_list() == [1, None, 1]
    result, _ = semdedup.subset(embeddings(vectors), numbers([None, 0.1, 0.2]), threshold=0.9, clusters=1)
    assert result["kept"].to_list() == [False, False, True]


def test_of_a_chain_every_other_one_stays():
    angle = np.arange(9) * 0.2
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    result, _ = semdedup.subset(embeddings(vectors), numbers(-np.arange(9.0)), threshold=np.cos(0.3), clusters=1)
    assert np.flatnonzero(result["kept"]).tolist() == [0, 2, 4, 6, 8]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 9) | st.none(), st.booleans(), st.integers(0, 3))
def test_exactly_as_many_as_asked_for_are_kept(rows, keep, clusters, scored, seed):
    vectors = crowd(60, 3, seed)[np.random.default_rng(seed).integers(0, rows, 60)]
    score = numbers(np.arange(60.0) if scored else [None] * 60)
    result, _ = semdedup.subset(embeddings(vectors), score, keep=keep, clusters=clusters, seed=seed)
    assert result["kept"].sum() == min(keep, 60)
    assert result.filter(~pl.col("kept"))["nearest"].null_count() == 0


@pytest.mark.parametrize("keep", [1, 700, 5000])
def test_equal_rows_cost_little_and_stay_as_many_as_asked(keep):
    table = pl.Series(np.repeat(crowd(1), 5000, axis=0), dtype=pl.Array(pl.Float32, 6))
    assert semdedup.subset(table, numbers([None] * 5000), keep=keep)[0]["kept"].sum() == keep
    assert semdedup.subset(table, numbers([None] * 5000), threshold=0.95)[0]["kept"].sum() == 1


def test_rows_without_a_direction_are_not_kept():
    table = embeddings([None, [0, 0], [float("nan"), 1], [float("inf"), 1], [1, 0], [0, 2]])
    choices: list[dict[str, Any]] = [{"keep": 1.0}, {"threshold": 0.5}]
    for given_ in choices:
        result, _ = semdedup.subset(table, numbers([9.0, 9, 9, 9, 1, 1]), **given_)
        assert result["kept"].to_list() == [False] * 4 + [True] * 2 and result["nearest"].null_count() == 6
        empty, _ = semdedup.subset(embeddings([]), numbers([]), **given_)
        assert empty.schema == {"kept": pl.Boolean, "nearest": pl.Int64, "similarity": pl.Float64, "cluster": pl.Int64}
    assert semdedup.subset(embeddings([None]), numbers([1.0]), keep=1)[0]["kept"].to_list() == [False]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({}, "expected one of keep and threshold, found neither"),
        ({"keep": 3, "threshold": 0.9}, "found both"),
        ({"threshold": 1.5}, "threshold: expected a cosine from -1 to 1, found 1.5"),
        ({"keep": 0}, "semdedup: keep"),
        ({"keep": 1, "clusters": 0}, "clusters: expected a number from 1 up"),
    ],
)
def test_settings_out_of_range_are_refused(settings_, message):
    with pytest.raises(UserError, match=message):
        semdedup.subset(embeddings([]), numbers([]), **settings_)
