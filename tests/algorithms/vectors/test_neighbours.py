"""Unit vectors out of a column, and the nearest chosen row to each, against plain NumPy."""

import numpy as np
import polars as pl
import pytest

from curate.algorithms.vectors.neighbours import nearest, unit


def column(vectors: np.ndarray) -> pl.Series:
    return pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))


def test_unit_vectors_are_a_view_and_cannot_be_written_to():
    vectors = np.eye(4, dtype=np.float32)
    found, usable = unit(column(vectors))
    assert np.shares_memory(found, column(vectors).to_numpy()) or np.shares_memory(found, vectors)
    assert usable.all() and not found.flags.writeable


def test_vectors_are_made_units_and_directionless_rows_named():
    nan = float("nan")
    rows = [[3, 4], None, [0, 0], [nan, 1], [1e25, 0], [1e-30, 0], [float("inf"), 1], [0, -2]]
    found, usable = unit(pl.Series("embedding", rows, dtype=pl.Array(pl.Float32, 2)))
    assert usable.tolist() == [True, False, False, False, True, True, False, True]
    np.testing.assert_allclose(found[usable], [[0.6, 0.8], [1, 0], [1, 0], [0, -1]], atol=1e-6)
    assert not found.flags.writeable


def test_no_rows():
    found, usable = unit(pl.Series("embedding", [], dtype=pl.Array(pl.Float32, 3)))
    assert found.shape == (0, 3) and len(usable) == 0
    assert nearest(found, np.zeros(0, np.int64))[0].shape == (0,)


@pytest.mark.parametrize("block", [3, 7, 4096])
def test_nearest_is_that_of_the_whole_product(block):
    draw = np.random.default_rng(0)
    vectors, _ = unit(column(draw.standard_normal((50, 5)).astype(np.float32)))
    kept = draw.permutation(50)[:11]
    product = vectors @ vectors[kept].T
    position, cosine = nearest(vectors, kept, block=block)
    assert position.tolist() == product.argmax(axis=1).tolist()
    np.testing.assert_allclose(cosine, product.max(axis=1), atol=1e-6)
    some = np.array([4, 40, 7])
    assert nearest(vectors, kept, some, block)[0].tolist() == position[some].tolist()


def test_equally_near_rows_give_the_first_and_nan_gives_none():
    vectors = np.array([[1, 0], [1, 0], [np.nan, 0], [0, 1]], np.float32)
    position, cosine = nearest(vectors, np.array([1, 0]), block=1)
    assert position.tolist() == [0, 0, -1, 0]
    assert np.isnan(cosine[2]) and cosine[[0, 1, 3]].tolist() == [1, 1, 0]


def test_nothing_kept_is_near_nothing():
    position, cosine = nearest(np.eye(2, dtype=np.float32), np.zeros(0, np.int64))
    assert position.tolist() == [-1, -1] and np.isnan(cosine).all()
