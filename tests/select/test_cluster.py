"""Quotas over clusters: as many rows as asked for, divided by the quota, and the best of each cluster."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.cluster as cluster
from schemas.errors import UserError
from tests.select.rows import embeddings, numbers


def groups(sizes, width=16):
    draw = np.random.default_rng(1)
    middle = draw.standard_normal((len(sizes), width))
    vectors = np.repeat(middle, sizes, axis=0) + 0.05 * draw.standard_normal((sum(sizes), width))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def kept_of_each(result):
    return result.group_by("cluster").agg(pl.col("kept").sum(), size=pl.len(), row=pl.first("nearest")).sort("size")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 9)), min_size=1, max_size=9), st.floats(0, 1))
def test_all_is_divided_and_no_cell_gives_more_than_it_has(cells, share):
    sizes, weights = (np.array(column) for column in zip(*cells, strict=True))
    count = int(share * sizes.sum())
    quotas = cluster.apportion(weights.astype(float), sizes, count)
    assert quotas.sum() == count and (quotas >= 0).all() and (quotas <= sizes).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.floats(0, 1))
def test_equal_weights_share_as_equally_as_sizes_allow(sizes, share):
    sizes = np.array(sizes)
    quotas = cluster.apportion(np.ones(len(sizes)), sizes, int(share * sizes.sum()))
    assert quotas.max() - quotas[quotas < sizes].min(initial=quotas.max()) <= 1


def test_shares_by_weight_are_right_to_a_row():
    assert cluster.apportion(np.array([5.0, 3, 2]), np.array([50, 30, 20]), 10).tolist() == [5, 3, 2]
    assert cluster.apportion(np.array([8.0, 1, 1]), np.array([2, 50, 50]), 12).tolist() == [2, 5, 5]
    assert cluster.apportion(np.array([0.0, 0, 1]), np.array([4, 2, 1]), 5).tolist() == [2, 2, 1]


def test_balanced_cells_give_equally_others_proportionally():
    sizes = [400, 200, 100]
    table, none = embeddings(groups(sizes)), numbers([None] * 700)
    result, summary = cluster.subset(table, none, keep=32, clusters=8, quota="balanced")
    cells = result["cluster"].n_unique()
    assert set(kept_of_each(result)["kept"]) == {32 // cells, -(-32 // cells)}
    assert summary == f"{cells} clusters, {32 // cells} to {-(-32 // cells)} rows kept of each"
    result, _ = cluster.subset(table, none, keep=70, clusters=30, quota="proportional")
    shares = kept_of_each(result)
    assert (shares["kept"] - shares["size"] / 10).abs().max() <= 1


def test_score_gives_more_to_cells_of_good_rows():
    table = embeddings(groups([100, 100]))
    score = numbers([0.9] * 100 + [0.1] * 99 + [0.0])
    result, _ = cluster.subset(table, score, keep=20, clusters=8, quota="score")
    assert result["kept"][:100].sum() == 18 and result["kept"][100:].sum() == 2


@pytest.mark.parametrize("quota", ["balanced", "proportional", "score"])
def test_the_best_of_each_cluster_are_kept(quota):
    score = np.random.default_rng(0).random(300)
    result, _ = cluster.subset(embeddings(groups([100, 150, 50])), numbers(score), keep=0.2, quota=quota)
    assert result["kept"].sum() == 60
    for _, rows in result.with_columns(score=score).group_by("cluster"):
        kept, other = (rows.filter(where)["score"].to_numpy() for where in ("kept", ~pl.col("kept")))
        assert not len(kept) or not len(other) or kept.min() > other.max()


def test_the_nearest_kept_row_is_of_the_same_cluster():
    vectors = groups([100, 150, 50]).astype(np.float32)
    result, _ = cluster.subset(embeddings(vectors), numbers([None] * 300), keep=40)
    kept = np.flatnonzero(result["kept"])
    for row in np.flatnonzero(~result["kept"].to_numpy()):
        near = result["nearest"][int(row)]
        same = [k for k in kept if result["cluster"][int(k)] == result["cluster"][int(row)]]
        best = (vectors[same] @ vectors[row]).max()
        assert near in same and result["similarity"][int(row)] == pytest.approx(best, abs=1e-3)
    assert result.filter(pl.col("kept"))["nearest"].null_count() == 40


def test_scored_rows_come_first_and_random_ones_vary_by_seed():
    table = embeddings(groups([60, 60]))
    some = numbers([None] * 55 + [1.0] * 5 + [float("nan")] * 60)
    result, _ = cluster.subset(table, some, keep=5)
    assert result["kept"][55:60].all() and result["kept"].sum() == 5
    assert cluster.subset(table, some, keep=20)[0]["kept"].sum() == 20
    none = numbers([None] * 120)
    same = [cluster.subset(table, none, keep=20, seed=seed)[0]["kept"].to_list() for seed in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


def test_rows_without_a_direction_are_not_kept():
    table = embeddings([None, [0, 0], [float("nan"), 1], [float("inf"), 1], [1, 0], [0, 2]])
    result, _ = cluster.subset(table, numbers([9.0, 9, 9, 9, 1, 1]), keep=1.0)
    assert result["kept"].to_list() == [False] * 4 + [True] * 2 and result["nearest"].null_count() == 6
    assert result["cluster"].null_count() == 4
    assert cluster.subset(embeddings([None]), numbers([1.0]), keep=1)[0]["kept"].to_list() == [False]
    empty, _ = cluster.subset(embeddings([]), numbers([]), keep=1, quota="score")
    assert empty.schema == {"kept": pl.Boolean, "nearest": pl.Int64, "similarity": pl.Float64, "cluster": pl.Int64}


@pytest.mark.parametrize("quota", ["balanced", "proportional", "score"])
@pytest.mark.parametrize("keep", [1, 700, 5000, 6000])
def test_equal_rows_are_kept_as_many_as_asked(quota, keep):
    table = pl.Series(np.repeat(groups([1]), 5000, axis=0), dtype=pl.Array(pl.Float32, 16))
    assert cluster.subset(table, numbers([1.0] * 5000), keep=keep, quota=quota)[0]["kept"].sum() == min(keep, 5000)


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match="clusters: expected a number from 1 up, found 0"):
        cluster.subset(embeddings([]), numbers([]), keep=1, clusters=0)
    with pytest.raises(UserError, match="quota: score needs a score for some row"):
        cluster.subset(embeddings([[1, 0]]), numbers([None]), keep=1, quota="score")


def test_cells_without_rows_are_not_counted():
    rows = [[1, 0]] * 10 + [[0, 1]] * 10
    _, summary = cluster.subset(embeddings(rows), numbers([None] * 20), keep=6, clusters=5, seed=1)  # 10, 0, 10, 0, 0
    assert summary == "2 clusters, 3 to 3 rows kept of each"
