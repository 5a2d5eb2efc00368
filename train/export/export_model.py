"""Passes a model on: writes it into a folder as merged weights, an adapter or GGUF, and checks that it is the same."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.api.find_model import find_model, which_training
from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.errors import UserError, unknown
from schemas.recipe import Recipe
from train.export.adapter import check_adapter, check_has_adapter, write_adapter
from train.export.check_gguf import check_gguf
from train.export.export_card import write_export_card
from train.export.gguf import OF_DTYPE, check_llama_cpp, write_gguf
from train.export.merged import (
    DTYPES,
    answers_of,
    check_merged,
    is_classifier,
    stored_dtype,
    tokenizer_of,
    write_merged,
)
from train.export.modelfile import write_modelfile
from train.export.new_folder import check_new, check_space, new_folder
from train.export.same_rewards import check_rewards
from train.export.same_tokens import PROMPTS, Greedy

FORMATS = ("merged", "adapter", "gguf")
Say = Callable[[str], None]


@dataclass(frozen=True)
class ExportedModel:
    """A model that was exported.

    Attributes:
        path: Its folder.
        format: ``merged``, ``adapter`` or ``gguf``.
        notes: What was done and checked, in lines.
    """

    path: Path
    format: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ExportSettings:
    """How a model is exported.

    Attributes:
        format: ``merged``, ``adapter`` or ``gguf``.
        dtype: The type of merged weights (``train.export.merged.DTYPES``).
        llama_cpp: The llama.cpp checkout that converts to GGUF.
        outtype: GGUF's type; ``auto`` is that of the weights.
        check: On how many prompts the exported model is compared; 0 for none.
    """

    format: str
    dtype: str = "auto"
    llama_cpp: Path | None = None
    outtype: str = "auto"
    check: int = len(PROMPTS)


def export(
    text: str, folder: Path, settings: ExportSettings, store: Store | None, recipe: Recipe | None, say: Say
) -> ExportedModel:
    """Write a model into a new folder: whole, or not at all.

    Args:
        text: The model's name (``curate.api.find_model``).
        folder: The folder, which must not be there, or be empty.
        settings: The format and its settings.
        store: The store with its trainings, or None.
        recipe: The recipe whose models it may be, or None.
        say: Is given lines on what is done and found.

    Raises:
        UserError: The model or a setting is wrong, or the exported model is another than the trained one.
    """
    _check_settings(settings)
    check_new(folder)
    ref, classifier = _chosen(text, settings, store, recipe, say)
    notes: list[str] = []

    def note(line: str) -> None:
        notes.append(line)
        say(line)

    check_space(folder, _bytes_needed(ref, settings))
    reference = _reference(ref, settings, classifier, say)
    with new_folder(folder) as partial:
        if settings.format == "adapter":
            for line in write_adapter(ref, partial, folder):
                note(line)
            _check(settings, classifier, reference, note, lambda found: check_adapter(found, ref, partial))
            if classifier and settings.check:
                note(check_rewards(ref, partial, adapter=True))
        elif settings.format == "merged":
            stored = write_merged(ref, partial, settings.dtype, classifier=classifier)
            count = len(ref.adapters)
            note(f"weights in {stored}" + (f", {count} adapter{'s' * (count > 1)} merged" if count else ""))
            _check(
                settings,
                classifier,
                reference,
                note,
                lambda found: check_merged(found, partial, exact=stored == "float32"),
            )
            if classifier and settings.check:
                note(check_rewards(ref, partial, adapter=False))
        else:
            _write_gguf(ref, partial, settings, reference, note)
        write_export_card(ref, partial, settings.format, notes, classifier=classifier)
    return ExportedModel(folder, settings.format, tuple(notes))


def _chosen(
    text: str, settings: ExportSettings, store: Store | None, recipe: Recipe | None, say: Say
) -> tuple[ModelRef, bool]:
    """Return the model that a text names, and whether it is a classifier.

    Raises:
        UserError: There is none, or the format can't hold it.
    """
    ref = find_model(text, store, recipe)
    if which := which_training(text, store, recipe):
        say(which)
    if ref.engine not in ("transformers", "vllm"):
        raise UserError(f"the model {ref.name!r} is on a server ({ref.engine}): its weights are not here")
    classifier = is_classifier(ref)
    if settings.format == "adapter":
        check_has_adapter(ref)
    if settings.format == "gguf":
        if classifier:
            raise UserError(
                f"the model {ref.name!r} is a reward model or classifier, for which llama.cpp has no GGUF that "
                f"gives the same rewards; take --format merged"
            )
        check_llama_cpp(settings.llama_cpp, settings.outtype)
    return ref, classifier


def _check_settings(settings: ExportSettings) -> None:
    if settings.format not in FORMATS:
        raise unknown("format", settings.format, FORMATS)
    if settings.dtype not in DTYPES:
        raise unknown("dtype", settings.dtype, DTYPES)
    if not 0 <= settings.check <= len(PROMPTS):
        raise UserError(f"check: {settings.check}; expected 0 to {len(PROMPTS)} prompts")
    given = {"dtype": settings.dtype != "auto", "outtype": settings.outtype != "auto"}
    given["llama-cpp"] = settings.llama_cpp is not None
    wanted = {"merged": {"dtype"}, "adapter": set(), "gguf": {"outtype", "llama-cpp"}}[settings.format]
    for name in (name for name, is_given in given.items() if is_given and name not in wanted):
        raise UserError(f"--{name} is no setting of the format {settings.format}")


def _reference(ref: ModelRef, settings: ExportSettings, classifier: bool, say: Say) -> Greedy | None:
    """Return the greedy answers of the model as it was trained; None where nothing is compared."""
    if classifier or not settings.check:
        return None
    say(f"answering {settings.check} prompts with {ref.name}, as it was trained")
    found = answers_of(ref, settings.check)
    gc.collect()
    return found


def _check(settings: ExportSettings, classifier: bool, reference: Greedy | None, note: Say, check: Any) -> None:
    if reference is not None:
        note(f"checked with transformers: {check(reference).line()}")
    elif not classifier:
        note("not checked, as --check 0 says")


def _write_gguf(ref: ModelRef, folder: Path, settings: ExportSettings, reference: Greedy | None, note: Say) -> None:
    """Write a GGUF file and a Modelfile: merged in the type of the weights, converted, compared."""
    import transformers

    checkout = check_llama_cpp(settings.llama_cpp, settings.outtype)
    merged = folder / "merged"
    merged.mkdir()
    stored = write_merged(ref, merged, "auto")
    outtype = OF_DTYPE[stored] if settings.outtype == "auto" else settings.outtype.lower()
    gguf = folder / f"model-{outtype}.gguf"
    write_gguf(merged, gguf, checkout, outtype)
    note(f"{gguf.name}: {gguf.stat().st_size / 1e6:,.0f} MB, from weights in {stored}")
    config = transformers.AutoConfig.from_pretrained(merged)
    generation = transformers.GenerationConfig.from_pretrained(merged)
    tokenizer = tokenizer_of(ref)
    note(write_modelfile(folder, gguf, tokenizer, config, generation))
    for line in check_gguf(gguf, checkout, reference, tokenizer, exact=outtype == "f32" and stored == "float32"):
        note(line)
    for file in merged.iterdir():
        if file.name.startswith(("LICEN", "NOTICE", "USE_POLICY")):
            file.rename(folder / file.name)
    _remove(merged)


def _remove(folder: Path) -> None:
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.rmdir()


def _bytes_needed(ref: ModelRef, settings: ExportSettings) -> int:
    """Return about how many bytes the exported folder takes, while it is made."""
    import torch

    parameters = _parameters(ref)
    stored = getattr(torch, stored_dtype(ref) if settings.dtype == "auto" else settings.dtype).itemsize
    if settings.format == "adapter":
        return parameters * stored if ref.package else 0
    return parameters * stored * (2 if settings.format == "gguf" else 1)


def _parameters(ref: ModelRef) -> int:
    """Return how many weights a model has, by the shapes in its files; 0 where they are not on this machine."""
    from safetensors import safe_open

    from curate.models.weights import weights_folder

    total = 0
    source = Path(weights_folder(ref))
    for file in source.glob("*.safetensors") if source.is_dir() else ():
        with safe_open(file, "pt") as held:
            for name in held.keys():  # noqa: SIM118 (it is no mapping)
                size = 1
                for side in held.get_slice(name).get_shape():
                    size *= side
                total += size
    return total
