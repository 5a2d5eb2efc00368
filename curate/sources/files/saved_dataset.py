"""The files of a folder that ``datasets.save_to_disk`` wrote: Arrow files, by split where it is a ``DatasetDict``."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from curate.sources.files.folders import Listing
from schemas.errors import UserError

STATE, DICT = "state.json", "dataset_dict.json"


def saved_files(folder: Path, listing: Listing) -> dict[str, list[str]]:
    """Return the files of a saved data set by split, or nothing where the folder is none.

    Raises:
        UserError: A file that the data set's state names is missing, or the rows are chosen by an index.
    """
    if DICT in listing.beside:
        splits = [str(name) for name in _read(folder / DICT).get("splits") or []]
        if not splits:
            raise UserError(f"{folder / DICT}: names no splits; expected those that save_to_disk wrote")
        return {split: _of_state(folder, split, listing) for split in splits}
    if STATE in listing.beside and "_data_files" in (state := _read(folder / STATE)):
        split = str(state.get("_split") or "")
        return {split if split.isidentifier() else "": _of_state(folder, "", listing)}
    return {}


def _of_state(folder: Path, split: str, listing: Listing) -> list[str]:
    """Return the files that the state of one split names."""
    path = folder / split / STATE
    state = _read(path)
    if state.get("_indices_data_files"):
        raise UserError(f"{path}: the rows are chosen by an index; save the data set anew with a current 'datasets'")
    files = [file.get("filename") for file in state.get("_data_files") or [] if isinstance(file, dict)]
    names = [str(PurePosixPath(split) / file) for file in files if isinstance(file, str)]
    gone = [name for name in names if name not in listing.data]
    if gone:
        raise UserError(f"{path}: names {gone[0]!r}, which is missing or empty; save or copy the data set again")
    return names


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a mapping, as save_to_disk writes it")
    return value
