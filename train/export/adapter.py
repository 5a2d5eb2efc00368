"""A trained LoRA adapter in PEFT's form, with a base that others can load."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN, base_identity
from curate.models.weights import load
from schemas.errors import UserError
from train.export.combine_adapters import CONFIG, WEIGHTS, combine, not_combined
from train.export.merged import copy_licences, is_classifier, write_merged
from train.export.older_readers import for_older_readers
from train.export.reference import Reference, compare_exported
from train.export.tokenizer import tokenizer_of
from train.same_answers.compare import Comparison

BASE = "base"  # the folder of the base model in an exported one, where no other is the same


def check_has_adapter(ref: ModelRef) -> None:
    """Raise ``UserError`` where a model has no adapter."""
    if not ref.adapters:
        raise UserError(f"the model {ref.name!r} has no adapter: its full weights were trained; take --format merged")


def write_adapter(ref: ModelRef, folder: Path, final: Path) -> list[str]:
    """Write a model's adapter into a folder as PEFT and vLLM load it.

    A chain of plain adapters becomes one of the summed rank. Where that is not exact, and for a built-in model, whose
    weights differ from those on the hub, the model below the last adapter is written beside it, into ``base``.

    Args:
        ref: The model; its last adapter is the one asked for.
        folder: An empty folder.
        final: The name that the folder will have.

    Returns:
        Lines on what was done.

    Raises:
        UserError: The model has no adapter.
    """
    check_has_adapter(ref)
    said, reason = [], not_combined(ref.adapters) if len(ref.adapters) > 1 else None
    below = ref.adapters[:-1] if reason else ()
    if len(ref.adapters) > 1 and not reason:
        rank = combine(ref.adapters, folder)
        said.append(f"the {len(ref.adapters)} adapters are one of rank {rank}, their sum")
    else:
        for name in (CONFIG, WEIGHTS):
            shutil.copyfile(Path(ref.adapters[-1]) / name, folder / name)
    if reason:
        said.append(f"the adapters before the last are merged into {BASE}, since {reason}")
    if ref.package or below:
        under = replace(ref, adapters=below)
        write_merged(under, folder / BASE, "auto", classifier=is_classifier(under))
        base = str(final.absolute() / BASE)
        if ref.package and not below:
            said.append(
                f"the built-in weights are beside it in {BASE}: those of {BUILT_IN[ref.location][1]} on the hub differ"
            )
    else:
        base = ref.location if not Path(ref.location).is_dir() else str(Path(ref.location).absolute())
        if Path(base).is_dir():
            said.append(f"its base is the folder {base}; on another machine name the same model there")
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base, "inference_mode": True, "revision": _revision(ref, base)}
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    tokenizer_of(ref).save_pretrained(folder)
    for_older_readers(folder)
    copy_licences(ref, folder)
    return said


def _revision(ref: ModelRef, base: str) -> str | None:
    """Return the commit of a hub model that the adapter was trained on, where it is known."""
    name, _, commit = base_identity(ref).partition("@")
    return commit if commit and name == base else None


def check_adapter(reference: Reference, ref: ModelRef, folder: Path) -> Comparison:
    """Load an exported adapter on its base with PEFT and compare its greedy answers with the reference's.

    Args:
        reference: The answers of the model before it was exported.
        ref: The model.
        folder: The exported folder, under whatever name.

    Raises:
        UserError: The answers differ.
    """
    import torch
    import transformers
    from peft import PeftModel

    if (folder / BASE).is_dir():
        base: Any = transformers.AutoModelForCausalLM.from_pretrained(folder / BASE, dtype=torch.float32)
    else:
        base, _ = load(replace(ref, adapters=()), torch.float32)
    model = PeftModel.from_pretrained(base, str(folder)).eval()
    found = compare_exported(reference, model, transformers.AutoTokenizer.from_pretrained(folder), "float32")
    if found.difference is not None:
        raise UserError(f"the exported adapter does not write what the trained model does: {found.line()}")
    return found
