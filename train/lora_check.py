"""Puts a training's adapter on its model without weights, so that what PEFT refuses or leaves out is seen in time."""

import json
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.errors import UserError
from schemas.recipe import Training
from train.options.lora_rules import task_of
from train.options.lora_targets import OUTPUT, check_targets
from train.options.option_names import near_names
from train.options.options import lora_options

# PEFT says in a warning, and goes on, that an option names nothing or that the adapter can't be merged.
LEFT_OUT = ("no parameter was matched", "did not match any", "no modules were excluded", "merging LoRA weights won't")


def check_adapter(training: Training, ref: ModelRef, where: str) -> None:
    """Build the model on torch's device ``meta`` (shapes only) and give it the training's adapter.

    Args:
        training: The training.
        ref: The model that it starts from. Where its config is not on this machine, or needs code of its own, only the
            names of target modules are checked, as far as its files have them.
        where: The training's place in the recipe.

    Raises:
        UserError: PEFT refuses an option, or an option names nothing that the model has.
    """
    from train.trl_setup import build_lora_config, whole_message

    lora, task = lora_options(training), task_of(training.trainer)
    if lora is None:
        return
    model, targets = _without_weights(ref, task), lora.get("target_modules")
    if model is None:
        if targets is not None:
            check_targets(targets, ref, where)
        return
    from peft import get_peft_model

    named = dict(model.named_modules())
    matrices = [name for name, module in named.items() if getattr(getattr(module, "weight", None), "ndim", 0) == 2]
    if targets is not None:
        check_targets(targets, ref, where, matrices)
    _check_saved(lora.get("modules_to_save") or [], named, ref, where)
    _check_layers(lora.get("layers_to_transform"), model, where)
    _check_tokens(lora.get("trainable_token_indices"), model, where)
    of_shapes = lora | {"init_lora_weights": True} if "init_lora_weights" in lora else lora
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            get_peft_model(model, build_lora_config(of_shapes, where, task))
        except UserError:
            raise
        except Exception as error:  # of any kind: PEFT raises each of Python's
            message = whole_message(error)
            raise UserError(f"{where}: lora: {message}{_ours(message, lora)}") from error
    for one in said:
        if any(text in str(one.message) for text in LEFT_OUT) and _is_of_recipe(str(one.message), lora):
            raise UserError(f"{where}: lora: {' '.join(str(one.message).split())}")
    _check_output(model, where)


def _is_of_recipe(message: str, lora: Mapping[str, Any]) -> bool:
    """Return whether a warning is of the recipe's options: for experts PEFT adds patterns of its own, and uses them."""
    for name in ("rank_pattern", "alpha_pattern"):
        if f"{name} keys" in message:
            return any(repr(key) in message for key in lora.get(name) or ())
    return True


def _ours(message: str, lora: Collection[str]) -> str:
    """Return what to say of a default that PEFT may refuse: the dropout, if it names it, else the target modules."""
    if "lora_dropout" in message and "lora_dropout" not in lora:
        return " (it is 0.05 if not set: set lora_dropout: 0, which a model with experts needs)"
    return "" if "target_modules" in lora else " (target_modules is 'all-linear' if not set)"


def check_mergeable(training: Training, ref: ModelRef, where: str) -> None:
    """Check that the weights that a training's adapter is to be merged into are not quantised, as far as it is known.

    Raises:
        UserError: They are: the sum would be rounded to some 16 values a weight, which may undo what was learnt.
    """
    folder = local_folder(ref) if training.merge else None
    file = None if folder is None else folder / "config.json"
    try:
        held = json.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except (OSError, ValueError):  # the model can't be loaded either, which says so
        return
    how = held.get("quantization_config") if isinstance(held, dict) else None
    if how:
        method = how.get("quant_method", "some method") if isinstance(how, dict) else "some method"
        raise UserError(
            f"{where}: merge: the weights of the model {ref.name!r} are quantised ({method}), so whole weights would "
            f"be rounded again; name the model without quantisation (under quantize: 4bit it takes as little memory), "
            f"or remove merge"
        )


def _without_weights(ref: ModelRef, task: str) -> Any:
    """Return the model with shapes in the place of weights; None if its config is elsewhere, or needs code of its own.

    A config that can't be used is an error where the model is loaded.
    """
    import torch
    import transformers

    folder = local_folder(ref)
    if folder is None or ref.setting("trust_remote_code", False):
        return None
    kind = transformers.AutoModelForSequenceClassification if task == "SEQ_CLS" else transformers.AutoModelForCausalLM
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        with torch.device("meta"):
            return kind.from_config(config)
    except Exception:  # of any kind: the config of an unknown architecture
        return None


def _check_saved(saved: list[str], names: Collection[str], ref: ModelRef, where: str) -> None:
    for one in saved:
        if not any(name.endswith(one) for name in names):
            parts = {name.rsplit(".", 1)[-1] for name in names if name}
            near = near_names(one.rsplit(".", 1)[-1], parts)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise UserError(
                f"{where}: lora: modules_to_save: no module of the model {ref.name!r} is called {one!r}{hint}"
            )


def _check_layers(layers: int | list[int] | None, model: Any, where: str) -> None:
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    for one in [layers] if isinstance(layers, int) else layers or ():
        if count is not None and not 0 <= one < count:
            raise UserError(
                f"{where}: lora: layers_to_transform: {one}: the model has {count} layers, 0 to {count - 1}"
            )


def _check_tokens(indices: list[int] | dict[str, list[int]] | None, model: Any, where: str) -> None:
    if not indices:
        return
    config = model.config.get_text_config()
    if getattr(config, "tie_word_embeddings", False):
        raise UserError(
            f"{where}: lora: trainable_token_indices: the model's input and output embeddings are one matrix (tied), "
            f"with which TRL cannot train single tokens; set modules_to_save: [embed_tokens], or remove it"
        )
    for found in indices.values() if isinstance(indices, dict) else [indices]:
        wrong = [one for one in found if not 0 <= one < config.vocab_size]
        if wrong:
            raise UserError(
                f"{where}: lora: trainable_token_indices: {wrong[0]}: the model has {config.vocab_size:,} tokens, "
                f"0 to {config.vocab_size - 1}"
            )


def _check_output(model: Any, where: str) -> None:
    from peft.tuners.tuners_utils import BaseTunerLayer

    if isinstance(model.get_output_embeddings(), BaseTunerLayer):
        raise UserError(f"{where}: lora: target_modules: {OUTPUT}")
