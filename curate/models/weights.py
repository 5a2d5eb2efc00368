"""Loads a model's weights: built-ins from their packages, hub ids, local folders, with LoRA adapters merged on top."""

import json
import os
import re
import shutil
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from curate.models.allocator import keep_freed_memory
from curate.models.broken_weights import reading_errors, why_unreadable
from curate.models.merge_adapters import merge_adapters
from curate.models.model_ref import ModelRef
from curate.models.weight_files import base_identity, cache_folder, given_template, hub_folder, package_folder
from schemas.errors import UserError, needs_extra

KEEPS_MEMORY = 100_000_000  # bytes of weights; with fewer, what is kept would be much beside them, and save little
HEAD = re.compile(r"\b(?:score|classifier|classifier\.out_proj|classification_head\.out_proj)\.weight$")


def load(ref: ModelRef, dtype: Any = None, *, quantization_config: Any = None, merged: bool = True) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer (padding on the left), ready for inference or training.

    Args:
        ref: The model. Its adapters are merged into the weights, so that the model returned has none.
        dtype: A torch dtype; by default float32 on a CPU (faster there than bfloat16) and bfloat16 on a GPU.
        quantization_config: transformers' config to quantise the weights by as they are loaded; for a model without
            adapters.
        merged: Whether the last adapter is merged, too; else PEFT's model with it is returned.

    Returns:
        The model and its tokenizer.

    Raises:
        UserError: The weights can't be loaded, or are those of a model that classifies.
    """
    torch, transformers = libraries(ref)
    location, given = weights_folder(ref), _given(ref)
    try:
        config = transformers.AutoConfig.from_pretrained(location, **given)
        if any("ForSequenceClassification" in name for name in config.architectures or ()) or _head_rows(ref):
            raise UserError(
                f"model {ref.name!r}: {(location, *ref.adapters)[-1]} is a classifier or a reward "
                f"model; expected a model that writes text"
            )
        how = given | _quantised(torch, quantization_config)
        model = transformers.AutoModelForCausalLM.from_pretrained(location, dtype=dtype or _dtype(torch), **how)
        tokenizer = transformers.AutoTokenizer.from_pretrained(location, padding_side="left", **given)
        return _ready(model, tokenizer, ref, torch, merged=merged)
    except reading_errors() as error:
        raise _unloadable(ref, location, error) from error


def load_classifier(
    ref: ModelRef, dtype: Any = None, *, new_head: bool = False, quantization_config: Any = None, merged: bool = True
) -> tuple[Any, Any]:
    """Load a sequence-classification model (a reward model has one output) and its tokenizer.

    Args:
        ref: The model. Adapters may have been trained on the language model or on the classifier; the latter bring
            the classifier's head.
        dtype: As for ``load``.
        new_head: For training: give the model one output, with random weights if it has no head yet.
        quantization_config: As for ``load``; the head keeps its precision.
        merged: As for ``load``.

    Returns:
        The model and its tokenizer.

    Raises:
        UserError: The weights can't be loaded, or there is no head (its outputs would be random) and no ``new_head``.
    """
    torch, transformers = libraries(ref)
    location, given = weights_folder(ref), _given(ref)
    try:
        rows = _head_rows(ref)
    except reading_errors() as error:
        raise _unloadable(ref, location, error) from error
    outputs = {"num_labels": 1 if new_head else rows} if new_head or rows else {}
    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()  # a missing head is an error below, where it matters
    try:
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            location,
            dtype=dtype or _dtype(torch),
            output_loading_info=True,
            **outputs,
            **given,
            **_quantised(torch, quantization_config),
        )
        held = next((a for a in reversed(ref.adapters) if (Path(a) / "tokenizer_config.json").exists()), location)
        tokenizer = transformers.AutoTokenizer.from_pretrained(held, **given)
    except reading_errors() as error:
        raise _unloadable(ref, location, error) from error
    finally:
        transformers.utils.logging.set_verbosity(verbosity)
    if info["missing_keys"] and not new_head and not rows:
        raise UserError(
            f"model {ref.name!r}: {location} is neither a reward model nor a classifier: it has no weights for "
            f"{', '.join(sorted(info['missing_keys'])[:3])}"
        )
    model, tokenizer = _ready(model, tokenizer, ref, torch, merged=merged)
    if rows:  # the head was trained to read the last token that is not the tokenizer's padding
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model, tokenizer


def weights_folder(ref: ModelRef) -> str:
    """Return the folder or hub id to load from; a built-in is converted into the cache folder first, once."""
    if not ref.package:
        return ref.location
    folder = package_folder(ref.package)
    if (folder / "model").is_dir():
        return str(folder / "model")
    target = _converted(ref)
    if not (target / "config.json").exists():
        _convert(next(folder.glob("*.gguf")), target)
    return str(target)


def local_folder(ref: ModelRef) -> Path | None:
    """Return the folder with the model's tokenizer and config, or None if they are not on this machine yet."""
    if ref.package:
        folder = _converted(ref)
        return folder if (folder / "config.json").exists() else None
    if Path(ref.location).is_dir():
        return Path(ref.location)
    hub_id, _, commit = base_identity(ref).partition("@")
    folder = hub_folder(hub_id) / "snapshots" / commit
    return folder if commit and (folder / "config.json").exists() else None


