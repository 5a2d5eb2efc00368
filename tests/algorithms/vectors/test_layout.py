"""Places of vectors in two dimensions: the same each time, and near where the vectors are near."""

import numpy as np
import pytest

from curate.algorithms.vectors.layout import EXACT, LEAST, main_axes, positions


def groups(sizes, width=32, spread=0.3, seed=0):
    draw = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    vectors = draw.standard_normal((len(sizes), width))[of] + spread * draw.standard_normal((len(of), width))
    return read_only(vectors), of


def read_only(vectors):
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    vectors.flags.writeable = False
    return vectors


def test_equal_vectors_and_seeds_give_equal_places():
    vectors, _ = groups([40, 40, 40])
    places = positions(vectors, 7)
    assert places.shape == (120, 2) and places.dtype == np.float32 and np.isfinite(places).all()
    assert np.array_equal(places, positions(vectors, 7))
    assert not np.array_equal(places, positions(vectors, 8))


def test_neighbours_on_the_map_are_of_the_same_group():
    vectors, of = groups([60, 50, 40, 30, 20])
    places = positions(vectors, 7)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, :10]
    assert (of[near] == of[:, None]).mean() > 0.97


@pytest.mark.parametrize("count", [0, 1, 2, LEAST - 1, LEAST, LEAST + 1])
def test_few_vectors_have_places_too(count):
    vectors, _ = groups([count], width=4) if count else (read_only(np.ones((0, 4))), None)
    places = positions(vectors, 1)
    assert places.shape == (count, 2) and np.isfinite(places).all()


def test_equal_vectors_have_places_of_their_own():
    vectors = read_only(np.repeat([[1.0, 0.0], [0.0, 1.0]], 20, axis=0))
    places = positions(vectors, 1)
    assert np.isfinite(places).all() and len(np.unique(places, axis=0)) == 40


def test_opposite_vectors_have_places():
    """No cosine to another row is above 0, so that no row has a neighbour."""
    places = positions(read_only(np.vstack([np.eye(10), -np.eye(10)])), 1)
    assert places.shape == (20, 2) and np.isfinite(places).all()


def test_main_axes_are_those_of_greatest_variance():
    line = np.zeros((50, 5))
    line[:, 3] = np.linspace(-4, 4, 50)
    line[:, 1] = np.tile([-1, 1], 25)
    found = main_axes(line.astype(np.float32))
    assert np.abs(np.corrcoef(found[:, 0], line[:, 3])[0, 1]) > 0.999
    assert np.abs(np.corrcoef(found[:, 1], line[:, 1])[0, 1]) > 0.999
    assert main_axes(np.ones((3, 1), np.float32)).shape == (3, 2)


@pytest.mark.slow
def test_many_vectors_are_compared_by_cells():
    """Neighbours are looked for in the cells nearby: nearly all of them are of the same group, and all are found."""
    vectors, of = groups([EXACT // 8] * 9, width=8)
    places = positions(vectors, 7)
    assert np.isfinite(places).all()
    some = np.arange(0, len(of), 200)
    distances = np.linalg.norm(places[some][:, None] - places[None], axis=2)
    distances[np.arange(len(some)), some] = np.inf
    near = np.argsort(distances, axis=1)[:, :10]
    assert (of[near] == of[some][:, None]).mean() > 0.97
