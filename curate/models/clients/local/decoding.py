"""Decodes a batch: runs each prompt once, then adds a token a row and step, and hands over each row when it ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from curate.models.clients.local.growing_cache import cache_name, growing_cache, join, select, shrink, takes_rows
from curate.models.clients.local.sampling import Settings, draw, likeliest, log_probabilities, uniforms
from schemas.requests import Request


@dataclass
class Row:
    """A request in a batch: its prompt's token ids, the most tokens it may write, and those it has written.

    ``likely`` holds each token that is a short answer, with the log-probabilities of the likeliest ones in its place,
    by id.
    """

    request: Request
    prompt: list[int]
    limit: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    likely: list[tuple[int, dict[int, float]]] = field(default_factory=list)

    @cached_property
    def numbers(self) -> np.ndarray:
        """The random numbers that draw the row's tokens (see ``uniforms``)."""
        return uniforms(self.request.key, self.limit)

    @property
    def width(self) -> int:
        """The most tokens that the row may come to, its prompt included."""
        return len(self.prompt) + self.limit


@torch.inference_mode()
def decode(
    model: Any,
    rows: list[Row],
    ended: Callable[[Row], bool],
    short: frozenset[int] = frozenset(),
    more: Callable[[list[Row]], list[Row]] | None = None,
) -> Iterator[list[Row]]:
    """Write tokens for each row until it has ended. A row's tokens depend on its prompt, key and sampling alone.

    Args:
        model: A causal language model of transformers.
        rows: The batch; rows of one prompt lie together.
        ended: Returns whether a row has ended; called for each row after each of its tokens.
        short: The ids of the tokens that are short answers (see ``Row.likely``).
        more: Returns rows that take the places of those that have ended, given the rows that go on; none, if it is too
            early or none are left. It is asked while there are rows that go on, and not at all for models whose cache
            rows can't join (sliding windows, recurrent states): their batch ends when its last row has.

    Yields:
        The rows that have ended, after each step with some.
    """
    batch = Batch(model, rows)
    while True:
        batch.draw(short)
        done = [i for i, row in enumerate(batch.rows) if ended(row)]
        if done:
            yield [batch.rows[i] for i in done]
            if len(done) == len(batch.rows):
                return
            batch.drop(done)
        batch.forward()
        if done and more and takes_rows(batch.cache) and (fresh := more(batch.rows)):
            batch.join(fresh)


class Batch:
    """The rows that are being written: their logits for the next token, key-value cache and attention mask."""

    def __init__(self, model: Any, rows: list[Row]) -> None:
        """Run the prompts of ``rows``."""
        self.model, self.rows = model, rows
        self.logits, self.cache, self.mask, index = _prefill(model, [row.prompt for row in rows])
        select(self.cache, index)
        self.tokens = torch.empty(0, dtype=torch.long, device=model.device)
        self._settle()

    def _settle(self) -> None:
        """Take note of how the rows are sampled."""
        self.how = Settings.of([row.request.sampling for row in self.rows], self.model.device)
        self.with_logprobs = any(row.request.sampling.logprobs for row in self.rows)

    def draw(self, short: frozenset[int]) -> None:
        """Draw the next token of each row."""
        numbers = np.stack([row.numbers[len(row.tokens)] for row in self.rows])
        self.tokens = draw(self.logits, self.how, torch.from_numpy(numbers).to(self.logits.device))
        if self.with_logprobs:
            for row, chance in zip(self.rows, log_probabilities(self.logits, self.tokens).tolist(), strict=True):
                row.logprobs.append(round(chance, 6))
        for i, (row, token) in enumerate(zip(self.rows, self.tokens.tolist(), strict=True)):
            row.tokens.append(token)
            if token in short and row.request.sampling.top_logprobs:
                row.likely.append((token, likeliest(self.logits[i], token, row.request.sampling.top_logprobs)))

    def drop(self, done: list[int]) -> None:
        """Take out the rows ``done``, some but not all."""
        order = _close_ranks(len(self.rows), done)
        kept = torch.tensor(order, device=self.model.device)
        self.rows = [self.rows[i] for i in order]
        self.tokens, self.mask, self.how = self.tokens[kept], self.mask[kept], self.how.pick(kept)
        shrink(self.cache, kept)

    def forward(self) -> None:
        """Run the tokens that were drawn."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.rows), 1)], dim=1)
        self.logits = self.model(
            input_ids=self.tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.mask.sum(1, keepdim=True) - 1,
            use_cache=True,
            **{cache_name(self.model): self.cache},
        ).logits[:, -1]

    def join(self, rows: list[Row]) -> None:
        """Run the prompts of more rows, and put them beside the others."""
        logits, cache, mask, index = _prefill(self.model, [row.prompt for row in rows])
        self.rows = [*self.rows, *rows]
        needed = max(int(self.mask.sum(1).max()), mask.shape[1])
        join(self.cache, cache, index, needed)
        self.mask = torch.cat([_resized(self.mask, needed), _resized(mask, needed)])
        self.logits = torch.cat([self.logits, logits])
        self._settle()


def _resized(mask: torch.Tensor, width: int) -> torch.Tensor:
    """Return a mask with so many columns: the last ones, or zeros on their left."""
    return torch.nn.functional.pad(mask, (width - mask.shape[1], 0))


def _close_ranks(count: int, gone: list[int]) -> list[int]:
    """Return the rows left of ``count``: those at the end take the places of the rows that are gone."""
    left = count - len(gone)
    missing = set(gone)
    last = iter([i for i in range(left, count) if i not in missing])
    return [next(last) if i in missing else i for i in range(left)]


def _prefill(model: Any, prompts: list[list[int]]) -> tuple[torch.Tensor, DynamicCache, torch.Tensor, torch.Tensor]:
    """Run each distinct prompt once, padded on the left.

    Returns:
        The last logits and the attention mask, a row a prompt; the key-value cache, a row a distinct prompt; and the
        cache's row for each prompt.
    """
    runs = [(ids, len(list(same))) for ids, same in groupby(prompts)]
    width = max(len(ids) for ids, _ in runs)
    tokens = torch.tensor([[0] * (width - len(ids)) + ids for ids, _ in runs], device=model.device)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids, _ in runs], device=model.device)
    cache = growing_cache(model.config)
    position = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=position,
        use_cache=True,
        logits_to_keep=1,
        **{cache_name(model): cache},
    ).logits[:, -1]
    rows = torch.repeat_interleave(torch.tensor([count for _, count in runs], device=model.device))
    return logits[rows], cache, mask[rows], rows
