"""Choosing a subset: as many as asked for, the right ones, and each dropped row's nearest kept one."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.select import k_center, random
from schemas.errors import UserError


def embeddings(rows):
    rows = [None if row is None else list(row) for row in rows]
    width = next((len(row) for row in rows if row is not None), 2)
    return pl.Series("embedding", rows, dtype=pl.Array(pl.Float32, width))


def plain_k_center(vectors, count):
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    picks = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    while len(picks) < count:
        near = (vectors @ vectors[picks].T).max(axis=1)
        near[picks] = np.inf
        picks.append(int(np.argmin(near)))
    return sorted(picks)


@pytest.mark.parametrize(("rows", "count"), [(50, 1), (50, 12), (3000, 40), (3000, 300)])
def test_k_center_picks_what_the_plain_loop_picks(rows, count):
    vectors = np.random.default_rng(rows + count).standard_normal((rows, 16)).astype(np.float32)
    result = k_center.subset(embeddings(vectors), keep=count)
    kept = np.flatnonzero(result["kept"].to_numpy())
    assert kept.tolist() == plain_k_center(vectors, count)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit[kept].T
    for row in np.flatnonzero(~result["kept"].to_numpy())[:50]:
        nearest, similarity = result["nearest"][int(row)], result["similarity"][int(row)]
        assert similarity == pytest.approx(cosine[row].max(), abs=1e-5)
        assert cosine[row][kept.tolist().index(nearest)] == pytest.approx(cosine[row].max(), abs=1e-5)


def test_k_center_covers_the_far_corners():
    vectors = [[1, 0.01 * n] for n in range(20)] + [[-1, 0], [0, -1]]
    result = k_center.subset(embeddings(vectors), keep=3)
    assert result["kept"].to_list()[20:] == [True, True]
    assert result.filter(pl.col("kept"))["nearest"].to_list() == [None] * 3


def test_k_center_leaves_out_rows_without_a_direction():
    result = k_center.subset(embeddings([None, [0, 0], [float("nan"), 1], [float("inf"), 1], [1, 0], [0, 2]]), keep=1.0)
    assert result["kept"].to_list() == [False] * 4 + [True] * 2
    assert result["nearest"].null_count() == 6
    assert k_center.subset(embeddings([None]), keep=1)["kept"].to_list() == [False]
    assert k_center.subset(embeddings([]), keep=1).height == 0


def test_k_center_of_equal_rows_keeps_as_many_as_asked():
    assert k_center.subset(embeddings([[1, 0]] * 9), keep=4)["kept"].sum() == 4


@pytest.mark.parametrize(("keep", "kept"), [(3, 3), (0.5, 5), (1.0, 10), (99, 10), (0.01, 1)])
def test_keep_is_a_number_or_a_share(keep, kept):
    texts = pl.Series([f"text {n}" for n in range(10)])
    assert random.subset(texts, keep=keep)["kept"].sum() == kept
    vectors = np.random.default_rng(0).standard_normal((10, 4))
    assert k_center.subset(embeddings(vectors), keep=keep)["kept"].sum() == kept


@pytest.mark.parametrize("keep", [0, -1, 0.0, 1.5, True])
def test_keep_out_of_range_is_refused(keep):
    with pytest.raises(UserError, match="keep: expected a number of rows from 1 up"):
        random.subset(pl.Series(["a"]), keep=keep)


@settings(deadline=None)
@given(st.sets(st.text(max_size=3), max_size=20), st.integers(0, 5), st.randoms(use_true_random=False))
def test_random_does_not_depend_on_the_order_of_rows(texts, seed, shuffler):
    texts = sorted(texts)
    other = texts.copy()
    shuffler.shuffle(other)

    def chosen(some):
        series = pl.Series("text", some, dtype=pl.String)
        return set(series.filter(random.subset(series, keep=0.4, seed=seed)["kept"]))

    assert chosen(texts) == chosen(other)


def test_random_gives_other_rows_for_another_seed_and_every_row_its_share():
    texts = pl.Series([f"text {n}" for n in range(100)])
    times = sum(random.subset(texts, keep=0.3, seed=seed)["kept"].cast(pl.Int64) for seed in range(200))
    assert times.sum() == 30 * 200
    assert 30 < times.min() and times.max() < 90
