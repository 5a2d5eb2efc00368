"""Names that become names of files, columns of YAML or addresses: what they may be."""

import re
from pathlib import Path

from schemas.errors import UserError, short_repr

LONGEST = 96
RESERVED = ("all", "refused")
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")


def split_names(splits: list[str]) -> dict[str, str]:
    """Return the name that each split has in an export: letters, digits and ``_``, as ``datasets`` wants them.

    Raises:
        UserError: Two splits would have one name.
    """
    found: dict[str, str] = {}
    for split in splits:
        name = re.sub(r"\W+", "_", split, flags=re.ASCII)[:LONGEST].strip("_") or "split"
        found[split] = f"{name}_rows" if name in RESERVED else name
    for split, name in found.items():
        twin = next((one for one in found if one != split and found[one] == name), None)
        if twin is not None:
            raise UserError(
                f"the splits {short_repr(split)} and {short_repr(twin)} would both be {name!r} in an export; "
                f"rename one in the recipe"
            )
    return found


def check_folder(folder: Path, store: Path) -> None:
    """Raise ``UserError`` where a folder's name has control characters, or it would be in a store or hold one."""
    if not str(folder).isprintable() or folder.name in ("", ".."):
        raise UserError(f"{short_repr(str(folder))}: expected the name of a folder, without control characters")
    try:
        whole = folder.resolve()
    except (RuntimeError, OSError):  # RuntimeError: links that lead in a circle
        raise UserError(f"{folder}: leads nowhere: its links go in a circle, or cannot be read") from None
    if whole.is_relative_to(store) or store.is_relative_to(whole):
        raise UserError(f"{folder}: is in the store {store}, or holds it; name a folder elsewhere")


def check_repository(name: str) -> None:
    """Raise ``UserError`` unless a name is ``owner/name``, as the hub has them."""
    owner, slash, rest = name.partition("/")
    good = slash and all(_OWNER.fullmatch(part) and ".." not in part and "--" not in part for part in (owner, rest))
    if not good:
        raise UserError(f"--push {short_repr(name)}: expected owner/name: letters, digits and single - _ .")
