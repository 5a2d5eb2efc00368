"""Loading a model's weights: built-ins from their packages, hub ids, local folders, and LoRA adapters merged on top."""

import json
import os
import shutil
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from curate.models import ModelRef, cache_folder, hub_folder, package_folder
from schemas.errors import UserError, needs_extra


def load(ref: ModelRef, dtype: Any = None) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer (padding on the left), ready for inference or training.

    ``dtype`` is a torch dtype; by default float32 on a CPU (faster there than bfloat16) and bfloat16 on a GPU.
    Adapters are merged into the weights, so the model returned is a plain one. Raises ``UserError`` if the weights
    cannot be had.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ImportError:
        raise needs_extra(f"model {ref.name!r} (engine transformers)", "local") from None
    logging.disable_progress_bar()
    cuda = torch.cuda.is_available()
    dtype = dtype or (torch.bfloat16 if cuda else torch.float32)
    location = weights_folder(ref)
    trust = bool(dict(ref.settings).get("trust_remote_code", False))
    try:
        model = AutoModelForCausalLM.from_pretrained(location, dtype=dtype, trust_remote_code=trust)
        tokenizer = AutoTokenizer.from_pretrained(location, padding_side="left", trust_remote_code=trust)
    except (OSError, ValueError) as error:
        raise UserError(f"model {ref.name!r}: cannot load {location}: {str(error).strip().splitlines()[0]}") from error
    if ref.adapters:
        model = _merge(model, ref)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.to("cuda" if cuda else "cpu").eval(), tokenizer


def weights_folder(ref: ModelRef) -> str:
    """The folder or hub id to load from; a built-in is converted into the cache folder first, once."""
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
    """The folder that holds the model's tokenizer and config on this machine, or None where it is not there yet."""
    if ref.package:
        folder = _converted(ref)
        return folder if (folder / "config.json").exists() else None
    if Path(ref.location).is_dir():
        return Path(ref.location)
    hub_id, _, commit = ref.identity.split(">")[0].partition("@")
    folder = hub_folder(hub_id) / "snapshots" / commit
    return folder if commit and (folder / "config.json").exists() else None


def _converted(ref: ModelRef) -> Path:
    """Where a built-in that comes as GGUF is kept as safetensors. What was trained on top of it changes nothing."""
    return cache_folder() / "models" / ref.identity.split(">")[0]


def _merge(model: Any, ref: ModelRef) -> Any:
    try:
        from peft import PeftModel
    except ImportError:
        raise needs_extra(f"model {ref.name!r} (a LoRA adapter)", "train") from None
    for adapter in ref.adapters:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model


def _convert(gguf: Path, target: Path) -> None:
    """Convert a GGUF file to safetensors: transformers reads it in about 30 s, the result in one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    where, name = str(gguf.parent), gguf.name
    with redirect_stderr(StringIO()):  # its bar cannot be turned off otherwise
        model = AutoModelForCausalLM.from_pretrained(where, gguf_file=name, dtype=torch.float32)
    # save_pretrained refuses a quantised model; the weights are plain float32 by now, so say so.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(temporary)
    AutoTokenizer.from_pretrained(where, gguf_file=name).save_pretrained(temporary)
    config = json.loads((temporary / "config.json").read_text())
    config.pop("_name_or_path", None)
    (temporary / "config.json").write_text(json.dumps(config, indent=2))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
