"""A key-value cache with room to grow: decoding writes a column a step, and rows leave and join in place.

Rows are aligned on the right: all of them write the same next column, and what lies left of a row's first token is
masked. So a row may join at any step, its prompt's states put before the next column, and columns that only rows which
are gone have used are cut off on the left.
"""

import inspect
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


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

    def join(self, other: DynamicLayer, rows: torch.Tensor, width: int) -> None:
        """Add rows of another layer, and keep the last ``width`` columns: those that any row needs."""
        assert self.keys is not None and self.values is not None and other.keys is not None and other.values is not None
        self.keys = self._add_rows("key_buffer", self.keys[..., -width:, :], other.keys, rows, width)
        self.values = self._add_rows("value_buffer", self.values[..., -width:, :], other.values, rows, width)

    def _append(self, name: str, held: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        held = held if held.numel() else new[..., :0, :]
        width, start = held.shape[-2], self._start(name, held)
        if start is None or start + width + new.shape[-2] > getattr(self, name).shape[-2]:
            start = self._make_room(name, held, len(new), width + new.shape[-2])
        end = start + width + new.shape[-2]
        buffer = getattr(self, name)[: len(new)]
        buffer[..., start + width : end, :] = new
        return buffer[..., start:end, :]

    def _add_rows(
        self, name: str, held: torch.Tensor, new: torch.Tensor, rows: torch.Tensor, width: int
    ) -> torch.Tensor:
        count, start = len(held) + len(rows), self._start(name, held)
        if start is None or len(getattr(self, name)) < count or held.shape[-2] < width:
            start = self._make_room(name, held, count, width, left=width - held.shape[-2])
        buffer = getattr(self, name)[:count, :, start : start + width]
        # A masked value counts for nothing only if it is a number; the memory may have held none.
        buffer[len(held) :, :, : width - new.shape[-2]] = 0
        buffer[len(held) :, :, width - new.shape[-2] :] = new[rows]
        return buffer

    def _start(self, name: str, held: torch.Tensor) -> int | None:
        """Return the column of the buffer where ``held`` begins; None if it does not lie in it.

        It does not once rows were selected or repeated by transformers' own methods.
        """
        buffer = getattr(self, name, None)
        if buffer is None or buffer.untyped_storage().data_ptr() != held.untyped_storage().data_ptr():
            return None
        return held.storage_offset() // held.shape[-1]

    def _make_room(self, name: str, held: torch.Tensor, rows: int, width: int, left: int = 0) -> int:
        """Put ``held`` behind ``left`` columns of zeros at the beginning of a buffer with room beyond ``width``.

        The buffer stays, where it is large enough: new ones of other sizes again and again leave the memory in pieces.

        Returns:
            0, the column where the states begin.
        """
        former = None if self._start(name, held) is None else getattr(self, name)
        if former is not None and len(former) >= rows and former.shape[-2] >= width + self.ROOM // 2:
            buffer, held = former, held.clone()
        else:
            if former is not None:
                rows = max(len(former), rows + rows // 8 if rows > len(former) else rows)
            buffer = held.new_empty(rows, held.shape[1], width + max(self.ROOM, width // 4), held.shape[-1])
        buffer[: len(held), :, :left] = 0
        buffer[: len(held), :, left : left + held.shape[-2]] = held
        setattr(self, name, buffer)
        return 0


def growing_cache(config: Any) -> DynamicCache:
    """Return an empty cache for a model's config; layers that aren't plain ones stay as transformers makes them."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def cache_name(model: Any) -> str:
    """Return what a model calls the cache: ``cache`` from transformers 5.24 on, ``past_key_values`` before."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def takes_rows(cache: DynamicCache) -> bool:
    """Return whether rows can join the cache: all its layers are plain ones that hold every column."""
    return bool(cache.layers) and all(isinstance(layer, GrowingLayer) for layer in cache.layers)


def select(cache: DynamicCache, rows: torch.Tensor) -> None:
    """Keep or repeat rows of the cache, in the order ``rows``."""
    for layer in cache.layers:
        _select(layer, rows)


def shrink(cache: DynamicCache, order: torch.Tensor) -> None:
    """Keep the rows ``order`` of the cache (see ``GrowingLayer.shrink``)."""
    for layer in cache.layers:
        if isinstance(layer, GrowingLayer):
            layer.shrink(order)
        else:
            _select(layer, order)


def _select(layer: Any, rows: torch.Tensor) -> None:
    # A layer of recurrent states has only the second method, which does the same.
    (layer.batch_select_indices if hasattr(layer, "batch_select_indices") else layer.reorder_cache)(rows)


def join(cache: DynamicCache, other: DynamicCache, rows: torch.Tensor, width: int) -> None:
    """Add rows of another cache (see ``GrowingLayer.join``) to one for which ``takes_rows`` holds."""
    for layer, more in zip(cache.layers, other.layers, strict=True):
        assert isinstance(layer, GrowingLayer) and isinstance(more, GrowingLayer)
        layer.join(more, rows, width)
