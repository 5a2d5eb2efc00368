"""A model as one folder of weights: its adapters merged, with tokenizer, chat template and licence beside them."""

import gc
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.weight_files import given_template
from curate.models.weights import load, load_classifier, weights_folder
from schemas.errors import UserError
from train.export.older_readers import for_older_readers
from train.export.same_tokens import Agreement, Greedy, compare, greedy

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


def stored_dtype(ref: ModelRef) -> str:
    """Return the type of a model's weights on disk, as its config has it; float32 where it says nothing."""
    import transformers

    trust = bool(ref.setting("trust_remote_code", False))
    config = transformers.AutoConfig.from_pretrained(weights_folder(ref), trust_remote_code=trust)
    found = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.")
    return found if found in DTYPES else "float32"


def tokenizer_of(ref: ModelRef) -> Any:
    """Return a model's tokenizer as its folder has it, with the chat template that its rows were printed with."""
    import transformers

    trust = bool(ref.setting("trust_remote_code", False))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(weights_folder(ref), trust_remote_code=trust)
    template = given_template(ref)
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer


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


def answers_of(ref: ModelRef, count: int) -> Greedy:
    """Return a model's greedy answers with its last adapter on top of the weights, not merged into them.

    Earlier adapters are merged, as they were when the last one was trained.
    """
    import torch

    below = replace(ref, adapters=ref.adapters[:-1])
    model, _ = load(below, torch.float32)
    if ref.adapters:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, ref.adapters[-1]).eval()
    return greedy(model, tokenizer_of(ref), count)


def check_merged(reference: Greedy, folder: Path, *, exact: bool) -> Agreement:
    """Load an exported folder with transformers and compare its greedy answers with the reference's.

    Args:
        reference: The answers of the model before it was exported.
        folder: The exported folder.
        exact: Whether the weights were stored as they were computed, in float32.

    Raises:
        UserError: They were, and the answers differ.
    """
    import torch
    import transformers

    model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = greedy(model, tokenizer, len(reference.prompts))
    del model
    gc.collect()
    if found.prompts != reference.prompts:
        raise UserError("the exported tokenizer gives other tokens than the model's; nothing is kept")
    agreement = compare(reference, found.answers)
    if exact and not agreement.same:
        raise UserError(
            f"the merged weights do not write what the model with its adapter does: {agreement.line()}; nothing is kept"
        )
    return agreement
