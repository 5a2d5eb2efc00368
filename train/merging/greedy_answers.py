"""The likeliest answers of a model, and where those of another one differ by more than rounding."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, LogitsProcessor

LONGEST = 32  # tokens of an answer
TOGETHER = 10  # prompts in a batch
KEPT = 64  # of a place's likeliest tokens
# A gap between two tokens' logits that rounding may close, as a part of how far the likeliest token's lies above the
# mean of all: float32 differs by some 1e-6 there, and the types of 16 bits by several units in their last place.
ROUNDING = {torch.float32: 1e-4, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}


@dataclass(frozen=True)
class GreedyAnswer:
    """An answer of which each token is the model's likeliest.

    Attributes:
        tokens: The ids of its tokens, at most ``LONGEST``.
        likeliest: For each token the ids of the ``KEPT`` likeliest ones in its place, the likeliest first.
        below: How far the logit of each of them lies below the likeliest one's, as a part of how far that lies above
            the mean of all: from 0.
    """

    tokens: list[int]
    likeliest: list[list[int]]
    below: list[list[float]]


class Difference(NamedTuple):
    """The first place where two answers to a prompt differ.

    Attributes:
        place: The token, from 0.
        first: The id of the first answer's token; None where it has ended.
        second: The id of the second answer's.
        gap: How far the second token's logit lies below the first's, in the first model, as ``GreedyAnswer.below``;
            infinite where it is none of the likeliest.
    """

    place: int
    first: int | None
    second: int | None
    gap: float


class _Likeliest(LogitsProcessor):
    """Keeps the likeliest tokens at each step, and changes nothing."""

    def __init__(self) -> None:
        self.ids: list[torch.Tensor] = []
        self.below: list[torch.Tensor] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        logits = scores.float()
        top = logits.topk(min(KEPT, logits.shape[-1]))
        best = top.values[:, :1]
        spread = (best - logits.mean(dim=-1, keepdim=True)).clamp_min(1e-30)
        self.ids.append(top.indices.cpu())
        self.below.append(((best - top.values) / spread).cpu())
        return scores


def greedy_answers(model: Any, prompts: list[list[int]], pad: int, ends: list[int]) -> list[GreedyAnswer]:
    """Return a model's likeliest answers, decoded without a penalty or any other rule of its generation config.

    Args:
        model: A causal language model of transformers, or PEFT's model of one.
        prompts: The ids of the prompts' tokens.
        pad: The id of a token to pad with.
        ends: The ids of the tokens that end an answer; it is the last token of an answer that ends.
    """
    network = model.get_base_model() if hasattr(model, "peft_config") else model
    network.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=LONGEST, pad_token_id=pad, eos_token_id=ends or None
    )
    return [one for start in range(0, len(prompts), TOGETHER) for one in _decode(network, prompts[start:][:TOGETHER])]


def _decode(network: Any, prompts: list[list[int]]) -> Iterator[GreedyAnswer]:
    config = network.generation_config
    width, device = max(map(len, prompts)), network.device
    ids = torch.tensor([[config.pad_token_id] * (width - len(one)) + one for one in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=device)
    seen = _Likeliest()
    with torch.inference_mode():
        written = network.generate(input_ids=ids, attention_mask=mask, logits_processor=[seen])[:, width:].tolist()
    ends = set(config.eos_token_id or ())
    for row, answer in enumerate(written):
        length = next((place for place, token in enumerate(answer, 1) if token in ends), len(answer))
        yield GreedyAnswer(
            answer[:length],
            [step[row].tolist() for step in seen.ids[:length]],
            [step[row].tolist() for step in seen.below[:length]],
        )


def first_difference(one: GreedyAnswer, other: GreedyAnswer) -> Difference | None:
    """Return the first place where a second model's answer to the same prompt differs; None if it is the same."""
    if one.tokens == other.tokens:
        return None
    shared = zip(one.tokens, other.tokens, strict=False)
    place = next((i for i, (a, b) in enumerate(shared) if a != b), min(len(one.tokens), len(other.tokens)))
    first, second = (tokens[place] if place < len(tokens) else None for tokens in (one.tokens, other.tokens))
    if place >= len(one.tokens) or second not in one.likeliest[place]:
        return Difference(place, first, second, float("inf"))
    return Difference(place, first, second, one.below[place][one.likeliest[place].index(second)])
