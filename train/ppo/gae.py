"""PPO's equations on padded batches: rewards of tokens, generalised advantage estimation, and the critic's loss.

Every tensor has the shape (answers, tokens) of a batch of answers padded on the right. ``mask`` is True, or 1, for the
tokens of an answer. What stands in the padding, NaN included, never reaches a result, which is 0 there.
"""

import torch
from torch import Tensor


def token_rewards(scores: Tensor, log_ratio: Tensor, mask: Tensor, beta: float) -> Tensor:
    """Return the reward of each token: the penalty for leaving the reference, and on the last one the answer's score.

    The penalty of a token is ``beta`` times the log of how much likelier the policy makes it than the reference does
    (Ziegler et al. 2019, arXiv 1909.08593).

    Args:
        scores: The score of each answer: shape (answers,).
        log_ratio: The log-probability of each token under the policy that sampled it, minus the reference's.
        mask: The tokens of the answers. An answer without any gets no reward.
        beta: The weight of the penalty.
    """
    mask = mask.bool()
    rewards = (-beta * log_ratio).masked_fill(~mask, 0.0)
    rows = mask.any(1).nonzero().squeeze(1)
    last = mask.sum(1)[rows] - 1
    rewards[rows, last] += scores[rows].to(rewards.dtype)
    return rewards


def advantages_and_returns(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Return the advantage of each token by generalised advantage estimation, and its return (the critic's target).

    ``A_t`` is the sum of ``(gamma lam)^k d_(t+k)`` with ``d_t = r_t + gamma V_(t+1) - V_t``; the value after the last
    token is 0; the return is ``A_t + V_t`` (Schulman et al. 2016, arXiv 1506.02438).

    Args:
        rewards: The reward of each token.
        values: The critic's value of the state before each token.
        mask: The tokens of the answers.
        gamma: The discount, from 0 to 1.
        lam: From 0 (the error of one step: least variance) to 1 (the rewards to come minus the value: no bias).
    """
    mask = mask.bool()
    rewards, values = rewards.masked_fill(~mask, 0.0), values.masked_fill(~mask, 0.0)
    after = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    deltas = rewards + gamma * after - values
    advantages = torch.zeros_like(values)
    sum_from_here = torch.zeros_like(values[:, 0])
    for token in reversed(range(values.shape[1])):
        sum_from_here = deltas[:, token] + gamma * lam * sum_from_here
        advantages[:, token] = sum_from_here
    advantages = advantages.masked_fill(~mask, 0.0)
    return advantages, advantages + values


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the tokens of all answers; 0 if there are none."""
    mask = mask.bool()
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def masked_variance(values: Tensor, mask: Tensor) -> Tensor:
    """Return the unbiased variance over the tokens of all answers; 0 if there are fewer than two."""
    mask = mask.bool()
    count = mask.sum()
    squares = (values - masked_mean(values, mask)) ** 2
    return masked_mean(squares, mask) * count / (count - 1).clamp(min=1)


def whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """Return advantages with mean 0 and variance 1 over the tokens of all answers."""
    scaled = (advantages - masked_mean(advantages, mask)) * torch.rsqrt(masked_variance(advantages, mask) + 1e-8)
    return scaled.masked_fill(~mask.bool(), 0.0)


def value_errors(values: Tensor, old_values: Tensor, returns: Tensor, clip: float | None) -> Tensor:
    """Return half the squared error of each value; its mean over tokens is the critic's loss.

    With ``clip``, the error is the greater of the value's and that of the value kept within ``clip`` of the old one, so
    that nothing is gained by going further (Schulman et al.'s code for arXiv 1707.06347).
    """
    errors = (values - returns) ** 2
    if clip is not None:
        clipped = torch.clamp(values, old_values - clip, old_values + clip)
        errors = torch.maximum(errors, (clipped - returns) ** 2)
    return 0.5 * errors


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """Return the share of the returns' variance that the values explain: 1 for a perfect critic, NaN without any."""
    variance = masked_variance(returns, mask)
    explained = 1 - masked_variance(returns - values, mask) / variance
    return torch.where(variance > 0, explained, torch.nan)
