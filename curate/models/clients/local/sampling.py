"""Draws the next token of every row of a batch, each row from random numbers of its own."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from schemas.requests import Sampling

LEVELS = 3  # a token is drawn in three steps, each with a random number of its own
RANKED = (64, 1024)  # this many of the likeliest tokens mostly hold top_p; else the whole vocabulary is sorted
CELLS = 1 << 18  # logits worked on at once on a CPU: 1 MB, which stays in a core's cache from one step to the next


@dataclass(frozen=True)
class Settings:
    """The sampling settings of a batch, a tensor each of shape ``[rows]``; steps that no row needs are skipped."""

    temperature: torch.Tensor
    top_k: torch.Tensor
    top_p: torch.Tensor
    greedy: bool  # whether any row is
    random: bool  # whether any row is
    largest_k: int
    nucleus: bool

    @classmethod
    def of(cls, rows: list[Sampling], device: torch.device) -> "Settings":
        """Gather the settings of the rows."""
        drawn = [s for s in rows if s.temperature > 0]
        return cls(
            torch.tensor([s.temperature for s in rows], device=device),
            torch.tensor([s.top_k for s in rows], device=device),
            torch.tensor([s.top_p for s in rows], device=device),
            greedy=len(drawn) < len(rows),
            random=bool(drawn),
            largest_k=max((s.top_k for s in drawn), default=0),
            nucleus=any(s.top_p < 1 for s in drawn),
        )

    def pick(self, rows: torch.Tensor | slice) -> "Settings":
        """Return the settings of some of the rows, in that order."""
        return replace(self, temperature=self.temperature[rows], top_k=self.top_k[rows], top_p=self.top_p[rows])


def uniforms(key: str, steps: int) -> np.ndarray:
    """Return the random numbers in [0, 1) of a request: float64, ``[steps, LEVELS]``.

    Args:
        key: The request's key, 32 hex digits; the numbers depend on it alone.
        steps: The most tokens that are drawn.
    """
    return np.random.Generator(np.random.Philox(key=int(key, 16))).random((steps, LEVELS))


def draw(logits: torch.Tensor, how: Settings, uniform: torch.Tensor) -> torch.Tensor:
    """Draw a token a row; temperature 0 takes the likeliest token.

    Args:
        logits: Shape ``[rows, vocabulary]``.
        how: The rows' sampling settings.
        uniform: Random numbers in [0, 1), ``[rows, LEVELS]``.

    Returns:
        Token ids, ``[rows]``.
    """
    if not how.random:
        return logits.argmax(-1)
    count = len(logits) if logits.is_cuda else max(1, CELLS // logits.shape[1])
    parts = [slice(low, low + count) for low in range(0, len(logits), count)]
    return torch.cat([_draw(logits[part], how.pick(part), uniform[part]) for part in parts])


def _draw(logits: torch.Tensor, how: Settings, uniform: torch.Tensor) -> torch.Tensor:
    drawn = _invert(_weights(logits, how), uniform, _side(logits.shape[1]))
    return torch.where(how.temperature == 0, logits.argmax(-1), drawn) if how.greedy else drawn


def log_probabilities(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each row's token at temperature 1, however it was drawn: ``[rows]``."""
    logits = logits.float()
    return logits.gather(1, tokens[:, None]).squeeze(1) - logits.logsumexp(-1)


def likeliest(logits: torch.Tensor, token: int, count: int) -> dict[int, float]:
    """Return the log-probabilities at temperature 1 of a row's ``count`` likeliest tokens and of ``token``, by id."""
    logits = logits.float()
    likely = logits.topk(min(count, len(logits))).indices.tolist()
    likely += [token] if token not in likely else []
    logprobs = (logits[likely] - logits.logsumexp(-1)).tolist()
    return {id_: round(logprob, 6) for id_, logprob in zip(likely, logprobs, strict=True)}


def _side(size: int) -> int:
    """Return the least whole number whose cube is no less than ``size``."""
    return next(s for s in range(round(size ** (1 / LEVELS)), size + 1) if s**LEVELS >= size)


def _weights(logits: torch.Tensor, how: Settings) -> torch.Tensor:
    """Return each token's probability, up to a factor a row: top_k before top_p, as in vLLM. Ties stay together.

    Returns:
        Shape ``[rows, side ** LEVELS]`` (see ``_side``): behind the vocabulary's are zeros.
    """
    rows, size = logits.shape
    padded = torch.empty(rows, _side(size) ** LEVELS, device=logits.device)
    padded[:, size:] = 0
    weights = padded[:, :size]
    torch.div(logits.float(), how.temperature.clamp(min=1e-6)[:, None], out=weights)
    weights.sub_(weights.amax(-1, keepdim=True)).exp_()
    if how.largest_k:
        each = torch.where(how.top_k > 0, how.top_k, size)
        ranked = weights.topk(min(how.largest_k, size)).values
        floor = ranked.gather(1, (each.clamp(max=ranked.shape[1]) - 1)[:, None])
        weights.masked_fill_((weights < floor) & (each <= ranked.shape[1])[:, None], 0)
    if how.nucleus:
        weights.masked_fill_(weights < _nucleus(weights, how.top_p), 0)
    return padded


def _nucleus(weights: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Return the least weight in the smallest set that holds top_p of the mass (arXiv 1904.09751): ``[rows, 1]``.

    It is 0 for the rows without top_p.
    """
    wanted = (top_p * weights.sum(-1))[:, None]
    least = torch.zeros_like(wanted)
    sought = (top_p < 1).nonzero()[:, 0]
    for size in (*RANKED, weights.shape[1]):
        if not len(sought):
            break
        size = min(size, weights.shape[1])
        ranked = weights[sought].topk(size).values
        inside = ranked.cumsum(-1) - ranked < wanted[sought]
        least[sought] = ranked.gather(1, inside.sum(-1, keepdim=True).clamp(min=1) - 1)
        if size == weights.shape[1]:
            break
        sought = sought[inside[:, -1]]
    return least


def _invert(weights: torch.Tensor, uniform: torch.Tensor, side: int) -> torch.Tensor:
    """Draw a token a row in proportion to its weight: a block of the vocabulary, a block in that, then the token.

    A row's logits differ in their last bits with the other rows of its batch. In one cumulative sum over the whole
    vocabulary these differences add up to more than an unlikely token's width, and now and then its neighbour is
    drawn. Here no sum runs over more than a block, and each block is entered with a random number of its own.
    """
    tokens = weights.view(-1, side, side, side)
    inner = tokens.sum(-1)
    row = torch.arange(len(weights), device=weights.device)
    first = _pick(inner.sum(-1), uniform[:, 0])
    second = _pick(inner[row, first], uniform[:, 1])
    return (first * side + second) * side + _pick(tokens[row, first, second], uniform[:, 2])


def _pick(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the index a row where the cumulative weight passes ``uniform`` of the sum; never one of weight zero."""
    passed = weights.double().cumsum(-1)
    total = passed[:, -1:]
    return ((passed <= uniform[:, None] * total) & (passed < total)).sum(-1)
