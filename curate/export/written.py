"""The record of an export in its folder, ``.gristmill.json``: by it a folder is known as one that gristmill wrote."""

import hashlib
import json
from pathlib import Path
from typing import Any

from curate.export.new_folder import check_new
from schemas.errors import UserError, short_repr

NAME = ".gristmill.json"
CARD = "README.md"
LARGEST = 2**26  # bytes of a record that are read


def checksums(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the bytes and the SHA-256 of every file below a folder, by its name."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): _checksum(file) for file in files}


def _checksum(file: Path) -> dict[str, Any]:
    with file.open("rb") as content:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def write_record(folder: Path, what: dict[str, Any]) -> None:
    """Write the record of an export that is otherwise complete."""
    text = json.dumps({"gristmill_export": 1, **what, "files": checksums(folder)}, indent=1, ensure_ascii=False)
    (folder / NAME).write_text(text, encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of a folder; None where there is none of ours."""
    path = folder / NAME
    try:
        if path.is_symlink() or not path.is_file():  # a link may lead to what never ends
            return None
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        value = json.loads(text) if len(text) <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get("gristmill_export") == 1 else None


def check_replaceable(folder: Path, *, force: bool) -> bool:
    """Return whether a folder is there and may be replaced.

    Args:
        folder: The folder.
        force: Whether it was said that an earlier export may be replaced.

    Raises:
        UserError: It holds what gristmill did not write, or an export and ``force`` is not given.
    """
    record = read_record(folder)
    if record is None:
        try:
            check_new(folder)
        except UserError:
            if force and folder.is_dir():
                raise UserError(f"{folder} is there and no export of gristmill's; name a new folder") from None
            raise
        return False
    check_only_ours(folder, record)
    if not force:
        what = short_repr(record.get("dataset") or record.get("model"))
        raise UserError(f"{folder} is an export of {what} already; --force replaces it")
    return True


def check_only_ours(folder: Path, record: dict[str, Any]) -> None:
    """Raise ``UserError`` where an export's folder holds a file or a link that gristmill did not write.

    Args:
        folder: The folder.
        record: Its record.
    """
    ours = {NAME, *_recorded(record)}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink() or (not file.is_dir() and name not in ours):
            raise UserError(f"{folder} holds a file that gristmill did not write ({name!r}); name a new folder")


def as_written(folder: Path, record: dict[str, Any], *, force: bool) -> bool:
    """Return whether an earlier export can be taken as it is: its card may be another's work, its other files may not.

    Raises:
        UserError: It holds what gristmill did not write, or a changed file, and ``force`` is not given.
    """
    check_only_ours(folder, record)
    changed = changed_file(folder, record, free=(CARD,))
    if changed is not None and not force:
        raise UserError(f"{folder}: {changed!r} is not as gristmill wrote it; --force writes the export anew")
    return changed is None


def changed_file(folder: Path, record: dict[str, Any], free: tuple[str, ...]) -> str | None:
    """Return the name of a file that is not as the record has it; None where there is none.

    Args:
        folder: The folder.
        record: Its record.
        free: The names of files that people may change.
    """
    recorded, found = _recorded(record), checksums(folder)
    names = sorted({*recorded, *found} - {NAME, *free})
    return next((name for name in names if found.get(name) != recorded.get(name)), None)


def _recorded(record: dict[str, Any]) -> dict[str, Any]:
    files = record.get("files")
    return files if isinstance(files, dict) else {}
