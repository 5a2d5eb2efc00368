"""Requests in batches: a window of them looked at together, sorted by length, cut to a budget of padded tokens."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import torch

from schemas.requests import Give, Reply, Request, Spent, Take

WINDOW = 4096  # requests looked at together: enough to sort into batches, few enough to hold
Item = TypeVar("Item")


class Text(NamedTuple):
    """A text to be read: its token ids; where what is asked about begins; what tells apart the two texts of a pair."""

    request: Request
    ids: list[int]
    start: int = 0
    segments: list[int] | None = None


def window(take: Take) -> list[Request]:
    """The next requests: a window full, or what there is."""
    found: list[Request] = []
    while len(found) < WINDOW and (group := take()):
        found += group
    return found


def cut(items: Iterable[Item], width: Callable[[Item], int], budget: int) -> Iterator[list[Item]]:
    """Cut items into batches, in order; of more than one, the widest's width x their number is within the budget."""
    batch: list[Item] = []
    widest = 0
    for item in items:
        widest = max(widest, width(item))
        if batch and widest * (len(batch) + 1) > budget:
            yield batch
            batch, widest = [], width(item)
        batch.append(item)
    if batch:
        yield batch


def answer(
    take: Take,
    give: Give,
    prepare: Callable[[list[Request]], list[Text | Reply]],
    evaluate: Callable[[list[Text]], list[Reply]],
    budget: int,
) -> None:
    """Answer requests that are about reading: batch by batch, the longest first; each batch is given at once.

    ``prepare`` makes a text of each request, or the reply that refuses it; ``evaluate`` answers a batch of texts.
    """
    while requests := window(take):
        found = prepare(requests)
        refused = [one for one in found if isinstance(one, Reply)]
        if refused:
            give(refused, Spent(len(refused)))
        texts = [one for one in found if isinstance(one, Text)]
        texts.sort(key=lambda text: (-len(text.ids), text.request.messages))
        for batch in cut(texts, lambda text: len(text.ids), budget):
            give(evaluate(batch), Spent(len(batch), sum(len(text.ids) for text in batch)))


def padded(rows: list[list[int]], filler: int, device: Any) -> torch.Tensor:
    """Rows of whole numbers as one tensor ``[rows, longest]``, filled up on the right."""
    longest = max(map(len, rows))
    return torch.tensor([row + [filler] * (longest - len(row)) for row in rows], device=device)


def refusal(request: Request, size: int, context: int, what: str = "the text") -> Reply | None:
    """The reply to a text that is empty or does not fit the model. It is never cut: that would be another text."""
    if size and size <= context:
        return None
    error = f"{what} has {size} tokens, the model's context {context}" if size else f"{what} is empty"
    return Reply(request.key, prompt_tokens=size, error=error)
