"""Passes a model on: writes it into a folder as merged weights, an adapter or GGUF, and checks that it is the same."""

import gc
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.api.find_model import find_model, which_training
from curate.export.names import check_folder
from curate.export.new_folder import check_space, new_folder
from curate.export.written import as_written, check_replaceable, read_record, write_record
from curate.models.model_ref import ModelRef
from curate.models.stored_dtype import stored_dtype
from curate.models.weights import weights_folder
from curate.storage.store import Store
from schemas.counted import counted
from schemas.errors import UserError, unknown
from schemas.recipe import Recipe
from schemas.version import VERSION
from train.export.adapter import check_adapter, check_has_adapter, write_adapter
from train.export.check_gguf import check_gguf
from train.export.check_rewards import check_rewards
from train.export.export_card import trained_facts, write_export_card
from train.export.gguf import OF_DTYPE, check_llama_cpp, write_gguf
from train.export.merged import DTYPES, check_merged, is_classifier, write_merged
from train.export.modelfile import write_modelfile
from train.export.published import data_now, published_data
from train.export.reference import PROMPTS, Reference, reference_of
from train.export.tokenizer import tokenizer_of
from train.same_answers.compare import ROUNDING

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
    """The format and the options of an export.

    Attributes:
        format: ``merged``, ``adapter`` or ``gguf``.
        dtype: The type of merged weights (``train.export.merged.DTYPES``).
        llama_cpp: The llama.cpp checkout that converts to GGUF.
        outtype: GGUF's type; ``auto`` is that of the weights.
        check: On how many prompts the exported model is compared; 0 for none.
        data: The folder of an export of the data that it was trained on, for the card; or None.
        data_address: That data's address on the hub, for the card; or None.
        force: Whether an earlier export in the folder is replaced.
        push: The repository that the folder is to be pushed to, or None; then an earlier export of the same model in
            the folder is taken as it is.
    """

    format: str
    dtype: str = "auto"
    llama_cpp: Path | None = None
    outtype: str = "auto"
    check: int = len(PROMPTS)
    data: Path | None = None
    data_address: str | None = None
    force: bool = False
    push: str | None = None


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
    check_folder(folder, store.path if store else None)
    if not settings.push:
        check_replaceable(folder, force=settings.force)
    ref, classifier = _chosen(text, settings, store, recipe, say)
    facts = trained_facts(ref) or {}
    held = data_now(facts, store).get("content")
    published = published_data(settings.data, settings.data_address, held)
    what = _what(ref, settings, published)
    record = read_record(folder)
    if settings.push and record is not None and all(record.get(key) == value for key, value in what.items()):
        if as_written(folder, record, force=settings.force):
            return ExportedModel(folder, settings.format, ("the folder has this model already",))
    replace = check_replaceable(folder, force=settings.force)
    check_space(folder, _bytes_needed(ref, settings))
    reference = _reference(ref, settings, classifier, say)
    notes: list[str] = []

    def note(line: str) -> None:
        notes.append(line)
        say(line)

    with new_folder(folder, replace=replace) as partial:
        if settings.format == "gguf":
            _write_gguf(ref, partial, settings, reference, note)
        else:
            stored = _write_weights(ref, partial, folder, settings, classifier, note)
            note(_checked(ref, partial, settings, stored, reference))
        form = settings.format
        write_export_card(ref, partial, form, notes, classifier=classifier, store=store, published=published)
        write_record(partial, what)
    return ExportedModel(folder, settings.format, tuple(notes))


def _what(ref: ModelRef, settings: ExportSettings, published: dict[str, Any]) -> dict[str, Any]:
    """Return what an export depends on: two that agree in it hold the same model."""
    given = {key: getattr(settings, key) for key in ("format", "dtype", "outtype", "check")}
    return {"version": VERSION, "kind": "model", "model": ref.name, "content": ref.identity, **given, "data": published}


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
        if settings.push and (ref.package or Path(ref.location).is_dir()):
            raise UserError(
                f"--push: the base of the adapter {ref.name!r} is on this machine, where nobody else finds it; take "
                f"--format merged"
            )
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


def _reference(ref: ModelRef, settings: ExportSettings, classifier: bool, say: Say) -> Reference | None:
    """Return the greedy answers of the model as it was trained; None where no answers are compared."""
    if classifier or not settings.check:
        return None
    say(f"answering {counted(settings.check, 'prompt')} with {ref.name}, as it was trained")
    found = reference_of(ref, settings.check)
    gc.collect()
    return found


def _write_weights(
    ref: ModelRef, folder: Path, final: Path, settings: ExportSettings, classifier: bool, note: Say
) -> str:
    """Write an adapter, or merged weights; return the type that weights are rounded to."""
    if settings.format == "adapter":
        for line in write_adapter(ref, folder, final):
            note(line)
        return "float32"
    stored, count = write_merged(ref, folder, settings.dtype, classifier=classifier), len(ref.adapters)
    note(f"weights in {stored}" + (f", {count} adapter{'s' * (count > 1)} merged" if count else ""))
    return stored


def _checked(ref: ModelRef, folder: Path, settings: ExportSettings, stored: str, reference: Reference | None) -> str:
    """Compare an exported folder with the model; return the result in a line.

    Raises:
        UserError: It is another model.
    """
    if not settings.check:
        return "not checked, as --check 0 says"
    if reference is None:  # of a classifier
        return check_rewards(ref, folder, settings.format, stored)
    if settings.format == "adapter":
        return f"checked with transformers: {check_adapter(reference, ref, folder).line()}"
    return f"checked with transformers: {check_merged(reference, folder, stored).line()}"


def _write_gguf(ref: ModelRef, folder: Path, settings: ExportSettings, reference: Reference | None, note: Say) -> None:
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
    written = next((dtype for dtype, name in OF_DTYPE.items() if name == outtype), "bfloat16")  # or more is lost
    coarsest = max(stored, written, key=ROUNDING.__getitem__)
    for line in check_gguf(gguf, checkout, reference, tokenizer, coarsest):
        note(line)
    for file in merged.iterdir():
        if file.name.startswith(("LICEN", "NOTICE", "USE_POLICY")):
            file.rename(folder / file.name)
    shutil.rmtree(merged)


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

    total = 0
    source = Path(weights_folder(ref))
    for file in source.glob("*.safetensors") if source.is_dir() else ():
        with safe_open(file, "pt") as held:
            for name in held.keys():  # noqa: SIM118 (it is no mapping)
                total += math.prod(held.get_slice(name).get_shape())
    return total
