"""K-means: cells of what points the same way, the same for any number of threads, and no trouble with odd tables."""

import numpy as np
import pytest

from curate.algorithms.vectors import kmeans
from curate.algorithms.vectors.integer_vectors import GRID, TO_COSINE, to_integers


def unit(rows, width=16, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def groups(sizes, width=16, spread=0.05):
    middle = unit(len(sizes), width, 1)
    of = np.repeat(np.arange(len(sizes)), sizes)
    vectors = middle[of] + spread * unit(len(of), width, 2)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), of


@pytest.mark.parametrize("width", [3, 384, 4096])
def test_integer_products_are_exact_and_near_the_cosines(width):
    vectors = unit(200, width)
    numbers = to_integers(vectors)
    product = numbers @ numbers.T
    assert np.array_equal(product, numbers.astype(np.float64) @ numbers.T.astype(np.float64))
    assert np.abs(product * TO_COSINE - vectors @ vectors.T).max() < 2e-3 and product.max() < 2**24
    assert np.array_equal(numbers, np.rint(vectors * GRID))


def test_a_row_belongs_to_the_centre_nearest_to_it():
    vectors = unit(3000)
    centres = kmeans.centres(vectors, 40, seed=3)
    cell, cosine = kmeans.cells(vectors, centres)
    product = vectors @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
    assert (product.max(axis=1) - product[np.arange(3000), cell] < 1e-3).all()
    assert np.allclose(cosine, product.max(axis=1), atol=1e-3)
    assert len(np.unique(cell)) == 40


def test_rows_are_nearer_to_their_centres_than_to_as_many_rows():
    vectors, _ = groups([50] * 40, spread=0.7)
    _, learnt = kmeans.cells(vectors, kmeans.centres(vectors, 40, seed=0))
    _, drawn = kmeans.cells(vectors, to_integers(vectors[np.random.default_rng(0).choice(2000, 40, replace=False)]))
    assert learnt.mean() > drawn.mean() + 0.05


def test_far_groups_share_no_cell_where_there_are_enough():
    vectors, of = groups([500, 300, 20, 5, 1])
    cell, _ = kmeans.cells(vectors, kmeans.centres(vectors, 60, seed=0))
    for one in np.unique(cell):
        assert len(np.unique(of[cell == one])) == 1


def test_centres_are_the_same_for_a_seed_and_others_for_another():
    vectors = unit(500)
    assert np.array_equal(kmeans.centres(vectors, 7, 1), kmeans.centres(vectors, 7, 1))
    assert not np.array_equal(kmeans.centres(vectors, 7, 1), kmeans.centres(vectors, 7, 2))


def test_the_number_of_threads_changes_nothing():
    limits = pytest.importorskip("threadpoolctl").threadpool_limits
    vectors = unit(9000, 100)
    found = []
    for threads in (1, 2):
        with limits(threads):
            centres = kmeans.centres(vectors, 90, 0)
            found.append((centres, *kmeans.cells(vectors, centres)))
    assert all(np.array_equal(one, two) for one, two in zip(*found, strict=True))


def test_equal_rows_are_one_cell():
    vectors = np.repeat(unit(1), 5000, axis=0)
    centres = kmeans.centres(vectors, 70, 0)
    assert len(np.unique(kmeans.cells(vectors, centres)[0])) == 1


def test_nearly_equal_rows_are_many_cells():
    vectors = unit(1) + 0.001 * unit(5000)
    cell, _ = kmeans.cells(vectors, kmeans.centres(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 70, 0))
    assert np.bincount(cell).max() < 500


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_there_are_at_most_as_many_centres_as_rows(rows):
    assert len(kmeans.centres(unit(rows), 9, 0)) == rows


def test_the_nearest_kept_row_is_of_the_same_cell_if_any_is():
    vectors = unit(400)
    cell = np.arange(400) % 7
    kept = (np.arange(400) % 5 == 0) & (cell != 3)
    nearest, cosine = kmeans.nearest_in_cell(vectors, cell, kept)
    for row in np.flatnonzero(~kept):
        among = np.flatnonzero(kept & ((cell == cell[row]) | (cell[row] == 3)))
        best = (vectors[among] @ vectors[row]).max()
        assert nearest[row] in among
        assert cosine[row] == pytest.approx(best, abs=1e-3)
        assert cosine[row] == pytest.approx(vectors[nearest[row]] @ vectors[row], abs=1e-3)
    assert (nearest[kept] == -1).all()


def test_many_equal_kept_rows_are_looked_at_once():
    vectors = np.concatenate([np.repeat(unit(1), 30_000, axis=0), unit(1, seed=5)])
    kept = np.arange(30_001) >= 10_000
    nearest, cosine = kmeans.nearest_in_cell(vectors, np.zeros(30_001, int), kept)
    assert np.allclose(cosine[:10_000], 1, atol=1e-6)
    assert (nearest[:10_000] == nearest[0]).all() and kept[nearest[0]]
