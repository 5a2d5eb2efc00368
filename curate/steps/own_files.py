"""Which files belong to code of the user's own, found without running it, and one hash of their content.

A module belongs with all that it can import from the current folder: the other files of its package, what these import,
and so on; a module at the top of the current folder belongs with all others there. What code loads in another way (by a
path, from a text) is its own doing, which whoever allows it should have read.
"""

import ast
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from schemas.errors import UserError

MOST = 5_000  # files
SUFFIXES = (".py", ".pyc", ".so", ".pyd")  # what Python can import
SKIPPED = ("__pycache__", "node_modules")
# They are never imported from the current folder: a user's file can't hide them.
ELSEWHERE = {*sys.stdlib_module_names, "schemas", "curate", "train", "cli"}


def module_files(file: Path) -> list[Path]:
    """Return a module's file and all that it can import from the current folder, sorted.

    Raises:
        UserError: They are more than ``MOST``.
    """
    root, file = Path.cwd().resolve(), file.resolve()
    found: set[Path] = set()
    pending = [file]
    if file.parent == root:
        pending += [one for one in root.iterdir() if one.suffix in SUFFIXES and one.is_file()]
    elif file.is_relative_to(root):
        pending += folder_files(root / file.relative_to(root).parts[0], SUFFIXES)
    else:
        pending += [one for one in file.parent.iterdir() if one.suffix in SUFFIXES and one.is_file()]
    while pending:
        one = pending.pop()
        if one in found:
            continue
        found.add(one)
        _bound(len(found), file)
        for name in _imported(one) if one.suffix == ".py" else ():
            pending += _files_of(root, name)
    return sorted(found)


def folder_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files in a folder and below it whose names end so, sorted; hidden folders and caches are left out.

    Raises:
        UserError: They are more than ``MOST``.
    """
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if not one.startswith(".") and one not in SKIPPED]
        found += [path for name in names if (path := Path(place, name)).suffix in suffixes and path.is_file()]
        _bound(len(found), folder)
    return sorted(found)


def content_digest(files: list[Path], base: Path, *more: str) -> str:
    """Return a SHA-256 of files' paths relative to a folder and their content, and of further texts.

    Raises:
        UserError: A file can't be read.
    """
    digest = hashlib.sha256(repr(more).encode())
    for file in files:
        try:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{file}: can't be read: {error.strerror}; it is code that would run") from None
        digest.update(repr((os.path.relpath(file, base), content)).encode())
    return digest.hexdigest()


def drop_compiled(files: list[Path]) -> None:
    """Remove what Python's cache has of these files: it would be run in place of the file that was hashed.

    Raises:
        UserError: It can't be removed.
    """
    for file in files:
        for compiled in (file.parent / "__pycache__").glob(f"{_plain(file.stem)}.*.pyc"):
            try:
                compiled.unlink(missing_ok=True)
            except OSError as error:
                raise UserError(
                    f"{compiled}: can't be removed: {error.strerror}; it would run in place of {file.name}"
                ) from None


def _plain(name: str) -> str:
    """Return a name as a pattern that only it fits."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _bound(count: int, what: Path) -> None:
    if count > MOST:
        raise UserError(f"{what}: over {MOST:,} files of code belong with it; put your code into a folder of its own")


def _imported(file: Path) -> Iterator[str]:
    """Yield the first names of the modules that a file imports; none where it can't be parsed, and so not run."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):  # from . import x: of the folder above the package, too
            names = [node.module] if node.module and not node.level else [alias.name for alias in node.names]
            names += [node.module] if node.module else []
        yield from {name.split(".")[0] for name in names} - ELSEWHERE


def _files_of(root: Path, name: str) -> list[Path]:
    """Return the files of a module or a package that is in a folder."""
    beside = [one for one in root.glob(f"{_plain(name)}.*") if one.suffix in SUFFIXES and one.is_file()]
    return beside + (folder_files(root / name, SUFFIXES) if (root / name).is_dir() else [])
