"""Checks LoRA's target modules against the names of a model's layers, which it reads from the files of its weights."""

import json
import re
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.errors import UserError
from train.options.option_names import near_names

MOST_HEADER = 100_000_000  # bytes; the header of a model of many experts has a few million


def check_targets(targets: str | list[str], ref: ModelRef, where: str) -> None:
    """Check that each target module is in the model; check nothing where its weights are not on this machine.

    Args:
        targets: As PEFT takes them: the ends of modules' names, or one regular expression.
        ref: The model.
        where: The training's place in the recipe.

    Raises:
        UserError: No module has the name; the error names the nearest one.
    """
    names = module_names(ref)
    if not names or targets == "all-linear":
        return
    if isinstance(targets, str):
        try:
            found = any(re.fullmatch(targets, name) for name in names)
        except re.error as error:
            raise UserError(f"{where}: lora: target_modules: no regular expression: {targets!r}: {error}") from None
        missing = [] if found else [targets]
    else:
        missing = [t for t in targets if not any(name == t or name.endswith(f".{t}") for name in names)]
    if missing:
        parts = {name.rsplit(".", 1)[-1] for name in names}
        near = near_names(missing[0].rsplit(".", 1)[-1], parts)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise UserError(
            f"{where}: lora: target_modules: no module of the model {ref.name!r} is called {missing[0]!r}{hint} "
            f"(there are: {', '.join(sorted(parts)[:20])})"
        )


def module_names(ref: ModelRef) -> set[str]:
    """Return the names of the modules that have a matrix of weights; none where the files are not on this machine."""
    folder = local_folder(ref)
    if folder is None or _renames(folder):
        return set()
    files = sorted(folder.glob("*.safetensors"))
    return {name for file in files for name in _matrices(file)}


def _renames(folder: Path) -> bool:
    """Return whether the model's layers may have other names than its file: weights of experts, quantised weights."""
    try:
        text = (folder / "config.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return True
    return "quantization_config" in text or "experts" in text


def _matrices(file: Path) -> list[str]:
    """Return the modules of a safetensors file: its header is the length in 8 bytes, then JSON."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > MOST_HEADER:
            return []
        try:
            header = json.loads(opened.read(length))
        except ValueError:
            return []
    entries = header.items() if isinstance(header, dict) else ()
    return [
        name.removesuffix(".weight")
        for name, entry in entries
        if name.endswith(".weight") and isinstance(entry, dict) and len(entry.get("shape", ())) == 2
    ]
