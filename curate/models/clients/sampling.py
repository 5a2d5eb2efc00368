"""Drawing the next token of every row of a batch, each row from random numbers of its own."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from schemas.requests import Sampling

LEVELS = 3  # a token is drawn in three steps, each with a random number of its own
RANKED = 1024  # so many of the likeliest tokens nearly always hold top_p; the whole vocabulary is sorted where not


@dataclass(frozen=True)
class Settings:
    """The sampling settings of a batch, a tensor each of shape ``[rows]``; what no row asks for is skipped."""

    temperature: torch.Tensor
    top_k: torch.Tensor
    top_p: torch.Tensor
    greedy: bool  # some row is
    random: bool
    largest_k: int
    nucleus: bool

    @classmethod
    def of(cls, rows: list[Sampling], device: torch.device) -> "Settings":
        """Gather the settings of the rows."""
        columns = [
            torch.tensor([getattr(s, name) for s in rows], device=device) for name in ("temperature", "top_k", "top_p")
        ]
        drawn = [s for s in rows if s.temperature > 0]
        return cls(
            *columns,
            greedy=len(drawn) < len(rows),
            random=bool(drawn),
            largest_k=max((s.top_k for s in drawn), default=0),
            nucleus=any(s.top_p < 1 for s in drawn),
        )

    def pick(self, rows: torch.Tensor) -> "Settings":
        """The settings of some of the rows, in that order."""
        return replace(self, temperature=self.temperature[rows], top_k=self.top_k[rows], top_p=self.top_p[rows])


def uniforms(key: str, steps: int) -> np.ndarray:
    """The numbers in [0, 1) that the request with this key (32 hex digits) draws by: float64, ``[steps, LEVELS]``."""
    return np.random.Generator(np.random.Philox(key=int(key, 16))).random((steps, LEVELS))


def draw(logits: torch.Tensor, how: Settings, uniform: torch.Tensor) -> torch.Tensor:
    """Draw a token a row: logits ``[rows, vocabulary]`` and uniform ``[rows, LEVELS]`` to ids ``[rows]``.

    Temperature 0 takes the likeliest token.
    """
    if not how.random:
        return logits.argmax(-1)
    drawn = _invert(_weights(logits, how), uniform)
    return torch.where(how.temperature == 0, logits.argmax(-1), drawn) if how.greedy else drawn


def log_probabilities(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The natural logarithm of each row's token's probability at temperature 1, however it was drawn: ``[rows]``."""
    logits = logits.float()
    return logits.gather(1, tokens[:, None]).squeeze(1) - logits.logsumexp(-1)


def likeliest(logits: torch.Tensor, token: int, count: int) -> dict[int, float]:
    """The log-probabilities at temperature 1 of a row's likeliest tokens, best first, and of ``token`` itself."""
    logits = logits.float()
    found = logits.topk(min(count, len(logits))).indices.tolist()
    found += [token] if token not in found else []
    chances = (logits[found] - logits.logsumexp(-1)).tolist()
    return {one: round(chance, 6) for one, chance in zip(found, chances, strict=True)}


def _weights(logits: torch.Tensor, how: Settings) -> torch.Tensor:
    """Each token's probability, up to a factor a row: top_k before top_p, as vLLM has it. Ties are kept together."""
    logits = logits.float() / how.temperature.clamp(min=1e-6)[:, None]
    weights = logits.sub_(logits.amax(-1, keepdim=True)).exp_()
    if how.largest_k:
        each = torch.where(how.top_k > 0, how.top_k, weights.shape[1])
        ranked = weights.topk(min(how.largest_k, weights.shape[1])).values
        floor = ranked.gather(1, (each.clamp(max=ranked.shape[1]) - 1)[:, None])
        weights.masked_fill_((weights < floor) & (each <= ranked.shape[1])[:, None], 0)
    if how.nucleus:
        weights.masked_fill_((weights < _nucleus(weights, how.top_p)) & (how.top_p < 1)[:, None], 0)
    return weights


def _nucleus(weights: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """The least weight in the smallest set of tokens whose mass reaches top_p (arXiv 1904.09751): ``[rows, 1]``."""
    wanted = (top_p * weights.sum(-1))[:, None]
    ranked = weights.topk(min(RANKED, weights.shape[1])).values
    if ((ranked.sum(-1, keepdim=True) < wanted) & (top_p < 1)[:, None]).any():
        ranked = weights.sort(dim=-1, descending=True).values
    inside = (ranked.cumsum(-1) - ranked < wanted).sum(-1, keepdim=True).clamp(min=1)
    return ranked.gather(1, inside - 1)


def _invert(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draw a token a row in proportion to its weight: first a block of the vocabulary, a block in that, then it.

    Logits differ in their last bits with the rows beside them. In one cumulative sum over the whole vocabulary these
    differences add up to more than an unlikely token's width, and now and then a neighbour of it is drawn. Here no sum
    runs over more than a block, and each block is entered with a random number of its own.
    """
    size = weights.shape[1]
    side = next(s for s in range(round(size ** (1 / LEVELS)), size + 1) if s**LEVELS >= size)
    leaves = torch.nn.functional.pad(weights, (0, side**LEVELS - size)).view(-1, side, side, side)
    twigs = leaves.sum(-1)
    row = torch.arange(len(weights), device=weights.device)
    first = _pick(twigs.sum(-1), uniform[:, 0])
    second = _pick(twigs[row, first], uniform[:, 1])
    return (first * side + second) * side + _pick(leaves[row, first, second], uniform[:, 2])


def _pick(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The index a row where the cumulative weight passes ``uniform`` of all; never one of weight zero."""
    passed = weights.double().cumsum(-1)
    total = passed[:, -1:]
    return ((passed <= uniform[:, None] * total) & (passed < total)).sum(-1)
