"""Merges LoRA adapters into the weights of a loaded model."""

import warnings
from typing import Any

from curate.models.model_ref import ModelRef
from schemas.errors import UserError, needs_extra

# PEFT's warnings with what it does about tied embeddings; ``_untie`` does it.
TIED = r"Model (with|has) `tie_word_embeddings|Input and output embeddings are no longer tied"


def merge_adapters(model: Any, ref: ModelRef, *, but_last: bool = False) -> Any:
    """Merge a model's adapters into its weights, first to last, each on top of the weights that it was trained on.

    Args:
        model: The loaded model that the first adapter was trained on.
        ref: The model, with the folders of its adapters.
        but_last: Whether the last adapter stays beside the weights, as it was while it was trained.

    Returns:
        The model without adapters, its weights not frozen, or PEFT's model with the last one. Its input and output
        embeddings are no longer tied where an adapter that is merged changed one of them alone.

    Raises:
        UserError: PEFT is missing, or a merged weight would not be a finite number.
    """
    try:
        from peft import PeftConfig, PeftModel
    except ImportError:
        raise needs_extra(f"model {ref.name!r} (a LoRA adapter)", "train") from None
    for place, adapter in enumerate(ref.adapters, 1):
        config = PeftConfig.from_pretrained(adapter)
        config.task_type = None  # PEFT would refuse a language model's adapter for a classifier, which it fits
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", TIED)
            adapted = PeftModel.from_pretrained(model, adapter, config=config)
            if but_last and place == len(ref.adapters):
                return adapted
            _untie(adapted)
            model = _merged(adapted, ref, adapter)
        _note_untied(model)
    return model.requires_grad_(True)  # PEFT froze the weights below the adapter; full training may follow


def _merged(adapted: Any, ref: ModelRef, adapter: str) -> Any:
    """Return PEFT's model with its adapter merged; PEFT looks at each merged weight before it takes it."""
    try:
        return adapted.merge_and_unload(safe_merge=True)
    except ValueError as error:
        said = " ".join(str(error).split())
        raise UserError(f"model {ref.name!r}: the adapter in {adapter} cannot be merged: {said}") from error


def _untie(adapted: Any) -> None:
    """Give the output embeddings weights of their own where an adapter lies on the input embeddings, or on them.

    Both are one matrix in a tied model, so the merge would change both, but the adapter changed one.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer
    from torch.nn import Parameter

    embeddings = adapted.get_input_embeddings(), adapted.get_output_embeddings()
    if None in embeddings or not any(isinstance(one, BaseTunerLayer) for one in embeddings):
        return
    inner, outer = (one.get_base_layer() if isinstance(one, BaseTunerLayer) else one for one in embeddings)
    if inner.weight is outer.weight:
        outer.weight = Parameter(outer.weight.detach().clone(), requires_grad=False)


def _note_untied(model: Any) -> None:
    """Let the model's config say that embeddings are not tied any more: saved and loaded, they would be tied again."""
    inner, outer = model.get_input_embeddings(), model.get_output_embeddings()
    if inner is None or outer is None or inner.weight is outer.weight:
        return
    for config in {id(one): one for one in (model.config, model.config.get_text_config())}.values():
        if getattr(config, "tie_word_embeddings", False):
            config.tie_word_embeddings = False
            model.all_tied_weights_keys = {}
