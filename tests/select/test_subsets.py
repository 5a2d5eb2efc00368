"""A random subset: as many as asked for, whatever the order of rows."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.select import random
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


def test_random_gives_other_rows_for_another_seed_and_every_row_its_share():
    texts = pl.Series([f"text {n}" for n in range(100)])
    times = sum(random.subset(texts, keep=0.3, seed=seed)["kept"].cast(pl.Int64) for seed in range(200))
    assert times.sum() == 30 * 200
    assert 30 < times.min() and times.max() < 90
