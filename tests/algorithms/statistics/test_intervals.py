"""Intervals of mean differences: equal to t where that is defined, wider where it is not, null where none is honest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.statistics.cluster_variance import cluster_variance
from curate.algorithms.statistics.intervals import Interval, clustered_interval, seed_interval, two_way_interval
from curate.algorithms.statistics.student import t_quantile

SHARES = (-1.0, 1.0)
NAN = float("nan")
DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=2, max_size=30)


def ends(found: Interval) -> tuple[float, float]:
    assert found.low is not None and found.high is not None, found.why
    return found.low, found.high


def test_prompts_of_their_own_families_have_the_plain_t_interval():
    # sleep's data of Student 1908: t = 4.0621, p = 0.002833, interval 0.70 to 2.46 (R: t.test(sleep, paired = TRUE))
    change = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    found = clustered_interval(change, np.arange(10))
    assert ends(found) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)
    assert found.p == pytest.approx(0.00283289, abs=1e-7) and found.freedom == pytest.approx(9)
    assert ends(seed_interval(change)) == pytest.approx(ends(found)) and seed_interval(change).p == pytest.approx(
        found.p
    )


def test_a_family_of_copies_counts_as_one_prompt():
    change = np.array([1.0, 0, 0, 1, 1, 0.5])
    alone = clustered_interval(change, np.arange(6))
    copied = clustered_interval(np.repeat(change, 4), np.repeat(np.arange(6), 4))
    assert copied[:6] == pytest.approx(alone[:6])


def test_one_large_family_leaves_few_degrees_of_freedom():
    even = cluster_variance(np.zeros(40), np.repeat(np.arange(8), 5))
    odd = cluster_variance(np.zeros(40), np.repeat(np.arange(8), [33, 1, 1, 1, 1, 1, 1, 1]))
    assert even[1:] == (pytest.approx(7), 8) and odd[2] == 8 and 1 <= odd[1] < 1.5


def test_the_freedom_is_that_of_the_matrix_of_the_variance():
    sizes = np.array([5, 1, 2, 9, 3])
    share = sizes / sizes.sum()
    form = (np.diag(sizes) - np.outer(sizes, sizes) / 20) / np.sqrt(np.outer(1 - share, 1 - share))
    _, freedom, _ = cluster_variance(np.zeros(20), np.repeat(np.arange(5), sizes))
    assert freedom == pytest.approx(np.trace(form) ** 2 / np.sum(form**2))


@given(DIFFERENCES)
def test_an_interval_of_shares_holds_the_mean_and_has_a_width(values):
    found = clustered_interval(np.array(values), np.arange(len(values)), SHARES)
    low, high = ends(found)
    assert found.value is not None and found.p is not None
    assert -1 <= low <= found.value + 1e-12 and found.value - 1e-12 <= high <= 1 and high - low > 0.05
    assert (found.p < 0.05) == (low > 0 or high < 0) or min(abs(low), abs(high)) < 1e-6


@pytest.mark.parametrize(("value", "count", "low", "high"), [(0.0, 30, -0.1157, 0.1157), (1.0, 90, 0.9197, 1.0)])
def test_equal_differences_leave_room_for_those_not_seen(value, count, low, high):
    # Of 30 prompts none differs: up to 11.57% may (Clopper and Pearson 1934); 1 of 90 lost its gain of 1 at 4.01%.
    found = clustered_interval(np.full(count, value), np.arange(count), SHARES)
    assert ends(found) == pytest.approx((low, high), abs=1e-4)


def test_equal_gains_have_the_p_of_the_sign_test():
    five, six = (clustered_interval(np.ones(count), np.arange(count), SHARES) for count in (5, 6))
    assert (five.p, six.p) == (pytest.approx(2 / 32), pytest.approx(2 / 64))
    assert ends(five)[0] < 0 < ends(six)[0]
    assert clustered_interval(np.zeros(9), np.arange(9), SHARES).p == 1


@pytest.mark.parametrize(
    ("values", "cluster", "span", "why"),
    [
        ([], [], SHARES, "no prompt has a score of both"),
        ([NAN, NAN], [0, 1], SHARES, "no prompt has a score of both"),
        ([0.5], [0], SHARES, "one prompt gives no interval"),
        ([0.5, NAN], [0, 1], SHARES, "one prompt gives no interval"),
        ([0.5, 1.0], [3, 3], SHARES, "the prompts are of one family"),
        ([7.0, 7.0], [0, 1], None, "all differences are equal"),
    ],
)
def test_no_interval_is_given_where_none_is_known(values, cluster, span, why):
    found = clustered_interval(np.array(values), np.array(cluster), span)
    assert (found.low, found.high, found.p, found.why) == (None, None, None, why)


def test_seeds_without_spread_or_alone_have_no_interval():
    assert seed_interval(np.array([0.25] * 5))[:5] == (0.25, None, None, 4.0, None)
    assert seed_interval(np.array([0.1, 0.1, 0.1])).why == "all 3 seeds have the same difference"
    assert seed_interval(np.array([0.25])).why == "one seed gives no interval"
    assert seed_interval(np.array([])).why == seed_interval(np.array([NAN])).why == "no seed has a score of both"
    assert seed_interval(np.array([0.1, NAN, 0.3])) == seed_interval(np.array([0.1, 0.3]))


def test_the_two_way_interval_adds_the_widths_as_squares():
    cells = np.random.default_rng(1).normal(0.1, 0.3, (4, 25))
    seeds, prompts = cells.mean(1).var(ddof=1) / 4, cells.mean(0).var(ddof=1) / 25
    found = two_way_interval(cells, np.arange(25))
    half = np.hypot(t_quantile(3) * np.sqrt(seeds), t_quantile(24) * np.sqrt(prompts))
    assert ends(found) == pytest.approx((cells.mean() - half, cells.mean() + half)) and found.freedom == 3
    in_families = two_way_interval(np.repeat(cells, 3, axis=1), np.repeat(np.arange(25), 3))
    assert ends(in_families) == pytest.approx(ends(found))


def test_a_two_way_interval_stands_without_some_cells():
    cells = np.random.default_rng(2).normal(0.1, 0.3, (5, 60))
    whole = two_way_interval(cells, np.arange(60))
    cells[0, :3], cells[3, 7], cells[:, 59] = NAN, NAN, NAN
    found = two_way_interval(cells, np.arange(60))
    assert ends(found) == pytest.approx(ends(whole), abs=0.03)
    cells[1] = NAN
    assert two_way_interval(cells, np.arange(60)).freedom == 3


@pytest.mark.parametrize(
    ("cells", "cluster", "span", "why"),
    [
        (np.full((2, 3), NAN), [0, 1, 2], SHARES, "no seed has a score of both"),
        (np.zeros((0, 3)), [0, 1, 2], SHARES, "no seed has a score of both"),
        (np.zeros((1, 3)), [0, 1, 2], SHARES, "one seed gives no interval"),
        (np.array([[0.0, 1], [1, 1]]), [4, 4], SHARES, "the prompts are of one family"),
        (np.full((2, 3), 5.0), [0, 1, 2], None, "all differences are equal"),
    ],
)
def test_no_two_way_interval_where_none_is_known(cells, cluster, span, why):
    found = two_way_interval(cells, np.array(cluster), span)
    assert (found.low, found.why) == (None, why)


def test_equal_cells_have_an_interval_over_prompts():
    assert ends(two_way_interval(np.ones((3, 90)), np.arange(90), SHARES)) == pytest.approx((0.9197, 1), abs=1e-4)


def test_what_is_too_large_for_an_interval_is_said():
    for values, why in (([1.0, np.inf, 2.0], "a score is infinite"), ([1e200, -1e180, 3.0], "too large")):
        for found in (clustered_interval(np.array(values), np.arange(3)), seed_interval(np.array(values))):
            assert (found.value, found.low, found.p) == (None, None, None) and why in found.why
