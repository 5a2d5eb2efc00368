"""Names that become names of files, columns of YAML or addresses: what they may be."""

import re
import unicodedata
from pathlib import Path

from curate.export.written import read_record
from schemas.errors import UserError, short_repr

LONGEST = 96  # bytes of a split's name; a file's name may have 255, and more is added to it
RESERVED = ("all", "refused")
# No file of Windows has such a name.
DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]", re.IGNORECASE)
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")


def split_names(splits: list[str]) -> dict[str, str]:
    """Return the name that each split has in an export: letters of any script, digits and ``_``, as ``datasets`` wants.

    No two are the same, also where a disk knows no case: the second ``a_b`` is ``a_b_2``.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for split in sorted(splits, key=lambda one: one != _plain_name(one)):  # a name that needs no change keeps it
        name = free = _plain_name(split)
        number = 1
        while unicodedata.normalize("NFKC", free).casefold() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(unicodedata.normalize("NFKC", free).casefold())
        found[split] = free
    return {split: found[split] for split in splits}


def _plain_name(split: str) -> str:
    """Return a split's name as a name of a file that every system has."""
    name = re.sub(r"\W+", "_", unicodedata.normalize("NFC", split))
    name = name.encode(errors="ignore")[:LONGEST].decode(errors="ignore").strip("_") or "split"
    return f"{name}_rows" if name in RESERVED or DEVICES.fullmatch(name) else name


def check_folder(folder: Path, store: Path | None) -> None:
    """Raise ``UserError`` where a folder cannot be the target of an export.

    Its name has control characters, it would be in a store or hold one, or be in another export, or it is a link to
    nothing.
    """
    if not str(folder).isprintable() or folder.absolute().name in ("", ".."):
        raise UserError(f"{short_repr(str(folder))}: expected the name of a folder, without control characters")
    try:
        whole = folder.resolve()
    except (RuntimeError, OSError):  # RuntimeError: links that lead in a circle
        raise UserError(f"{folder}: leads nowhere: its links go in a circle, or cannot be read") from None
    if folder.is_symlink() and not folder.exists():
        there = short_repr(str(folder.readlink()))
        raise UserError(f"{folder}: is a link to {there}, which is not there; remove it, or name a folder")
    around = next((one for one in whole.parents if read_record(one) is not None), None)
    if around is not None:
        raise UserError(f"{folder}: is in {around}, which is an export already; name a folder elsewhere")
    if store is not None and (whole.is_relative_to(store) or store.is_relative_to(whole)):
        raise UserError(f"{folder}: is in the store {store}, or holds it; name a folder elsewhere")


def check_repository(name: str, option: str = "--push") -> None:
    """Raise ``UserError`` unless a name is ``owner/name``, as the hub has them."""
    owner, slash, rest = name.partition("/")
    good = slash and all(_OWNER.fullmatch(part) and ".." not in part and "--" not in part for part in (owner, rest))
    if not good:
        raise UserError(f"{option} {short_repr(name)}: expected owner/name: letters, digits and single - _ .")
