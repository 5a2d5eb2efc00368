"""The file ``store.json``, by which a folder is known as a store, and which says the store's format."""

import json
import re
from pathlib import Path

from curate.storage.files import sync_all, write_whole
from schemas.errors import UserError
from schemas.version import STORE_FORMAT, VERSION

MARKER = "store.json"
ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}")  # a path has one slash left of two
FOLDERS = ("stages", "runs", "replies", "embeddings", "work")


def is_store(path: Path) -> bool:
    """Return whether a folder is a store, of whatever version."""
    return (path / MARKER).exists()


def store_path(path: Path | str) -> Path:
    """Return the whole path of a store.

    Raises:
        UserError: It is named by an address such as ``s3://bucket/store``, also one that was made a path.
    """
    found = ADDRESS.match(str(path))
    if found is None:
        return Path(path).resolve()
    scheme = found[1]
    if scheme.lower() == "file":
        raise UserError(f"{path}: expected a folder's path as the store; leave out file://")
    raise UserError(
        f"{scheme}://{str(path)[found.end() :]}: expected a folder on a disk as the store: renaming is what keeps it "
        f"whole, and {scheme}:// has no renames; run on a disk, then 'gristmill export DATASET DIR --push owner/name', "
        "or copy the finished store there"
    )


def write_marker(path: Path) -> None:
    """Make the folder of a store, or make one a store again."""
    path.mkdir(parents=True, exist_ok=True)
    write_whole(path / MARKER, json.dumps({"format": STORE_FORMAT, "made_by": f"gristmill {VERSION}"}))


def marker_format(path: Path) -> tuple[int, str] | None:
    """Return the format of the store in a folder, and what made it; None if the marker is damaged."""
    try:
        if not (path / MARKER).is_file():  # reading a pipe may never end
            return None
        found = json.loads((path / MARKER).read_text(encoding="utf-8"))
        return int(found["format"]), str(found.get("made_by", "?"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def check_format(path: Path) -> None:
    """Raise ``UserError`` if a newer version made the store in a folder, or its marker is damaged."""
    found = marker_format(path)
    if found is None:
        raise UserError(
            f'{path / MARKER}: is damaged; expected {{"format": {STORE_FORMAT}, ...}}; '
            f"'gristmill doctor --repair' writes it anew"
        )
    version, maker = found
    if version > STORE_FORMAT:
        raise UserError(
            f"{path}: this store has format {version}, made by {maker}; gristmill {VERSION} reads "
            f"format {STORE_FORMAT}: upgrade gristmill, or name another store with --store"
        )


def begin_store(path: Path, named: Path | str) -> None:
    """Make an empty store.

    Args:
        path: Its folder.
        named: What the user calls it.

    Raises:
        UserError: Something else is in the folder, or it cannot be written.
    """
    _refuse_foreign_folder(path)
    try:
        write_marker(path)
    except OSError as error:
        raise UserError(f"{named}: no store can be made here: {error.strerror}") from None


def _refuse_foreign_folder(path: Path) -> None:
    """Raise ``UserError`` if something else than a store is in a folder."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file; --store takes a folder")
    if path.is_dir() and any(not p.name.startswith(f".{MARKER}") for p in path.iterdir()) and not is_store(path):
        raise UserError(f"{path}: is not a gristmill store, and not empty; name another folder with --store")


def check_folders(path: Path, *, make: bool, durable: bool) -> None:
    """Make the folders of a store that are not there; where none is to be made, look for the one that all need.

    Raises:
        UserError: None is to be made, and that one is missing.
    """
    missing = [name for name in FOLDERS if not (path / name).is_dir()]
    if not make:
        if "stages" in missing:
            raise UserError(f"{path}: the store has no folder 'stages': nothing is in it")
        return
    for name in missing:  # after the marker, and again where a kill came between: the folder is known as a store
        (path / name).mkdir(exist_ok=True)
    if missing and durable:
        sync_all([path, path.parent])
