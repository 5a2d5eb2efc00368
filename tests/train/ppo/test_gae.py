"""PPO's equations: against plain loops over Python numbers, and the laws that they must keep."""

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.optional import needs

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = [needs("trl"), pytest.mark.slow]

NUMBERS = st.floats(-5, 5)


@st.composite
def batches(draw: st.DrawFn) -> dict[str, list[list[float]]]:
    """Return the rewards and values of up to four answers, each of up to six tokens."""
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4))
    return {name: [draw(st.lists(NUMBERS, min_size=n, max_size=n)) for n in lengths] for name in ("rewards", "values")}


def padded(rows: list[list[float]], filler: float, more: int = 0) -> "Tensor":
    """Return answers as a tensor in double precision, padded on the right by ``filler``."""
    import torch

    width = max(len(row) for row in rows) + more
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows], dtype=torch.float64).reshape(-1, width)


def mask_of(rows: list[list[float]], more: int = 0) -> "Tensor":
    return padded([[1.0] * len(row) for row in rows], 0.0, more).bool()


def estimate(batch: dict[str, list[list[float]]], gamma: float, lam: float, more: int = 1, filler: float = 0.0) -> Any:
    """Return the advantages and returns of a batch that is padded by at least ``more`` tokens."""
    from train.ppo.gae import advantages_and_returns

    rewards, values = (padded(batch[name], filler, more) for name in ("rewards", "values"))
    return advantages_and_returns(rewards, values, mask_of(batch["rewards"], more), gamma, lam)


def one_step_errors(rewards: list[float], values: list[float], gamma: float) -> list[float]:
    """Return for each token of an answer its reward and the value after it, discounted, minus the value before it."""
    after = [*values, 0.0][1:]
    return [r + gamma * n - v for r, n, v in zip(rewards, after, values, strict=True)]


def plain_advantages(rewards: list[float], values: list[float], gamma: float, lam: float) -> list[float]:
    """Return the advantages of one answer by the definition: a sum over all later tokens for each token."""
    errors = one_step_errors(rewards, values, gamma)
    return [sum((gamma * lam) ** k * error for k, error in enumerate(errors[t:])) for t in range(len(errors))]


@given(batches(), st.floats(0, 1), st.floats(0, 1))
def test_advantages_are_those_of_the_definition(batch: dict, gamma: float, lam: float):
    advantages, returns = estimate(batch, gamma, lam)
    for i, (rewards, values) in enumerate(zip(batch["rewards"], batch["values"], strict=True)):
        expected = plain_advantages(rewards, values, gamma, lam)
        assert advantages[i].tolist()[: len(rewards)] == pytest.approx(expected, abs=1e-9)
        assert returns[i].tolist()[: len(rewards)] == pytest.approx(
            [a + v for a, v in zip(expected, values, strict=True)], abs=1e-9
        )


@given(batches(), st.floats(0, 1))
def test_lambda_one_gives_the_rewards_to_come_minus_the_value(batch: dict, gamma: float):
    _, returns = estimate(batch, gamma, 1.0)
    for i, rewards in enumerate(batch["rewards"]):
        to_come = [sum(gamma**k * r for k, r in enumerate(rewards[t:])) for t in range(len(rewards))]
        assert returns[i].tolist()[: len(rewards)] == pytest.approx(to_come, abs=1e-9)


@given(batches(), st.floats(0, 1))
def test_lambda_zero_gives_the_error_of_one_step(batch: dict, gamma: float):
    advantages, _ = estimate(batch, gamma, 0.0)
    for i, (rewards, values) in enumerate(zip(batch["rewards"], batch["values"], strict=True)):
        expected = one_step_errors(rewards, values, gamma)
        assert advantages[i].tolist()[: len(rewards)] == pytest.approx(expected, abs=1e-12)


@given(batches(), st.floats(0, 1), st.integers(1, 5), st.sampled_from([math.nan, math.inf, -1e300]))
def test_padding_never_reaches_an_advantage(batch: dict, lam: float, more: int, filler: float):
    import torch

    clean = estimate(batch, 0.9, lam, more)
    for one, other in zip(clean, estimate(batch, 0.9, lam, more, filler), strict=True):
        assert torch.equal(one, other)
        assert not one[~mask_of(batch["rewards"], more)].any()


@given(batches(), st.floats(0, 1))
def test_an_answer_does_not_depend_on_its_neighbours(batch: dict, lam: float):
    together, _ = estimate(batch, 0.9, lam)
    for i, row in enumerate(batch["rewards"]):
        alone, _ = estimate({name: [rows[i]] for name, rows in batch.items()}, 0.9, lam)
        assert alone[0, : len(row)].tolist() == together[i, : len(row)].tolist()


@given(batches(), st.floats(0, 2))
def test_token_rewards_are_the_penalty_and_a_score_at_the_end(batch: dict, beta: float):
    import torch

    from train.ppo.gae import token_rewards

    rows, scores = batch["rewards"], [float(i + 1) for i in range(len(batch["rewards"]))]
    rewards = token_rewards(torch.tensor(scores), padded(rows, math.nan, 1), mask_of(rows, 1), beta)
    for i, row in enumerate(rows):
        expected = [-beta * x for x in row]
        if row:
            expected[-1] += scores[i]
        assert rewards[i, : len(row)].tolist() == pytest.approx(expected)
        assert not rewards[i, len(row) :].any()


@given(batches())
def test_whitened_advantages_have_mean_zero_and_variance_one(batch: dict):
    import statistics

    from train.ppo.gae import whiten

    values = [x for row in batch["values"] for x in row]
    result = whiten(padded(batch["values"], math.nan, 1), mask_of(batch["values"], 1))
    mask = mask_of(batch["values"], 1)
    assert not result[~mask].any()
    if len(values) > 1 and statistics.pstdev(values) > 0.1:
        whitened = result[mask].tolist()
        assert statistics.fmean(whitened) == pytest.approx(0, abs=1e-6)
        assert statistics.variance(whitened) == pytest.approx(1, rel=1e-5)
    else:
        assert result.isfinite().all()


@given(batches(), st.floats(0.01, 3))
def test_a_clipped_value_gains_nothing_beyond_the_clip(batch: dict, clip: float):
    from train.ppo.gae import value_errors

    new, target = (padded(batch[name], 0.0, 1) for name in ("rewards", "values"))
    old = new.flip(0)
    plain, clipped = value_errors(new, old, target, None), value_errors(new, old, target, clip)
    assert ((plain - 0.5 * (new - target) ** 2).abs() < 1e-12).all()
    assert (clipped >= plain).all()
    near = (new - old).abs() < clip
    assert (clipped[near] == plain[near]).all()


def test_explained_variance_is_one_for_a_perfect_critic():
    import torch

    from train.ppo.gae import explained_variance

    returns, mask = torch.tensor([[1.0, 2.0, 9.0], [4.0, 9.0, 9.0]]), torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert explained_variance(returns, returns, mask) == 1
    assert explained_variance(torch.zeros(2, 3), returns, mask) == 0
    assert explained_variance(torch.zeros(2, 3), torch.ones(2, 3), mask).isnan()
