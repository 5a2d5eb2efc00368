"""k_center: the picks of the plain loop, with and without scores, and a sane answer to any rows."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.k_center as k_center
from curate.algorithms.vectors.farthest_first import FRONT
from curate.storage.mapped_columns import as_series
from schemas.errors import UserError
from tests.select.rows import planted


def embeddings(rows):
    rows = [None if row is None else list(row) for row in rows]
    width = next((len(row) for row in rows if row is not None), 2)
    return pl.Series("embedding", rows, dtype=pl.Array(pl.Float32, width))


def scores(values):
    return pl.Series("score", values, dtype=pl.Float64)


def subset(vectors, keep, score=None, **given):
    column = vectors if isinstance(vectors, pl.Series) else embeddings(vectors)
    return k_center.subset(column, scores([None] * len(column) if score is None else score), keep=keep, **given)


def kept(result):
    return np.flatnonzero(result["kept"].to_numpy()).tolist()


def plain(vectors, count, weight=None):
    """The picks of the plain loop: always the row of greatest weight x distance to its nearest pick."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    weight = np.ones(len(vectors)) if weight is None else weight
    top = np.flatnonzero(weight == weight.max())
    picks = [int(top[np.argmax(vectors[top] @ vectors.mean(axis=0))])]
    near = vectors @ vectors[picks[0]]
    while len(picks) < count:
        far = weight * np.sqrt(np.maximum(2 - 2 * near, 0))
        far[picks] = -1
        picks.append(int(np.argmax(far)))
        near = np.maximum(near, vectors @ vectors[picks[-1]])
    return sorted(picks)


@pytest.mark.parametrize(("rows", "count", "width"), [(50, 1, 16), (50, 12, 16), (3000, 300, 16), (3 * FRONT, 60, 96)])
@pytest.mark.parametrize("clustered", [False, True])
def test_k_center_picks_what_the_plain_loop_picks(rows, count, width, clustered):
    draw = np.random.default_rng(rows + count)
    vectors = planted(rows, count, width) if clustered else draw.standard_normal((rows, width)).astype(np.float32)
    result = subset(pl.Series(vectors), count)
    picks = kept(result)
    assert picks == plain(vectors, count)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit[picks].T
    others = ~result["kept"].to_numpy()
    similarity = result["similarity"].to_numpy()[others]
    assert similarity == pytest.approx(cosine.max(axis=1)[others], abs=1e-5)
    nearest = np.searchsorted(picks, result["nearest"].to_numpy()[others].astype(int))
    assert cosine[others, nearest] == pytest.approx(similarity, abs=1e-5)


def test_k_center_weighs_distance_by_the_rank_of_the_score():
    vectors, score = planted(800, 3), np.random.default_rng(3).permutation(800)
    rank = (score + 1) / 800
    for quality in (1.0, 0.3):
        assert kept(subset(vectors, 40, score, quality=quality)) == plain(vectors, 40, rank**quality)
    chosen = kept(subset(vectors, 40, score))
    assert rank[chosen].mean() > rank[kept(subset(vectors, 40))].mean() + 0.2
    assert kept(subset(vectors, 40, score * 1000.0 - 7)) == chosen  # only the order of scores counts


def test_k_center_keeps_rows_without_a_score_last():
    vectors = planted(60, 4)
    score = [float(row) if row < 20 else (None if row % 2 else float("nan")) for row in range(60)]
    assert max(kept(subset(vectors, 15, score))) < 20
    chosen = kept(subset(vectors, 25, score))
    assert set(range(20)) < set(chosen) and len(chosen) == 25


def test_k_center_covers_the_far_corners():
    vectors = [[1, 0.01 * n] for n in range(20)] + [[-1, 0], [0, -1]]
    result = subset(vectors, 3)
    assert result["kept"].to_list()[20:] == [True, True]
    assert result.filter(pl.col("kept"))["nearest"].to_list() == [None] * 3


def test_k_center_leaves_out_rows_without_a_direction():
    result = subset([None, [0, 0], [float("nan"), 1], [float("inf"), 1], [1, 0], [0, 2]], 1.0)
    assert result["kept"].to_list() == [False] * 4 + [True] * 2
    assert result["nearest"].null_count() == 6
    assert subset([None], 1)["kept"].to_list() == [False]
    assert subset([], 1).height == 0
    result = subset([None, [0, 0], [float("nan"), 1], [1, 0], [0, 2], [1, 1]], 2)
    assert kept(result) == [3, 4] or kept(result) == [4, 5] or kept(result) == [3, 5]
    assert result["nearest"].null_count() == 5


def test_k_center_of_many_equal_rows_is_not_quadratic():
    vectors = np.repeat(np.eye(3, 4, dtype=np.float32), 20_000, axis=0)
    result = subset(pl.Series(vectors), 30_000)  # the plain loop would look at 1.8 billion pairs
    assert result["kept"].sum() == 30_000
    assert result["kept"].to_numpy().reshape(3, -1).any(axis=1).all()
    assert result["similarity"].drop_nulls().to_numpy() == pytest.approx(1)


def test_k_center_reads_a_mapped_file_and_leaves_it_as_it_is(tmp_path):
    vectors = planted(5000, 5, 64)
    vectors.tofile(tmp_path / "v")
    mapped = np.memmap(tmp_path / "v", np.float32, "r", shape=vectors.shape)
    result = subset(as_series(mapped, "embedding"), 50)
    assert result.equals(subset(pl.Series(vectors), 50))
    assert (np.fromfile(tmp_path / "v", np.float32) == vectors.ravel()).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 40), st.booleans())
def test_k_center_ignores_row_order_and_is_idempotent(seed, keep, scored):
    draw = np.random.default_rng(seed)
    vectors, score = planted(40, seed), draw.permutation(40).astype(float) if scored else None
    shuffled = draw.permutation(40)
    chosen = kept(subset(vectors, keep, score))
    other = kept(subset(vectors[shuffled], keep, None if score is None else score[shuffled]))
    assert len(chosen) == keep
    assert sorted(shuffled[other]) == chosen
    assert subset(vectors[chosen], keep)["kept"].all()


REFUSED = [
    ({"keep": 0}, "keep: expected a number of rows from 1 up"),
    ({"keep": 1, "quality": -1.0}, "quality: expected a number from 0 up, found -1.0"),
    ({"keep": 1, "quality": float("nan")}, "quality: expected a number from 0 up, found nan"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_k_center_refuses_settings_out_of_range(settings, message):
    with pytest.raises(UserError, match=message):
        subset([], **settings)
