"""Checks LoRA's target modules against the names of a model's layers, which it reads from the files of its weights."""

import json
import re
from collections.abc import Collection
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from schemas.errors import UserError
from train.options.option_names import near_names

OUTPUT = (
    "TRL computes the loss from the weights of lm_head, so an adapter on it would never be trained; remove 'lm_head' "
    "(all-linear, the default, leaves it out)"
)
MOST_HEADER = 100_000_000  # bytes; the header of a model of many experts has a few million


def check_form(targets: str | list[str] | None, where: str) -> None:
    """Check how target modules are written: a text is one regular expression, an entry of a list the end of a name.

    Raises:
        UserError: A text is a list with commas, an entry of a list is a pattern, or the output's weights are named.
    """
    if isinstance(targets, str):
        parts = [part.strip() for part in re.split(r"[,\s]+", targets.strip("[] ")) if part.strip()]
        if len(parts) > 1 and all(re.fullmatch(r"[\w.-]+", part) for part in parts):
            raise UserError(f"{where}: lora: target_modules: {_one_text(parts)}")
        try:
            re.compile(targets)
        except re.error as error:
            hint = f"; {_one_text([targets.strip('*. ')])}" if targets.strip("*. ").isidentifier() else ""
            text = f"no regular expression: {targets!r}: {error}{hint}"
            raise UserError(f"{where}: lora: target_modules: {text}") from None
    for one in targets if isinstance(targets, list) else ():
        if one == "all-linear" or not re.fullmatch(r"[\w.-]+", one):
            whole = one if one == "all-linear" else ".*" + re.sub(r"(?<![.\])])\*", ".*", one).removeprefix(".*")
            raise UserError(
                f"{where}: lora: target_modules: {one!r}: an entry of a list is the end of a module's name (q_proj), "
                f"not a pattern; for a pattern write one text: target_modules: {whole!r}"
            )
    if "lm_head" in ([targets] if isinstance(targets, str) else targets or ()):
        raise UserError(f"{where}: lora: target_modules: {OUTPUT}")


def _one_text(names: list[str]) -> str:
    return (
        f"a text is one regular expression for a module's whole name (model.layers.0.self_attn.q_proj); for modules by "
        f"the ends of their names write a list: [{', '.join(names)}]"
    )


def check_targets(targets: str | list[str], ref: ModelRef, where: str, names: Collection[str] | None = None) -> None:
    """Check that each target module is in the model; check nothing where its weights are not on this machine.

    Args:
        targets: As PEFT takes them: the ends of modules' names, or one regular expression.
        ref: The model.
        where: The training's place in the recipe.
        names: The names of the model's modules that have a matrix of weights; by default read from its files.

    Raises:
        UserError: No module has the name; the error names the nearest one.
    """
    check_form(targets, where)
    names = module_names(ref) if names is None else names
    if not names or targets == "all-linear":
        return
    parts = {name.rsplit(".", 1)[-1] for name in names}
    if isinstance(targets, str):
        missing = [] if any(re.fullmatch(targets, name) for name in names) else [targets]
        if missing and targets in parts:
            raise UserError(f"{where}: lora: target_modules: {_one_text([targets])}")
    else:
        missing = [t for t in targets if not any(name == t or name.endswith(f".{t}") for name in names)]
    if missing:
        near = near_names(missing[0].rsplit(".", 1)[-1], parts)
        near = [f"[{one}]" for one in near] if isinstance(targets, str) else [repr(one) for one in near]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
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
