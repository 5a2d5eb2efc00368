"""The sources of a recipe and the licences that it names for them; what the hub calls a licence."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from curate.sources.remote.urls import is_url, shown_url
from schemas.errors import UserError, short_repr

UNKNOWN = "unknown"
# Names that the hub has for licences; another goes onto a card as ``other`` with its name.
HUB = frozenset(
    (
        "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "bigcode-openrail-m", "afl-3.0", "artistic-2.0",
        "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0",
        "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0",
        "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0",
        "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0",
        "lgpl", "lgpl-2.1", "lgpl-3.0", "isc", "mpl-2.0", "odc-by", "odbl", "openrail++", "osl-3.0", "postgresql",
        "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl", "gemma", "llama2", "llama3", "llama3.1", "llama3.2",
        "llama3.3", "llama4",
    )
)  # fmt: skip


class SourceLicence(NamedTuple):
    """A source as people name it, and its licence (``unknown`` where the recipe names none)."""

    name: str
    licence: str


def source_licences(resolved: Mapping[str, Any]) -> list[SourceLicence]:
    """Return the sources of a recipe, as the record of a run has it, with their licences."""
    found = []
    for step in resolved.get("prompts") or []:
        if isinstance(step, dict) and step.get("verb") == "source":
            settings = step.get("settings") or {}
            given = settings.get("license")
            licence = given.strip() if isinstance(given, str) and given.strip() else UNKNOWN
            found.append(SourceLicence(_name(settings), licence))
    return found


def _name(settings: Mapping[str, Any]) -> str:
    if settings.get("name"):
        return str(settings["name"])
    if "sql" in settings:
        return "sql"
    path = str(settings.get("path", "?"))
    return shown_url(path) if is_url(path) else path if not PurePath(path).is_absolute() else PurePath(path).name


def check_licences(sources: list[SourceLicence]) -> None:
    """Raise ``UserError`` that names the sources of which no licence is known."""
    bare = [short_repr(source.name) for source in sources if source.licence.lower() == UNKNOWN]
    if bare:
        raise UserError(
            f"--license-check: no licence is known of the source {', '.join(bare)}; name it in the recipe, as in "
            f"source: {{path: FILE, license: cc-by-4.0}}, and run it again: no row is remade"
        )


def hub_licences(sources: list[SourceLicence]) -> dict[str, Any]:
    """Return what the head of a card says of licences: one of the hub's names or several, or ``other`` with names."""
    named = list(dict.fromkeys(source.licence for source in sources))
    ids = [re.sub(r"\s+", "-", name.lower()) for name in named]
    if not ids or UNKNOWN in ids:
        return {"license": UNKNOWN}
    if all(one in HUB for one in ids):
        return {"license": ids[0] if len(ids) == 1 else ids}
    return {"license": "other", "license_name": ", ".join(named)}
