"""Best of k and pass@k: unbiased, as Chen et al. estimate it, and against the exact expectation of draws."""

from itertools import combinations
from math import comb, prod

import numpy as np
import pytest

from tests.train.evaluating.made_rows import made_rows
from train.evaluating.samples import best_of_k, expected_maximum, sizes


def test_the_sizes_are_powers_of_two_and_all():
    assert [sizes(n) for n in (1, 2, 3, 8, 10)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4, 8], [1, 2, 4, 8, 10]]


def test_it_is_the_mean_maximum_of_all_draws():
    rng = np.random.default_rng(1)
    for n in (1, 2, 5, 7):
        scores = np.sort(rng.normal(size=n).round(1))  # with ties
        for k in range(1, n + 1):
            exact = np.mean([max(drawn) for drawn in combinations(scores, k)])
            assert expected_maximum(scores, k) == pytest.approx(exact)


@pytest.mark.parametrize(("n", "right", "k"), [(5, 2, 1), (5, 2, 4), (200, 3, 100), (200, 0, 8), (200, 200, 1)])
def test_of_right_and_wrong_answers_it_is_pass_at_k(n: int, right: int, k: int):
    scores = np.array([0.0] * (n - right) + [1.0] * right)
    assert expected_maximum(scores, k) == pytest.approx(1 - comb(n - right, k) / comb(n, k))
    product = 1.0 if n - right < k else 1 - prod(1 - k / i for i in range(n - right + 1, n + 1))  # as in their code
    assert expected_maximum(scores, k) == pytest.approx(product)


def test_it_is_unbiased():
    """The mean of the estimate over samples of 8 is the probability that one of k answers is right."""
    rng, share, n = np.random.default_rng(4), 0.3, 8
    for k in (1, 2, 4, 8):
        found = [expected_maximum(np.sort((rng.random(n) < share).astype(float)), k) for _ in range(4000)]
        assert np.mean(found) == pytest.approx(1 - (1 - share) ** k, abs=0.015)


def test_models_are_compared_at_each_k(store):
    before, after = [[0, 0, 0, 1]] * 12, [[0, 1, 1, 1]] * 12
    found = best_of_k(made_rows(store, {"base": before, "tuned": after}))
    assert found["measure"].unique().to_list() == ["pass@k"]
    assert found.select("model", "k", "prompts").rows()[:3] == [("base", 1, 12), ("base", 2, 12), ("base", 4, 12)]
    tuned = found.filter(model="tuned").to_dicts()
    assert [row["mean"] for row in tuned] == pytest.approx([0.75, 1.0, 1.0])
    assert [row["base"] for row in tuned] == pytest.approx([0.25, 0.5, 1.0])
    assert [row["difference"] for row in tuned] == pytest.approx([0.5, 0.5, 0.0])
    assert all(row["low"] <= row["difference"] <= row["high"] for row in tuned)
    assert found.filter(model="base")["difference"].null_count() == 3


def test_other_scores_have_a_best_of_k_and_may_be_missing(store):
    found = best_of_k(made_rows(store, {"base": [[2.0, 4.0], [1.0, None], [None, None]]}))
    assert found.select("measure", "k", "prompts", "mean").rows() == [
        ("best of k", 1, 2, 2.0), ("best of k", 2, 1, 4.0)
    ]  # fmt: skip


def test_one_answer_and_greedy_answers_have_none(store):
    assert best_of_k(made_rows(store, {"base": [0, 1]})).is_empty()
    same = made_rows(store, {"base": [[0, 0], [1, 1], [1, 1]]}, response="the same")
    assert best_of_k(same).is_empty()
    assert best_of_k(same.clear()).is_empty()
