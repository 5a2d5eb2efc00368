"""The licence of the model that a training started from, as far as it is known on this machine. Never guessed.

It is read from the card (``README.md``) in the model's folder, or in the local cache of the hub; that of the built-in
models is known. Nothing is asked of the hub.
"""

import io
import re
from pathlib import Path
from typing import Any

from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN, base_identity, hub_folder
from schemas.errors import printable

CARD = "README.md"
LARGEST = 2**20  # bytes of a card that are read
FORM = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,60}")
OF_BUILT_IN = "apache-2.0"  # SmolLM2-135M-Instruct and all-MiniLM-L6-v2, as their cards on the hub say
UNKNOWN = "unknown"  # the hub's own name for it


def licence_of(ref: ModelRef) -> dict[str, str]:
    """Return the licence of a model's base weights.

    Returns:
        ``id``: the hub's name of the licence, ``unknown`` where it is not known. ``name`` and ``link``, where the card
        has them for a licence that the hub has no name for. ``source``: where it stands, or what to do.
    """
    if ref.package:
        return {"id": OF_BUILT_IN, "source": f"the card of {BUILT_IN[base_identity(ref).split('@')[0]][1]}"}
    folder, name = _folder(ref)
    if folder is not None:
        front = front_matter(folder / CARD)
        found = _read(front)
        if found:
            return {**found, "source": f"the card of {name}"}
        files = sorted(one.name for one in folder.glob("LICEN[CS]E*") if one.is_file())
        if files:
            return {"id": UNKNOWN, "source": f"{name} has a file {printable(files[0])}: read it"}
    where = f"https://huggingface.co/{name}" if not Path(ref.location).is_dir() else f"whoever made {name}"
    return {"id": UNKNOWN, "source": f"{where} says it"}


def front_matter(card: Path) -> dict[str, Any]:
    """Return the YAML at the head of a card; nothing where there is none that can be read."""
    try:
        with open(card, "rb") as file:
            text = file.read(LARGEST).decode(errors="replace")
    except OSError:
        return {}
    header = re.match(r"---[ \t]*\r?\n(.*?)\r?\n---", text, re.DOTALL)
    if header is None:
        return {}
    from ruamel.yaml import YAML, YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(io.StringIO(header[1]))
    except (YAMLError, RecursionError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _folder(ref: ModelRef) -> tuple[Path | None, str]:
    """Return the folder that may hold a model's card, and the model's name for people."""
    location = Path(ref.location)
    if location.is_dir():
        return location, location.name if location.name != "model" else base_identity(ref).split("@")[0]
    name, _, commit = base_identity(ref).partition("@")
    folder = hub_folder(name) / "snapshots" / commit
    return (folder if commit and folder.is_dir() else None), name


def _read(front: dict[str, Any]) -> dict[str, str]:
    """Return the licence that a card's head names, or nothing."""
    given = front.get("license")
    given = given[0] if isinstance(given, list) and len(given) == 1 else given
    if not isinstance(given, str) or not FORM.fullmatch(given.lower()) or given.lower() == UNKNOWN:
        return {}
    further = {key.removeprefix("license_"): front.get(key) for key in ("license_name", "license_link")}
    return {"id": given.lower()} | {
        key: printable(value)[:200] for key, value in further.items() if isinstance(value, str)
    }
