"""The figures of diversity, each against its definition."""

import json

import numpy as np
import polars as pl
import pytest

from curate.algorithms.vectors.diversity import measure, vendi


def unit(rows, width=12, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def column(vectors):
    return pl.Series("embedding", np.asarray(vectors, np.float32), dtype=pl.Array(pl.Float32, np.shape(vectors)[1]))


def first(rows, count):
    return pl.Series("kept", np.arange(rows) < count)


@pytest.mark.parametrize(("rows", "width"), [(5, 12), (200, 12), (5000, 3)])
def test_the_vendi_score_is_that_of_the_whole_kernel(rows, width):
    vectors = unit(rows, width)
    shares = np.linalg.eigvalsh((vectors[:200] @ vectors[:200].T).astype(np.float64) / len(vectors[:200]))
    shares = shares[shares > 1e-12]
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert vendi(vectors, np.arange(min(rows, 200))) == pytest.approx(expected, rel=1e-4)


def test_the_vendi_score_counts_different_rows():
    assert vendi(np.eye(7, dtype=np.float32), np.arange(7)) == pytest.approx(7)
    assert vendi(np.repeat(np.eye(3, dtype=np.float32), 5000, axis=0), np.arange(15_000)) == pytest.approx(3)
    assert vendi(np.eye(7, dtype=np.float32), np.array([2])) == pytest.approx(1)


def test_radius_and_mean_are_of_distances_to_the_nearest():
    vectors = unit(600)
    result = measure(column(vectors), first(600, 30), seed=1)
    assert result["set"].to_list() == ["kept", "random"] and result["rows"].to_list() == [30, 30]
    nearest = 1 - (vectors @ vectors[:30].T).max(axis=1)
    assert result["covering_radius"][0] == pytest.approx(nearest.max(), abs=2e-5)
    assert result["mean_distance"][0] == pytest.approx(nearest.mean(), abs=2e-5)
    assert result["sampled"].to_list() == [600, 600]
    assert [sum(json.loads(counts)) for counts in result["clusters"]] == [30, 30]
    assert [len(json.loads(counts)) for counts in result["clusters"]] == [20, 20]


def test_one_corner_is_less_varied_than_a_random_set():
    vectors = unit(2000)
    vectors = vectors[np.argsort(-vectors[:, 0])]
    result = measure(column(vectors), first(2000, 100))
    kept, other = result.rows(named=True)
    assert kept["vendi"] < other["vendi"] and kept["mean_distance"] > other["mean_distance"]
    assert json.loads(kept["clusters"]).count(0) > json.loads(other["clusters"]).count(0)


def test_a_large_table_is_measured_on_a_part():
    vectors = unit(3000)
    whole, part = (measure(column(vectors), first(3000, 300), products=products) for products in (1 << 40, 1))
    assert whole["sampled"].to_list() == [3000, 3000] and part["sampled"].to_list() == [512, 512]
    assert part["covering_radius"][0] <= whole["covering_radius"][0]
    assert part["mean_distance"][0] == pytest.approx(whole["mean_distance"][0], abs=0.05)
    assert part["vendi"].equals(whole["vendi"]) and part["clusters"].equals(whole["clusters"])


def test_the_random_set_depends_on_the_seed_alone():
    vectors = column(unit(400))
    one, same, other = (measure(vectors, first(400, 40), seed) for seed in (1, 1, 2))
    assert one.equals(same) and not one.row(1) == other.row(1)


def test_rows_without_a_direction_are_left_out():
    vectors = unit(50)
    odd = [*vectors.tolist(), None, [0.0] * 12, [float("nan")] * 12]
    odd = pl.Series("embedding", odd, dtype=pl.Array(pl.Float32, 12))
    kept = pl.Series([True] * 10 + [False] * 40 + [True, True, None])
    result = measure(odd, kept)
    assert result.row(0) == measure(column(vectors), first(50, 10)).row(0)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_an_empty_set_has_no_figures(rows):
    result = measure(pl.Series("embedding", [[1.0, 0.0]] * rows, dtype=pl.Array(pl.Float32, 2)), first(rows, 0))
    assert result["rows"].to_list() == [0, 0] and result["vendi"].null_count() == 2
    full = measure(pl.Series("embedding", [[1.0, 0.0]] * 5, dtype=pl.Array(pl.Float32, 2)), first(5, 5))
    assert full["covering_radius"].to_list() == [0, 0] and full["vendi"].to_list() == [1, 1]