def libraries(ref: ModelRef) -> tuple[Any, Any]:
    """Import and return torch and transformers.

    Raises:
        UserError: They are missing; it says how to install them.
    """
    try:
        import torch
        import transformers
        from transformers.utils import logging
    except ImportError:
        raise needs_extra(f"model {ref.name!r} (engine transformers)", "local") from None
    logging.disable_progress_bar()
    return torch, transformers


def _dtype(torch: Any) -> Any:
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def _device(torch: Any) -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _quantised(torch: Any, config: Any) -> dict[str, Any]:
    """Return the arguments that quantise weights as they are loaded, onto the device where they stay."""
    return {} if config is None else {"quantization_config": config, "device_map": {"": _device(torch)}}


def _given(ref: ModelRef) -> dict[str, Any]:
    return {"trust_remote_code": bool(ref.setting("trust_remote_code", False))}


def _unloadable(ref: ModelRef, location: str, error: Exception) -> UserError:
    return UserError(f"model {ref.name!r}: cannot load {why_unreadable([location, *ref.adapters], error)}")


def _ready(model: Any, tokenizer: Any, ref: ModelRef, torch: Any, *, merged: bool) -> tuple[Any, Any]:
    """Merge the adapters; put the model on its device and give the tokenizer a token to pad with and its template.

    Beside a model of some size on a CPU the process keeps, from then on, the memory that tensors free.
    """
    if ref.adapters:
        model = merge_adapters(model, ref, but_last=not merged)
    template = given_template(ref)
    if template is not None:
        tokenizer.chat_template = template
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if _device(torch) == "cpu" and model.get_memory_footprint() >= KEEPS_MEMORY:
        keep_freed_memory()
    placed = getattr(model, "hf_device_map", None)  # of quantised weights, which can't be moved
    return (model if placed else model.to(_device(torch))).eval(), tokenizer


def _converted(ref: ModelRef) -> Path:
    """Return where a built-in that comes as GGUF is kept as safetensors, whatever was trained on top of it."""
    return cache_folder() / "models" / base_identity(ref)


def _head_rows(ref: ModelRef) -> int:
    """Return the outputs of the classification head in the last adapter that has one; 0 if none has."""
    from safetensors import safe_open

    for adapter in reversed(ref.adapters):
        file = Path(adapter) / "adapter_model.safetensors"
        if file.exists():
            with safe_open(file, "pt") as held:
                heads = [key for key in held.keys() if HEAD.search(key)]  # noqa: SIM118 (it is no mapping)
                if heads:
                    return held.get_slice(heads[-1]).get_shape()[0]
    return 0


def _convert(gguf: Path, target: Path) -> None:
    """Convert a GGUF file to safetensors: transformers reads it in about 30 s, the result in one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    where, name = str(gguf.parent), gguf.name
    with redirect_stderr(StringIO()):  # its progress bar can't be turned off otherwise
        model: Any = AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32)
    # save_pretrained refuses a quantised model; the weights are plain float32 by now, so say so.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(temporary)
    tokenizer: Any = AutoTokenizer.from_pretrained(where, gguf_file=name)
    tokenizer.save_pretrained(temporary)
    config = json.loads((temporary / "config.json").read_text())
    config.pop("_name_or_path", None)
    (temporary / "config.json").write_text(json.dumps(config, indent=2))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
