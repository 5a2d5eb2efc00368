"""Batches of requests: a window of requests is sorted by length and cut to a budget of padded tokens."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import torch

from curate.models.windows import window
from schemas.requests import Give, Reply, Request, Spent, Take

Item = TypeVar("Item")


class Text(NamedTuple):
    """A text to be read: its token ids, where the part that counts begins, and the segment ids of a pair of texts."""

    request: Request
    ids: list[int]
    start: int = 0
    segments: list[int] | None = None


def cut(items: Iterable[Item], width: Callable[[Item], int], budget: int) -> Iterator[list[Item]]:
    """Cut items into batches, in order.

    Args:
        items: The items, widest first or last, so that little is padded.
        width: Returns an item's tokens.
        budget: The most tokens of a batch, its widest item's width x its items. One item may be over it.

    Yields:
        Each batch.
    """
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


class Waiting(Generic[Item]):
    """Items that wait for a place in a batch within a budget; those that end make room for the next ones."""

    JOIN = 1 / 4  # of the places: fewer free ones are not filled yet, as each filling costs a run of prompts

    def __init__(
        self, items: Iterable[Item], width: Callable[[Item], int], same: Callable[[Item, Item], bool], budget: int
    ) -> None:
        """Line them up.

        Args:
            items: The items, those that belong together side by side.
            width: Returns the most tokens of an item.
            same: Returns whether two items belong together: they are parted only where they do not fit as a whole.
            budget: The most tokens of a batch, its widest item's width x its items. One item may be over it.
        """
        self.items, self.width, self.same, self.budget = deque(items), width, same, budget

    def __bool__(self) -> bool:
        return bool(self.items)

    def take(self, live: Sequence[Item] = ()) -> list[Item]:
        """Return the next items that fit beside those in the batch; none if too few would."""
        widest = max(map(self.width, live), default=0)
        found: list[Item] = []
        for item in self.items:
            widest = max(widest, self.width(item))
            if (live or found) and widest * (len(live) + len(found) + 1) > self.budget:
                break
            found.append(item)
        if len(found) < len(self.items):
            if live and len(found) < self.JOIN * (len(live) + len(found)):
                return []
            following = self.items[len(found)]
            whole = len(found)
            while whole and self.same(found[whole - 1], following):
                whole -= 1
            found = found[: whole or len(found)]
        for _ in found:
            self.items.popleft()
        return found


def answer_in_batches(
    take: Take,
    give: Give,
    prepare: Callable[[list[Request]], list[Text | Reply]],
    evaluate: Callable[[list[Text]], list[Reply]],
    budget: int,
) -> None:
    """Answer requests whose texts are only read, batch by batch, the longest first.

    Args:
        take: Hands out requests.
        give: Stores replies; called for each batch.
        prepare: Makes a text of each request, or the reply that refuses it.
        evaluate: Answers a batch of texts.
        budget: The most tokens of a batch, padding included.
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
    """Return rows of whole numbers as one tensor ``[rows, longest]``, filled up on the right with ``filler``."""
    longest = max(map(len, rows))
    return torch.tensor([row + [filler] * (longest - len(row)) for row in rows], device=device)


def refusal(request: Request, size: int, context: int, what: str = "the text") -> Reply | None:
    """Return the reply that refuses a text, which is empty or does not fit the model, or None if it fits.

    A text is never cut: that would be another text.

    Args:
        request: The request.
        size: The text's tokens.
        context: The most tokens that the model takes.
        what: The text's name in the message.
    """
    if size and size <= context:
        return None
    error = f"{what} has {size} tokens, the model's context {context}" if size else f"{what} is empty"
    return Reply(request.key, prompt_tokens=size, error=error)
