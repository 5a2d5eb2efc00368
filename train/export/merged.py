"""A model as one folder of weights: its adapters merged, with tokenizer, chat template and licence beside them."""

import gc
import json
import shutil
from pathlib import Path
from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.stored_dtype import stored_dtype
from curate.models.weights import load, load_classifier, weights_folder
from schemas.errors import UserError
from train.export.older_readers import for_older_readers
from train.export.reference import Reference, compare_exported
from train.export.tokenizer import tokenizer_of
from train.same_answers.compare import Comparison

DTYPES = ("auto", "float32", "bfloat16", "float16")
KINDS = ("CausalLM", "LMHead", "ConditionalGeneration", "ForSequenceClassification")  # within architectures' names
LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
MODEL_FILES = ("tokenizer.model", "spiece.model")  # SentencePiece: transformers reads tokenizer.json, others this


def write_merged(ref: ModelRef, folder: Path, dtype: str, *, classifier: bool = False) -> str:
    """Write a model without adapters into a folder, as transformers, vLLM and llama.cpp's converter load it.

    The adapters are merged in float32, whatever the type that the weights are stored in.

    Args:
        ref: The model.
        folder: An empty folder.
        dtype: One of ``DTYPES``; ``auto`` is the type of the weights that the adapters were trained on.
        classifier: Whether it is a reward model or another classifier.

    Returns:
        The type of the stored weights.

    Raises:
        UserError: The weights can't be loaded.
    """
    import torch

    stored = stored_dtype(ref) if dtype == "auto" else dtype
    model, _ = (load_classifier if classifier else load)(ref, torch.float32)
    model = model.to(getattr(torch, stored))
    model.save_pretrained(folder)
    tokenizer_of(ref).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)  # a path of this machine
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    for_older_readers(folder)
    copy_licences(ref, folder)
    for file in folder.glob("*.safetensors"):
        file.chmod((folder / "config.json").stat().st_mode)  # safetensors lets nobody else read it
    del model
    gc.collect()
    return stored


def copy_licences(ref: ModelRef, folder: Path) -> None:
    """Copy the licences of the model, and its SentencePiece file, from the folder of its weights."""
    source = Path(weights_folder(ref))
    if not source.is_dir():
        return
    for pattern in (*LICENCES, *MODEL_FILES):
        for file in source.glob(pattern):
            if file.is_file() and not (folder / file.name).exists():
                shutil.copyfile(file, folder / file.name)


def is_classifier(ref: ModelRef) -> bool:
    """Return whether a model is a reward model or another classifier, not one that writes text.

    Raises:
        UserError: It is neither, or its config can't be read.
    """
    if ref.adapters:
        file = Path(ref.adapters[-1]) / "adapter_config.json"
        if json.loads(file.read_text(encoding="utf-8")).get("task_type") == "SEQ_CLS":
            return True
    import transformers

    trust = bool(ref.setting("trust_remote_code", False))
    try:
        config = transformers.AutoConfig.from_pretrained(weights_folder(ref), trust_remote_code=trust)
    except (OSError, ValueError) as error:
        said = str(error).strip().splitlines()[0]
        raise UserError(f"model {ref.name!r}: cannot load {weights_folder(ref)}: {said}") from error
    kinds = config.architectures or ()
    if kinds and not any(word in name for name in kinds for word in KINDS):
        raise UserError(f"the model {ref.name!r} is a {kinds[0]}; expected one that writes text, or a classifier")
    return any("ForSequenceClassification" in name for name in kinds)


def check_merged(reference: Reference, folder: Path, stored: str) -> Comparison:
    """Load an exported folder with transformers and compare its greedy answers with the reference's.

    Args:
        reference: The answers of the model before it was exported.
        folder: The exported folder.
        stored: The type that its weights are stored in.

    Raises:
        UserError: They are stored as they were computed, in float32, and the answers differ.
    """
    import torch
    import transformers

    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = compare_exported(reference, model, transformers.AutoTokenizer.from_pretrained(folder), stored)
    if stored == "float32" and found.difference is not None:
        raise UserError(
            f"the merged weights do not write what the model with its adapter does: {found.line()}; nothing is kept"
        )
    return found
