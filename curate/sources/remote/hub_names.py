"""How a data set on the hub is named: ``owner/name``, ``hf://datasets/owner/name/file``, or its web page."""

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from curate.sources.files.file_formats import file_format
from curate.sources.files.file_names import MAGIC
from schemas.errors import UserError

SITE = "https://huggingface.co/datasets/"
_REVISION = r"(?:refs/(?:convert|pr)/[\w.-]+|[^/@]+)"
_SHORT = re.compile(rf"([A-Za-z0-9][\w.-]*/[\w.-]+)(?:@({_REVISION}))?")
_LONG = re.compile(rf"([\w.-]+/[\w.-]+)(?:@({_REVISION}))?(?:/(.+))?")
_PAGE = re.compile(rf"([\w.-]+/[\w.-]+)(?:/(?:blob|resolve|raw|tree|viewer)/({_REVISION})(?:/(.+))?)?")


class HubSource(str):
    """The name of a source that is a data set on the hub, and was told from the name of a file."""

    __slots__ = ()


class HubName(NamedTuple):
    """A data set on the hub: its name, a revision, and a file, a folder or a pattern in it (or the empty text)."""

    repo: str
    revision: str | None
    file: str


def is_hub_url(path: Path | str) -> bool:
    """Return whether a source begins as the hub's data sets do: ``hf://``, or the address of the web page of one."""
    return isinstance(path, str) and path.startswith(("hf:", SITE))


def has_hub_form(path: Path | str) -> bool:
    """Return whether a text has the form ``owner/name`` of a data set on the hub, and names no format of files."""
    text = str(path)
    return not MAGIC.search(text) and bool(_SHORT.fullmatch(text)) and not file_format(Path(text))


def is_hub_name(path: Path | str, folder: Path = Path()) -> bool:
    """Return whether a source has the form ``owner/name`` of a data set on the hub and no local file fits it.

    Args:
        path: The text that names the source.
        folder: The folder that a path is relative to: the recipe's.
    """
    if not has_hub_form(path):
        return False
    local = folder / path
    return not os.path.exists(local) and not os.path.isdir(local.parent)


def hub_place(path: str) -> str:
    """Return what the names of a data set's files follow in a message: the data set, without a file in it."""
    return f"hf://datasets/{hub_name(path).repo}" if is_hub_url(path) else path


def hub_name(text: str) -> HubName:
    """Return the data set that a text names.

    Raises:
        UserError: The text names none.
    """
    if text.startswith(SITE):
        found = _PAGE.fullmatch(text.removeprefix(SITE).partition("?")[0].strip("/"))
    elif text.startswith("hf:"):
        rest = text.removeprefix("hf:").strip("/")
        found = _LONG.fullmatch(rest.removeprefix("datasets/")) if rest.startswith("datasets/") else None
    else:
        found = _SHORT.fullmatch(text)
    if not found:
        raise UserError(f"source {text!r}: expected owner/name, or hf://datasets/owner/name, or a file in that")
    groups = [unquote(group or "") for group in found.groups()]
    return HubName(groups[0], groups[1] or None, groups[2] if len(groups) > 2 else "")
