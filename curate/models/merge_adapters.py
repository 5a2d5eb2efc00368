"""Merges LoRA adapters into the weights of a loaded model."""

import warnings
from typing import Any

from curate.models.model_ref import ModelRef
from schemas.errors import needs_extra

# PEFT's warnings with what it does about tied embeddings; ``_untie`` does it.
TIED = r"Model (with|has) `tie_word_embeddings|Input and output embeddings are no longer tied"


def merge_adapters(model: Any, ref: ModelRef) -> Any:
    """Merge a model's adapters into its weights, first to last.

    Args:
        model: The loaded model that the first adapter was trained on.
        ref: The model, with the folders of its adapters.

    Returns:
        The model without adapters, its weights not frozen. Its input and output embeddings are no longer tied where an
        adapter changed one of them alone.

    Raises:
        UserError: PEFT is missing.
    """
    try:
        from peft import PeftConfig, PeftModel
    except ImportError:
        raise needs_extra(f"model {ref.name!r} (a LoRA adapter)", "train") from None
    for adapter in ref.adapters:
        config = PeftConfig.from_pretrained(adapter)
        config.task_type = None  # PEFT would refuse a language model's adapter for a classifier, which it fits
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", TIED)
            adapted = PeftModel.from_pretrained(model, adapter, config=config)
            _untie(adapted)
            model = adapted.merge_and_unload()
        _note_untied(model)
    return model.requires_grad_(True)  # PEFT froze the weights below the adapter; full training may follow


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
