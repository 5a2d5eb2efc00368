"""Whether an exported reward model gives the rewards of the trained one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.weights import load_classifier
from schemas.errors import UserError
from train.export.merged import tokenizer_of
from train.export.same_tokens import PROMPTS, prompt_ids

DIFFERENCE = 0.02  # the most, relative to the rewards' size: bfloat16 rounds to 0.4%; rounding in float32 gives 1e-5


def check_rewards(ref: ModelRef, folder: Path, *, adapter: bool) -> str:
    """Compare the rewards of the prompts by a model and by its exported folder; return the result in a line.

    Args:
        ref: The reward model.
        folder: The exported folder.
        adapter: Whether it holds an adapter, to merge into the model below it.

    Raises:
        UserError: They differ by more than rounding.
    """
    import torch

    exported = replace(ref, location=str(folder), package="", adapters=())
    if adapter and not (folder / "base").is_dir():
        exported = replace(ref, adapters=(str(folder),))
    elif adapter:
        exported = replace(exported, location=str(folder / "base"), adapters=(str(folder),))
    prompts = prompt_ids(tokenizer_of(ref), PROMPTS)
    ours, theirs = (_rewards(load_classifier(one, torch.float32)[0], prompts) for one in (ref, exported))
    found = float((ours - theirs).abs().max() / ours.abs().max().clamp_min(1e-6))
    if not found <= DIFFERENCE:
        raise UserError(f"the exported model gives other rewards than the trained one: they differ by {found:.1%}")
    return f"checked with transformers: the rewards of {len(prompts)} texts differ by at most {found:.2g} of their size"


def _rewards(model: Any, prompts: list[list[int]]) -> Any:
    import torch

    with torch.no_grad():
        return torch.cat([model(input_ids=torch.tensor([ids], device=model.device)).logits.cpu() for ids in prompts])
