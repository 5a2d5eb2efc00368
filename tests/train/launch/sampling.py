"""Sampling that is the same in one process and in two: the answers of a prompt take fixed quantiles of each token."""

from typing import Any

import torch

QUANTILES = (0.15, 0.4, 0.65, 0.9)


def at_quantiles(probabilities: torch.Tensor, num_samples: int, **others: Any) -> torch.Tensor:
    """Stand in for ``torch.multinomial``: row ``i`` takes the token at the quantile of its place in a group of 4."""
    wanted = [QUANTILES[place % len(QUANTILES)] for place in range(len(probabilities))]
    sums = probabilities.double().cumsum(1)
    return torch.searchsorted(sums, sums[:, -1:] * torch.tensor(wanted, dtype=torch.double)[:, None])
