"""Compares the greedy answers of two forms of a model, and tells a difference from rounding."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# A gap between two tokens' logits that rounding may close, as a part of how far the likeliest token's lies above the
# mean of all: float32 differs by some 1e-6 there, and the types of 16 bits by several units in their last place.
ROUNDING = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 1.6e-2}


@dataclass(frozen=True)
class GreedyAnswer:
    """An answer of which each token is the model's likeliest.

    Attributes:
        tokens: The ids of its tokens, with the one that ends it.
        likeliest: For each token the ids of the likeliest ones in its place, the likeliest first.
        below: How far the logit of each of them lies below the likeliest one's, as a part of how far that lies above
            the mean of all: from 0.
    """

    tokens: list[int]
    likeliest: list[list[int]]
    below: list[list[float]]


class Difference(NamedTuple):
    """The first place where two answers to a prompt differ.

    Attributes:
        prompt: The prompt, from 0.
        place: The token, from 0.
        first: The id of the first answer's token; None where it has ended.
        second: The id of the second answer's.
        gap: How far the second token's logit lies below the first's, in the first model, as ``GreedyAnswer.below``;
            infinite where it is none of the likeliest.
    """

    prompt: int
    place: int
    first: int | None
    second: int | None
    gap: float


@dataclass(frozen=True)
class Comparison:
    """The greedy answers of a model, compared with those of another form of it.

    Two tokens whose logits lie closer than rounding moves them are a tie: either is the likeliest. After it the answers
    go different ways, and are not compared further.

    Attributes:
        prompts: How many prompts were answered.
        equal: How many answers are equal.
        ties: How many differ, but first at a tie.
        begun: How many have an equal first token.
        tokens: The tokens of the first form's answers.
        shared: How many of them stand before the first difference.
        rounding: The widest gap that is a tie.
        difference: The first difference that is no tie; None where the answers are the same.
    """

    prompts: int
    equal: int
    ties: int
    begun: int
    tokens: int
    shared: int
    rounding: float
    difference: Difference | None

    def line(self) -> str:
        """Return the counts and the first difference in words."""
        said = f"{self.equal} of {self.prompts} greedy answers are equal ({self.shared:,} of {self.tokens:,} tokens)"
        if self.ties:
            said += f"; {self.ties} differ after a tie of two tokens"
        if self.difference is not None:
            prompt, place, gap = self.difference.prompt, self.difference.place, self.difference.gap
            said += (
                f"; the first difference is at token {place + 1} of prompt {prompt + 1}, to a token whose logit lies "
                f"{gap:.2g} of their spread lower (up to {self.rounding:.2g} is rounding)"
            )
        return said


def compare(expected: Sequence[GreedyAnswer], found: Sequence[list[int]], dtype: str) -> Comparison:
    """Compare the answers of one form of a model with the tokens of another's.

    Args:
        expected: The answers of the first form.
        found: The ids of the tokens that the second one writes, as many answers.
        dtype: The type that the second form's weights are stored in, or the one computed in if that is coarser: a key
            of ``ROUNDING``.
    """
    pairs = list(zip(expected, found, strict=True))
    differences = [_first_difference(prompt, one, tokens) for prompt, (one, tokens) in enumerate(pairs)]
    found_ones = [one for one in differences if one is not None]
    real = [one for one in found_ones if not one.gap <= ROUNDING[dtype]]
    return Comparison(
        prompts=len(pairs),
        equal=len(pairs) - len(found_ones),
        ties=len(found_ones) - len(real),
        begun=len(pairs) - sum(one.place == 0 for one in found_ones),
        tokens=sum(len(one.tokens) for one in expected),
        shared=sum(
            len(one.tokens) if differs is None else differs.place
            for one, differs in zip(expected, differences, strict=True)
        ),
        rounding=ROUNDING[dtype],
        difference=real[0] if real else None,
    )


def _first_difference(prompt: int, one: GreedyAnswer, tokens: list[int]) -> Difference | None:
    """Return the first place where a second model's answer to a prompt differs; None if it is the same."""
    if one.tokens == tokens:
        return None
    shared = zip(one.tokens, tokens, strict=False)
    place = next((i for i, (a, b) in enumerate(shared) if a != b), min(len(one.tokens), len(tokens)))
    first, second = (ids[place] if place < len(ids) else None for ids in (one.tokens, tokens))
    if place >= len(one.tokens) or second not in one.likeliest[place]:
        return Difference(prompt, place, first, second, float("inf"))
    return Difference(prompt, place, first, second, one.below[place][one.likeliest[place].index(second)])


def until_end(answer: list[int], ends: Collection[int]) -> list[int]:
    """Return the tokens of an answer up to the first that ends it, with that one."""
    return answer[: next((place for place, token in enumerate(answer, 1) if token in ends), len(answer))]
