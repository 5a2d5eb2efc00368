"""Compares the rewards of an exported reward model with those of the trained one."""

import gc
from dataclasses import replace
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.models.weights import load_classifier
from schemas.counted import counted
from schemas.errors import UserError
from train.export.adapter import BASE
from train.export.reference import PROMPTS, prompt_ids
from train.export.tokenizer import tokenizer_of


def check_rewards(ref: ModelRef, folder: Path, form: str, stored: str) -> str:
    """Compare the rewards of the prompts by a model and by its exported folder; return the result in a line.

    Args:
        ref: The reward model, or another classifier.
        folder: The exported folder.
        form: ``adapter``, which is merged into the model below it, or ``merged``.
        stored: The type that the exported weights are stored in.

    Raises:
        UserError: They differ by more than rounding.
    """
    import torch

    from train.same_answers.scores import compare_scores, scored

    exported = replace(ref, location=str(folder), package="", adapters=())
    if form == "adapter":
        below = replace(exported, location=str(folder / BASE)) if (folder / BASE).is_dir() else ref
        exported = replace(below, adapters=(str(folder),))
    prompts = prompt_ids(tokenizer_of(ref), PROMPTS)
    expected = scored(load_classifier(ref, torch.float32)[0], prompts)
    gc.collect()
    found = compare_scores(expected, scored(load_classifier(exported, torch.float32)[0], prompts), stored)
    if found.differs is not None:
        raise UserError(
            f"the exported model gives other rewards than the trained one: they differ by up to {found.largest:.2g}, "
            f"and first for the text {PROMPTS[found.differs]!r}; nothing is kept"
        )
    texts = counted(len(prompts), "text")
    return f"checked with transformers: the rewards of {texts} differ by at most {found.largest:.2g}"
