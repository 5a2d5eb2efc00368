"""Whether a merged model answers as base + adapter did: with the same greedy tokens, or reward scores."""

from typing import Any

import torch

from train.merging.asked_prompts import Asked
from train.merging.greedy_answers import ROUNDING, GreedyAnswer, first_difference

SCORE_ROUNDING = {torch.float32: 0.001}  # of a score and the states that it is read from, relative to their norm
SCORE_ROUNDED = 0.1  # in a type of 16 bits


def tokens_compared(
    asked: Asked, expected: list[GreedyAnswer], found: list[GreedyAnswer], dtype: torch.dtype, tokenizer: Any
) -> tuple[dict[str, Any], str]:
    """Compare the greedy answers of base + adapter with those of the merged weights.

    Two tokens whose logits lie closer than rounding moves them are a tie: either is the likeliest. After it the answers
    go different ways, and are not compared further.

    Args:
        asked: The prompts.
        expected: The answers of base + adapter.
        found: Those of the merged weights.
        dtype: The type of the merged weights, or the one computed in if that is coarser.
        tokenizer: Decodes tokens for the message.

    Returns:
        The numbers of ``prompts``, of ``tokens`` compared and of ``ties``; and the first difference that is none, in
        words, or an empty text.
    """
    ties, tokens, differs = 0, 0, ""
    for row_id, one, other in zip(asked.row_ids, expected, found, strict=True):
        difference = first_difference(one, other)
        tokens += len(one.tokens) if difference is None else difference.place + 1
        if difference is None:
            continue
        if difference.gap <= ROUNDING[dtype]:
            ties += 1
        elif not differs:
            first, second = (
                "the end" if token is None else repr(tokenizer.decode([token]))
                for token in (difference.first, difference.second)
            )
            differs = (
                f"to the prompt of {row_id} token {difference.place + 1} is {second} instead of {first}, whose logit "
                f"lies {difference.gap:.2g} of their spread higher (up to {ROUNDING[dtype]:.2g} is rounding)"
            )
    return {"prompts": len(expected), "tokens": tokens, "ties": ties}, differs


def scores_compared(
    asked: Asked, expected: list[torch.Tensor], found: list[torch.Tensor], dtype: torch.dtype
) -> tuple[dict[str, Any], str]:
    """Compare the scores of base + adapter with those of the merged weights, as ``scored`` returned them.

    Returns:
        The number of ``answers``, and the largest ``difference`` of two scores; and the first answer that differs by
        more than rounding, in words, or an empty text.
    """
    most, differs, largest = SCORE_ROUNDING.get(dtype, SCORE_ROUNDED), "", 0.0
    for row_id, one, other in zip(asked.row_ids, expected, found, strict=True):
        largest = max(largest, float((one[0] - other[0]).abs()))
        relative = float((one - other).norm() / one.norm().clamp_min(1e-9))
        if not relative <= most and not differs:
            differs = f"an answer of {row_id} is scored {float(other[0]):.4g} instead of {float(one[0]):.4g}"
    return {"answers": len(expected), "difference": largest}, differs


def scored(model: Any, texts: list[list[int]]) -> list[torch.Tensor]:
    """Return for each text a reward model's score, and the states of its last token behind it."""
    found = []
    for ids in texts:
        with torch.inference_mode():
            out = model(input_ids=torch.tensor([ids], device=model.device), output_hidden_states=True)
        found.append(torch.cat([out.logits[0].float(), out.hidden_states[-1][0, -1].float()]).cpu())
    return found
