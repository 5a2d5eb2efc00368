"""The files of a folder that can be read, where one of them cannot: the recipe names the others, each by itself."""

from pathlib import Path
from typing import Any

from curate.sources.files.folders import list_folder
from curate.sources.files.raw_row import Reading
from curate.sources.files.source_files import choose_files
from curate.sources.read_source import read_source
from schemas.errors import UserError

MOST_FILES = 50  # a recipe that names more is none that a person reads


def readable_files(folder: Path, fields: dict[str, Any] | None, limit: int) -> tuple[list[Path], list[str]]:
    """Return the data files of a folder whose rows can be read, and a line on each of the others.

    Args:
        folder: The folder.
        fields: As in ``read_source``.
        limit: The most rows of a file that are looked at.

    Raises:
        UserError: The folder cannot be read, or its files are of several splits among which there is no usual one.
    """
    listing = list_folder(folder)
    names = choose_files({}, [*listing.data, *listing.broken], Reading(), str(folder))
    if not 1 < len(names) <= MOST_FILES:
        return [], []
    good, wrong = [], []
    for name in names:
        try:
            read_source(folder / name, fields=fields, on_error="drop", limit=limit)
        except UserError as error:
            wrong.append(str(error))
        else:
            good.append(folder / name)
    return good, wrong


def linked(folder: Path, files: list[Path], into: Path) -> Path:
    """Return a new folder in ``into`` that holds links to files under the names that they have below another."""
    made = into / (folder.resolve().name or "data")
    for file in files:
        link = made / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.absolute())
    return made
