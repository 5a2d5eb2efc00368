"""The scores of a reward model or classifier, compared with those of another form of it."""

from typing import Any, NamedTuple

import torch

ROUNDING = {"float32": 0.001}  # of a text's scores and the states that they are read from, relative to their norm
ROUNDING_16 = 0.1  # in a type of 16 bits


class ScoresCompared(NamedTuple):
    """The differences between the scores of two forms of a model.

    Attributes:
        largest: The largest difference of two scores.
        differs: The number, from 0, of the first text whose scores differ by more than rounding; None if none does.
    """

    largest: float
    differs: int | None


def scored(model: Any, texts: list[list[int]]) -> list[torch.Tensor]:
    """Return for each text a model's scores, and the states of its last token that they are read from.

    Args:
        model: A sequence classifier of transformers, or PEFT's model of one.
        texts: The ids of the texts' tokens.
    """
    found = []
    for ids in texts:
        with torch.inference_mode():
            out = model(input_ids=torch.tensor([ids], device=model.device), output_hidden_states=True)
        states = [out.hidden_states[-1][0, -1]] if out.get("hidden_states") else []  # an encoder-decoder has two sets
        found.append(torch.cat([one.float() for one in (out.logits[0], *states)]).cpu())
    return found


def compare_scores(expected: list[torch.Tensor], found: list[torch.Tensor], dtype: str) -> ScoresCompared:
    """Compare what ``scored`` returned of the same texts.

    Args:
        expected: The scores of the first form.
        found: Those of the second one.
        dtype: As in ``train.same_answers.compare.compare``.
    """
    most, differs, largest = ROUNDING.get(dtype, ROUNDING_16), None, 0.0
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        largest = max(largest, float((one[0] - other[0]).abs()))
        relative = float((one - other).norm() / one.norm().clamp_min(1e-9))
        if not relative <= most and differs is None:
            differs = number
    return ScoresCompared(largest, differs)
