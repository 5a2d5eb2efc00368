"""AUROC, Spearman, Kendall: values by hand, laws, and those of scikit-learn and SciPy where they are installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.statistics.orders import auroc, kendall, percentiles, spearman, spearman_within
from tests.algorithms.statistics.known import known
from tests.optional import Lazy, needs

pytestmark = pytest.mark.slow

stats, metrics = Lazy("scipy.stats"), Lazy("sklearn.metrics")
SCORES = st.integers(-5, 5).map(float)
ROWS = st.lists(st.tuples(SCORES, SCORES, st.booleans()), min_size=3, max_size=40)
LAW = 1e-9  # the largest difference


def columns(rows):
    one, other, good = (np.array(column) for column in zip(*rows, strict=True))
    return one, other, good, np.arange(len(rows))


def test_auroc_by_hand():
    found = auroc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.arange(4))
    assert found.value == 0.75
    assert auroc(np.array([1.0, 1, 1]), np.array([True, False, True]), np.arange(3)).value == 0.5


def test_the_interval_of_an_auroc_is_delongs():
    """DeLong's variance: that of the placements of the good by their number, and of the bad by theirs."""
    draw = np.random.default_rng(1)
    good = np.repeat([True, False], [300, 500])
    score = draw.normal(size=800) + good
    found = known(auroc(score, good, np.arange(800)))
    above = (score[good][:, None] > score[~good]).astype(float)
    sd = np.sqrt(np.var(above.mean(1), ddof=1) / 300 + np.var(above.mean(0), ddof=1) / 500)
    assert found.value == pytest.approx(above.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * sd, rel=0.02)


@given(ROWS)
def test_auroc_of_the_reversed_scores_is_the_rest_to_1(rows):
    score, _, good, cluster = columns(rows)
    found, turned = auroc(score, good, cluster), auroc(-score, good, cluster)
    if found.value is None:
        assert turned.value is None and found.why
    else:
        found = known(found)
        expected = (1 - found.value, 1 - found.high, 1 - found.low)
        assert known(turned)[:3] == pytest.approx(expected, abs=LAW)


@pytest.mark.parametrize("figure", [spearman, kendall])
@given(rows=ROWS)
def test_a_correlation_is_symmetric_and_turns_with_its_sign(figure, rows):
    one, other, _, cluster = columns(rows)
    found = figure(one, other, cluster)
    if found.value is None:
        assert len(set(one)) == 1 or len(set(other)) == 1
        return
    found = known(found)
    assert figure(other, one, cluster)[:3] == pytest.approx(found[:3], abs=LAW)
    assert figure(-one, other, cluster).value == pytest.approx(-found.value, abs=LAW)
    assert figure(one, one, cluster).value == pytest.approx(1, abs=LAW)
    assert -1 - 1e-9 <= found.low <= found.value + 1e-9 and found.value <= found.high + 1e-9


@needs("scipy", "sklearn")
@given(rows=ROWS)
def test_values_are_scipys_and_scikit_learns(rows):
    one, other, good, cluster = columns(rows)
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert spearman(one, other, cluster).value == pytest.approx(stats.spearmanr(one, other).statistic, abs=LAW)
        assert kendall(one, other, cluster).value == pytest.approx(stats.kendalltau(one, other).statistic, abs=LAW)
    if len(set(good)) > 1:
        assert auroc(one, good, cluster).value == pytest.approx(metrics.roc_auc_score(good, one), abs=LAW)


def test_ranks_within_prompts_leave_out_what_prompts_differ_in():
    prompt = np.repeat(np.arange(4), 3)
    length = np.tile([1.0, 2, 3], 4) + 100 * prompt  # longer answers to later prompts
    score = np.tile([1.0, 2, 3], 4) - 100 * prompt  # which have lower scores
    assert known(spearman(score, length, prompt)).value < 0
    assert spearman_within(score, length, prompt).value == pytest.approx(1)


def test_prompts_with_one_answer_do_not_count_within_prompts():
    prompt = np.array([0, 0, 1, 1, 2, 3])
    found = spearman_within(np.array([1.0, 2, 1, 2, 9, 9]), np.array([1.0, 2, 1, 2, 0, 0]), prompt)
    assert found.count == 4 and found.value == pytest.approx(1)
    assert spearman_within(np.arange(3.0), np.arange(3.0), np.arange(3)).why == "no prompt has several answers"


def test_what_has_no_order_has_no_figure():
    same, cluster = np.ones(5), np.arange(5)
    for figure in (spearman, kendall):
        assert figure(same, np.arange(5.0), cluster).value is None
        assert "fewer than 3" in figure(same[:2], same[:2], cluster[:2]).why
    assert "more than 200" in kendall(np.arange(300.0), np.arange(300.0), np.arange(300)).why


def test_percentiles_count_ties_half():
    assert percentiles(np.array([1.0, 2, 2, 3])).tolist() == [0.125, 0.5, 0.5, 0.875]
