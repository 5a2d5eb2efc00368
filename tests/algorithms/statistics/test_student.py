"""Student's t: quantiles, p-values and power as in tables, and as in simulation."""

import numpy as np
import pytest

from curate.algorithms.statistics.holm import holm
from curate.algorithms.statistics.intervals import seed_interval
from curate.algorithms.statistics.smallest_effect import seed_error, smallest_effect
from curate.algorithms.statistics.student import noncentrality, t_quantile, two_sided_p


@pytest.mark.parametrize(
    ("freedom", "share", "quantile"),
    [
        (1, 0.975, 12.7062), (2, 0.975, 4.30265), (3, 0.975, 3.18245), (4, 0.975, 2.77645), (10, 0.975, 2.22814),
        (30, 0.975, 2.04227), (120, 0.975, 1.97993), (10_000, 0.975, 1.96020), (4, 0.8, 0.94096), (7, 0.5, 0.0),
        (2.5, 0.975, 3.57465),
    ],
)  # fmt: skip
def test_quantiles_are_those_of_the_tables(freedom, share, quantile):
    assert t_quantile(freedom, share) == pytest.approx(quantile, abs=6e-5)


@pytest.mark.parametrize("freedom", [1, 1.7, 4, 33, 5000])
def test_the_p_of_a_quantile_is_what_is_outside(freedom):
    for share in (0.9, 0.975, 0.9995):
        assert two_sided_p(-t_quantile(freedom, share), freedom) == pytest.approx(2 * (1 - share))
    assert two_sided_p(0.0, freedom) == 1 and two_sided_p(float("-inf"), freedom) == 0


def test_the_power_of_a_t_test_is_that_of_the_tables():
    # Cohen 1988, one sample, two-sided 5%, 80%: n = 10 sees d = 0.996, n = 34 sees d = 0.495 (R: power.t.test)
    assert noncentrality(9) / np.sqrt(10) == pytest.approx(0.99563, abs=1e-3)
    assert noncentrality(33) / np.sqrt(34) == pytest.approx(0.49534, abs=1e-3)
    assert noncentrality(1e6) == pytest.approx(2.80159, abs=1e-3)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_four_of_five_comparisons_see_the_smallest_effect(seeds):
    draw = np.random.default_rng(11)
    error = seed_error(seeds, prompts=200, seed_sd=0.03, cell_sd=0.5)
    effect = smallest_effect(error, seeds - 1)
    runs = draw.normal(effect, error * np.sqrt(seeds), (1000, seeds))
    seen = np.mean([(seed_interval(run).p or 1) < 0.05 for run in runs])
    assert 0.77 < seen < 0.83


def test_more_prompts_do_not_mend_what_seeds_spread():
    assert seed_error(5, 10**9, seed_sd=0.03, cell_sd=0.5) == pytest.approx(0.03 / np.sqrt(5))
    assert seed_error(5, 200, seed_sd=0.0, cell_sd=0.5) == pytest.approx(0.5 / np.sqrt(1000))


def test_holm_corrects_by_rank_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # R: p.adjust(method = "holm")
    assert holm([0.4, None, 0.9]) == [0.8, None, 0.9] and holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == [] and holm([None]) == [None] and holm([0.02]) == [0.02]
