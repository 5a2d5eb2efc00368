"""Intervals: Wilson's, with clusters; they hold the figure, stay in its range, and cover what they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.statistics.figures import figure, wilson
from curate.algorithms.statistics.orders import auroc, kendall, spearman
from curate.algorithms.statistics.same_verdicts import kappa, mean
from tests.algorithms.statistics.known import known

BITS = st.lists(st.booleans(), min_size=2, max_size=40)


def test_wilsons_interval_is_that_of_the_tables():
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    for count, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(count / of, of) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_independent_answers_has_wilsons_interval():
    values = np.repeat([1.0, 0.0], [300, 700])
    found = known(mean(values, np.arange(1000)))
    assert (found.low, found.high) == pytest.approx(wilson(0.3, 1000), abs=1e-3)


def test_copies_of_each_answer_in_its_cluster_add_nothing():
    values = np.array([1.0, 0, 0, 1, 1, 1, 0, 1])
    alone = known(mean(values, np.arange(8)))
    copied = known(mean(np.repeat(values, 5), np.repeat(np.arange(8), 5)))
    assert copied[:3] == pytest.approx(alone[:3]) and copied.count == 40


@given(BITS)
def test_an_interval_holds_the_figure_and_stays_in_its_range(bits):
    found = known(mean(np.array(bits, float), np.arange(len(bits))))
    assert 0 <= found.low <= found.value + 1e-12 and found.value <= found.high + 1e-12 <= 1 + 1e-12
    assert found.high > found.low, "also where all answers agree"


def test_one_cluster_has_no_interval():
    found = figure(0.5, np.array([0.5, -0.5]), np.zeros(2, int))
    assert found.value == 0.5 and found.low is None and found.why


@pytest.mark.parametrize("name", ["auroc", "spearman", "kendall", "kappa", "mean"])
def test_nineteen_of_twenty_intervals_hold_the_true_figure(name):
    """Of samples of clusters; the true figure is that of one large sample."""
    draw = np.random.default_rng(3)

    def drawn(clusters):
        common = np.repeat(draw.normal(size=clusters), 4)
        one, other = (common + draw.normal(size=4 * clusters) * noise for noise in (1.0, 1.5))
        cluster = np.repeat(np.arange(clusters), 4)
        if name == "auroc":
            return auroc(one, other > 0.5, cluster)
        if name == "spearman":
            return spearman(one, np.round(other), cluster)
        if name == "kendall":
            return kendall(one, np.round(other), cluster)
        if name == "kappa":
            return kappa((one > 0).astype(float), (other > 0.3).astype(float), cluster)
        return mean(((one > 0) == (other > 0)).astype(float), cluster)

    true = known(drawn(20_000)).value
    held = np.mean([found.low <= true <= found.high for found in (known(drawn(60)) for _ in range(400))])
    assert 0.92 < held < 0.98
