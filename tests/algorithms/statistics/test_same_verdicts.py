"""Cohen's kappa: values by hand, laws, and scikit-learn's where it is installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.statistics.same_verdicts import kappa, mean
from tests.algorithms.statistics.known import known
from tests.optional import Lazy, needs

metrics = Lazy("sklearn.metrics")
GRADES = st.integers(1, 5).map(float)
ROWS = st.lists(st.tuples(GRADES, GRADES), min_size=2, max_size=50)


def columns(rows):
    one, other = (np.array(column) for column in zip(*rows, strict=True))
    return one, other, np.arange(len(rows))


def table(*counts):
    """Return the verdicts of two raters with these counts: both yes, yes and no, no and yes, both no."""
    one, other = np.repeat([1.0, 1, 0, 0], counts), np.repeat([1.0, 0, 1, 0], counts)
    return one, other, np.arange(len(one))


def test_kappa_by_hand():
    found = known(kappa(*table(20, 5, 10, 15)))  # 35 of 50 agree, 0.5 by chance
    assert found.value == pytest.approx(0.4)
    # Fleiss, Cohen and Everitt's large-sample standard error is 0.1269 here
    assert found.high - found.low == pytest.approx(2 * 2.01 * 0.1269, rel=0.06)


@given(ROWS, st.booleans())
def test_kappa_of_a_rater_with_itself_is_1(rows, quadratic):
    one, _, cluster = columns(rows)
    found = kappa(one, one, cluster, quadratic=quadratic)
    assert (found.value is None) == (len(set(one)) == 1)
    assert found.value is None or found.value == pytest.approx(1)


@given(ROWS, st.booleans())
def test_kappa_is_symmetric_and_does_not_see_the_names(rows, quadratic):
    one, other, cluster = columns(rows)
    found = kappa(one, other, cluster, quadratic=quadratic)
    if found.value is None:
        return
    assert kappa(other, one, cluster, quadratic=quadratic)[:3] == pytest.approx(found[:3])
    assert kappa(10 - 2 * one, 10 - 2 * other, cluster, quadratic=quadratic)[:3] == pytest.approx(found[:3])


@needs("sklearn")
@given(rows=ROWS, quadratic=st.booleans())
def test_kappa_is_scikit_learns(rows, quadratic):
    one, other, cluster = columns(rows)
    found = kappa(one, other, cluster, quadratic=quadratic)
    if found.value is not None:
        ranks = range(1, 6)  # scikit-learn weights ranks, so it is told of all grades
        weights = "quadratic" if quadratic else None
        expected = metrics.cohen_kappa_score(one.astype(int), other.astype(int), weights=weights, labels=[*ranks])
        assert found.value == pytest.approx(expected)


def test_one_verdict_for_all_has_no_kappa():
    assert kappa(np.ones(4), np.ones(4), np.arange(4)).value is None
    assert kappa(*table(0, 4, 0, 0)).value == 0, "the raters never agree, as by chance"


def test_no_answers_have_no_figure():
    assert mean(np.zeros(0), np.zeros(0, int)).why and kappa(np.zeros(0), np.zeros(0), np.zeros(0, int)).value is None
