"""A stage's folder is renamed into place once the disk has it; what is damaged is moved out of the way."""

from itertools import count
from pathlib import Path

from curate.storage.files import sync, sync_tree
from schemas.errors import UserError

ASIDE = "damaged"  # the folder of a store for what was set aside


def put_in_place(folder: Path, target: Path, *, durable: bool) -> None:
    """Rename a finished stage's folder into the store; a damaged stage that it is made in place of is set aside.

    Args:
        folder: The hidden folder that the stage was written into.
        target: The folder of the finished stage, in the store's ``stages``.
        durable: Whether the stage is to be there after a power cut.
    """
    if durable:
        sync_tree(folder)
    if target.exists():
        set_aside(target, target.parent.parent)
    folder.rename(target)
    if durable:
        sync(target.parent)


def set_aside(path: Path, store: Path) -> Path:
    """Move a file or a folder of a store into its folder ``damaged``; return its new path."""
    aside = store / ASIDE
    if aside.is_symlink():
        raise UserError(f"{aside}: is a link, which may lead out of the store; remove it")
    aside.mkdir(exist_ok=True)
    names = (f"{path.name}.{number}" if number else path.name for number in count())
    target = next(aside / name for name in names if not (aside / name).exists())
    path.rename(target)
    return target
