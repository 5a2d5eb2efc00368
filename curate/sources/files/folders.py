"""List the files in a folder and the folders below it: those that may hold rows, and what else there is.

Hidden files, and files that accompany data without being data (a README, ``dataset_info.json``, ``_SUCCESS``), are left
out. A folder that is reached twice, through a link, is listed once; how much is looked at is bounded.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from curate.sources.files.file_formats import file_format
from curate.sources.files.file_names import natural
from curate.storage.store import is_store
from schemas.errors import UserError

DEEPEST = 12  # folders below the first
MOST_ENTRIES = 100_000
# Files beside data whose names say that they are none.
BESIDE = re.compile(
    r"(?i)readme.*|licen[cs]e.*|notice.*|citation.*|changelog.*|.*\.(md|rst|lock|crc|py|ipynb|sh|log|sha256|md5)|_success"
    r"|dataset_infos?\.json|dataset_dict\.json|state\.json|croissant\.json|package\.json|cache-.*\.arrow|_metadata"
    r"|_common_metadata|_(started|committed)_.*|thumbs\.db|desktop\.ini"
)


@dataclass
class Listing:
    """The names of the files below a folder, each with its folders, in natural order.

    Attributes:
        data: Files of a known format.
        others: Files of no known format whose names do not say what they are.
        empty: Files of a known format with no byte in them.
        beside: Files that accompany data, such as ``README.md``.
        folders: The folders that were looked into.
        stores: Folders that are stores of runs, which are not looked into.
        broken: Names of data files that are links to nothing.
    """

    data: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def only(self, wanted: Callable[[str], bool]) -> "Listing":
        """Return the names that are wanted."""
        return Listing(**{kind: [name for name in names if wanted(name)] for kind, names in vars(self).items()})


def list_folder(folder: Path, depth: int | None = None) -> Listing:
    """Return what is in a folder and below it.

    Args:
        folder: The folder.
        depth: How many folders deep to look, 1 for the folder alone; by default as deep as is allowed.

    Raises:
        UserError: A folder cannot be read, or there is too much below this one.
    """
    listing, entries = Listing(), 0
    seen: set[tuple[int, int]] = set()
    pending = [(folder, "", 1)]
    while pending:
        path, prefix, level = pending.pop()
        found = _entries(path, seen)
        entries += len(found)
        if entries > MOST_ENTRIES:
            raise UserError(f"{folder}: has more than {MOST_ENTRIES:,} files below it; name a folder of data files")
        if level > DEEPEST:
            raise UserError(f"{path}: is more than {DEEPEST} folders below {folder}; name a folder nearer to it")
        for entry in found:
            name = prefix + entry.name
            if not _is_folder(entry):
                _add_file(listing, entry, name)
            elif is_store(Path(entry.path)):
                listing.stores.append(name)
            elif not entry.name.startswith("_"):
                listing.folders.append(name)
                if depth is None or level < depth:
                    pending.append((Path(entry.path), f"{name}/", level + 1))
    for names in (listing.data, listing.others, listing.empty):
        names.sort(key=natural)
    return listing


def _entries(folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """Return what is in a folder but for hidden files; nothing of a folder that was seen before, through a link."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(f"{folder}: the folder cannot be read: {error.strerror or error}") from None


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle lead to nothing, as one to a file that is gone
        return False


def _add_file(listing: Listing, entry: os.DirEntry, name: str) -> None:
    """Put a file where it belongs; a pipe and the like are no data."""
    path = Path(entry.path)
    if BESIDE.fullmatch(entry.name):
        listing.beside.append(name)
    elif not file_format(path) or (not path.is_file() and path.exists()):
        listing.others.append(name)
    elif not path.exists():
        listing.broken.append(name)
    elif entry.stat().st_size == 0:
        listing.empty.append(name)
    else:
        listing.data.append(name)
