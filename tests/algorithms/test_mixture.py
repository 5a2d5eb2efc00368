"""Mixing: how many rows each source gives, and which."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.mixture import Share, rows_to_draw, times_drawn
from schemas.ids import content_id

WEIGHTS = st.floats(0.01, 100)
SIZES = st.integers(1, 3000)
COUNTS = st.integers(1, 90)
SEEDS = st.integers(0, 1 << 31)


def ids(count, first=0):
    return pl.Series("prompt_id", [content_id("p", str(number)) for number in range(first, first + count)])


@pytest.mark.parametrize(
    "shares, drawn",
    [
        ([Share(1000, rows=500), Share(300, rows=500), Share(40)], [500, 500, 40]),
        ([Share(1000, weight=1), Share(300, weight=1)], [300, 300]),
        ([Share(1000, weight=3), Share(300, weight=1)], [900, 300]),
        ([Share(1000, weight=0.7), Share(300, weight=0.3), Share(5)], [700, 300, 5]),
        ([Share(1000, weight=3, rows=600), Share(100, weight=1), Share(50, weight=0.5)], [600, 200, 100]),
        ([Share(0, weight=3), Share(100, weight=1), Share(50, weight=1)], [0, 50, 50]),
        ([Share(0, rows=3), Share(0), Share(7, weight=1, rows=70), Share(0, weight=9)], [0, 0, 70, 0]),
        ([Share(10, weight=1), Share(10, weight=1000)], [1, 10]),
        ([], []),
    ],
)
def test_rows_weights_and_whole_sources(shares, drawn):
    assert rows_to_draw(shares) == drawn


@given(st.lists(st.tuples(SIZES, WEIGHTS), min_size=2, max_size=6))
def test_a_mix_is_in_proportion_as_large_as_it_can_be(sources):
    drawn = rows_to_draw([Share(size, weight=weight) for size, weight in sources])
    assert any(rows == size for rows, (size, _) in zip(drawn, sources, strict=True)), "one source is used up"
    most = min(size / weight for size, weight in sources)
    for rows, (size, weight) in zip(drawn, sources, strict=True):
        assert 1 <= rows <= size and (abs(rows - weight * most) <= 0.5 + 1e-6 or rows == 1)


@given(COUNTS, st.integers(1, 300), SEEDS)
def test_all_are_drawn_as_often_as_each_other_but_for_once(count, rows, seed):
    times = times_drawn(ids(count), rows, seed)
    assert times.sum() == rows and times.max() - times.min() <= 1


@given(COUNTS, st.integers(1, 300), st.integers(0, 100), SEEDS)
def test_a_larger_draw_contains_a_smaller_one(count, rows, more, seed):
    assert (times_drawn(ids(count), rows + more, seed) >= times_drawn(ids(count), rows, seed)).all()


@given(st.integers(2, 90), st.data(), SEEDS)
def test_a_new_row_takes_the_place_of_at_most_one(count, data, seed):
    rows = data.draw(st.integers(1, count - 1))
    old, new = times_drawn(ids(count - 1), rows, seed), times_drawn(ids(count), rows, seed)
    assert (old != new[:-1]).sum() == new[-1] <= 1


@given(COUNTS, st.randoms(), SEEDS)
def test_the_order_of_rows_does_not_matter(count, random, seed):
    order = list(range(count))
    random.shuffle(order)
    rows = max(1, count // 2)
    assert (times_drawn(ids(count)[order], rows, seed) == times_drawn(ids(count), rows, seed)[order]).all()


def test_another_seed_draws_others():
    assert (times_drawn(ids(200), 100, 1) != times_drawn(ids(200), 100, 2)).any()
    assert len(times_drawn(ids(0), 5, 1)) == 0
