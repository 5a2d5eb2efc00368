"""Decodes a batch: runs each prompt once, then adds a token a row and step, and hands over each row when it ends."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

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


class GrowingLayer(DynamicLayer):
    """A key-value cache layer with room to grow, so that a decoding step writes one column instead of copying all."""

    ROOM = 64

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Append key and value states of shape ``[batch, heads, tokens, dim]``; return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        self.keys = self._append("key_buffer", self.keys, key_states)
        self.values = self._append("value_buffer", self.values, value_states)
        return self.keys, self.values

    def shrink(self, order: torch.Tensor) -> None:
        """Keep the rows ``order``, of which the i-th is row i or one that comes after all that are kept.

        Only the rows that change their place are copied.
        """
        assert self.keys is not None and self.values is not None
        index = torch.arange(len(order), device=order.device)
        moved = order != index
        for states in (self.keys, self.values):
            states[index[moved]] = states[order[moved]]
        self.keys, self.values = self.keys[: len(order)], self.values[: len(order)]

    def _append(self, name: str, held: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        start = held.shape[-2] if held.numel() else 0
        end = start + new.shape[-2]
        buffer = getattr(self, name, None)
        # The buffer is stale once rows were selected or repeated: the states then no longer lie in it.
        if buffer is None or buffer.data_ptr() != held.data_ptr() or buffer.shape[-2] < end:
            buffer = new.new_empty(*new.shape[:-2], end + max(self.ROOM, end // 4), new.shape[-1])
            if start:
                buffer[..., :start, :] = held
            setattr(self, name, buffer)
        buffer = buffer[: len(new)]
        buffer[..., start:end, :] = new
        return buffer[..., :end, :]


@torch.inference_mode()
def decode(
    model: Any, rows: list[Row], ended: Callable[[Row], bool], short: frozenset[int] = frozenset()
) -> Iterator[list[Row]]:
    """Write tokens for each row until it has ended. A row's tokens depend on its prompt, key and sampling alone.

    Args:
        model: A causal language model of transformers.
        rows: The batch; rows of one prompt lie together.
        ended: Returns whether a row has ended.
        short: The ids of the tokens that are short answers (see ``Row.likely``).

    Yields:
        The rows that have ended, after each step with some.
    """
    logits, cache, mask = _prefill(model, [row.prompt for row in rows])
    cache_name = _cache_name(model)
    live, most = rows, max(row.limit for row in rows)
    how = Settings.of([row.request.sampling for row in rows], model.device)
    with_logprobs = any(row.request.sampling.logprobs for row in rows)
    numbers = torch.from_numpy(np.stack([uniforms(r.request.key, most) for r in rows])).to(model.device)
    for step in range(most):
        tokens = draw(logits, how, numbers[:, step])
        if with_logprobs:
            for row, chance in zip(live, log_probabilities(logits, tokens).tolist(), strict=True):
                row.logprobs.append(round(chance, 6))
        for i, (row, token) in enumerate(zip(live, tokens.tolist(), strict=True)):
            row.tokens.append(token)
            if token in short and row.request.sampling.top_logprobs:
                row.likely.append((token, likeliest(logits[i], token, row.request.sampling.top_logprobs)))
        done = [i for i, row in enumerate(live) if ended(row)]
        if done:
            yield [live[i] for i in done]
            order = _close_ranks(len(live), done)
            if not order:
                return
            live, kept = [live[i] for i in order], torch.tensor(order, device=model.device)
            tokens, mask, numbers, how = tokens[kept], mask[kept], numbers[kept], how.pick(kept)
            _shrink(cache, kept)
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        position = mask.sum(1, keepdim=True) - 1
        logits = model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=position,
            use_cache=True,
            **{cache_name: cache},
        ).logits[:, -1]


def _close_ranks(count: int, gone: list[int]) -> list[int]:
    """Return the rows left of ``count``: those at the end take the places of the rows that are gone."""
    left = count - len(gone)
    missing = set(gone)
    last = iter([i for i in range(left, count) if i not in missing])
    return [next(last) if i in missing else i for i in range(left)]


def _cache_name(model: Any) -> str:
    """Return what a model calls the cache: ``cache`` from transformers 5.24 on, ``past_key_values`` before."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _shrink(cache: DynamicCache, order: torch.Tensor) -> None:
    """Keep the rows ``order`` of the cache."""
    layers: list[Any] = cache.layers
    for layer in layers:
        if isinstance(layer, GrowingLayer):
            layer.shrink(order)
        else:
            layer.batch_select_indices(order)


def _prefill(model: Any, prompts: list[list[int]]) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
    """Run each distinct prompt once, padded on the left.

    Returns the last logits, the key-value cache and the attention mask, a row each.
    """
    runs = [(ids, len(list(same))) for ids, same in groupby(prompts)]
    width = max(len(ids) for ids, _ in runs)
    tokens = torch.tensor([[0] * (width - len(ids)) + ids for ids, _ in runs], device=model.device)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids, _ in runs], device=model.device)
    cache = DynamicCache(config=model.config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    position = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=position,
        use_cache=True,
        logits_to_keep=1,
        **{_cache_name(model): cache},
    ).logits[:, -1]
    rows = torch.repeat_interleave(torch.tensor([count for _, count in runs], device=model.device))
    cache.batch_select_indices(rows)
    return logits[rows], cache, mask[rows]
