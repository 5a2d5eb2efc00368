"""The learnt tokens, whole turns and tool calls of a row that ``max_length`` cuts off."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from train.examples.learnt_tokens import Part, TokenSequence


class Cut(NamedTuple):
    """The part of a row that is cut off at ``max_length``.

    Attributes:
        row_id: The row.
        lost: How many of its learnt tokens are cut off; all of them where it is left out.
        learnt: How many it has.
        turns: How many of its learnt turns are cut off as a whole.
        calls: How many tool calls these have.
        left_out: Whether nothing is left to learn, so that the row is left out.
    """

    row_id: str
    lost: int
    learnt: int
    turns: int = 0
    calls: int = 0
    left_out: bool = False


class Loss(NamedTuple):
    """The loss of a row's sequences, counted as in ``Cut``, and the tokens of the longest one before it is cut."""

    lost: int
    learnt: int
    turns: int
    calls: int
    longest: int

    def cut(self, row_id: str, *, left_out: bool) -> Cut | None:
        """Return the cut of the row of these sequences; None where it loses nothing."""
        lost = self.learnt if left_out else self.lost
        return Cut(row_id, lost, self.learnt, self.turns, self.calls, left_out) if lost else None


def loss_of(whole: Sequence[TokenSequence], kept: slice, messages: Sequence[dict[str, Any]] = ()) -> Loss:
    """Return what the sequences of a row lose.

    Args:
        whole: The sequences before they are cut.
        kept: The part of each that is kept.
        messages: The messages of the turns, whose tool calls are counted; where there are none, no call is.
    """
    pairs = [(one, one.part(kept)) for one in whole]
    cut = [turn for one, part in pairs for turn in one.turns if turn not in part.turns]
    learnt, left = (sum(sum(one.learnt) for one in ones) for ones in zip(*pairs, strict=True)) if pairs else (0, 0)
    return Loss(learnt - left, learnt, len(cut), calls_of(cut, messages), longest([len(one.ids) for one in whole]))


def calls_of(turns: Iterable[Part], messages: Sequence[dict[str, Any]]) -> int:
    """Return how many tool calls turns have."""
    return sum(len(messages[turn.message].get("tool_calls") or ()) for turn in turns) if messages else 0


def longest(lengths: Iterable[int]) -> int:
    """Return the greatest of some lengths, 0 where there are none."""
    return max(lengths, default=0)
