"""All subset steps keep as many rows as asked for and report true cosines; the random one ignores the order of rows."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.dpp as dpp
import curate.select.random as random
from curate.steps.find_step import find_step
from schemas.errors import UserError


@pytest.mark.parametrize(("keep", "kept"), [(3, 3), (0.5, 5), (1.0, 10), (99, 10), (0.01, 1)])
def test_keep_is_a_number_or_a_share(keep, kept):
    texts = pl.Series([f"text {n}" for n in range(10)])
    assert random.subset(texts, keep=keep)["kept"].sum() == kept


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


def test_random_rows_vary_by_seed_and_each_has_its_share():
    texts = pl.Series([f"text {n}" for n in range(100)])
    times = np.sum([random.subset(texts, keep=0.3, seed=seed)["kept"].to_numpy() for seed in range(200)], axis=0)
    assert times.sum() == 30 * 200
    assert 30 < times.min() and times.max() < 90


@pytest.mark.parametrize("name", ["k_center", "facility_location", "repr_filter", "dpp", "mmr", "cluster", "semdedup"])
def test_the_similarity_is_the_true_cosine_to_a_kept_row(name):
    vectors = (np.sign(np.random.default_rng(0).standard_normal((60, 500))) / np.sqrt(500)).astype(np.float32)
    embedding = pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, 500))
    found = find_step("select", name).function(embedding, pl.Series([None] * 60, dtype=pl.Float64), keep=6)
    table = found[0] if isinstance(found, tuple) else found
    assert table["kept"].sum() == 6
    gone = ~table["kept"].to_numpy()
    near = table["nearest"].to_numpy()[gone].astype(int)
    assert not gone[near].any()
    true = (vectors[gone].astype(float) * vectors[near]).sum(axis=1)
    assert table["similarity"].to_numpy()[gone] == pytest.approx(true, abs=1e-6)


def test_dpp_keeps_unscored_rows_last_whatever_the_quality():
    vectors = np.eye(8, dtype=np.float32)
    score = pl.Series([None, 0.0, *[1.0] * 6], dtype=pl.Float64)
    table, _ = dpp.subset(pl.Series("embedding", vectors, dtype=pl.Array(pl.Float32, 8)), score, keep=7, quality=1e4)
    assert table["kept"].to_list() == [False, *[True] * 7]
