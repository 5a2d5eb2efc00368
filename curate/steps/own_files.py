"""Which files belong to code of the user's own, found without running it, and one hash of their content.

A module belongs with all that it can import from the current folder: the other files of its package, what these import,
and so on; a module at the top of the current folder belongs with all others there. What code loads in another way (by a
path, from a text) is its own doing, which whoever allows it should have read.
"""

import ast
import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from schemas.errors import UserError

MOST = 5_000  # files
SUFFIXES = (".py", ".pyc", ".so", ".pyd")  # what Python can import
CACHE = "__pycache__"  # what Python compiled is in it; other files in it can be imported as from any folder
OURS = ("schemas", "curate", "train", "cli")


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
    """Return the files in a folder and below it whose names end so, sorted; links are followed, hidden folders are not.

    What Python's cache has of a file (``h.cpython-311.pyc``) is left out: ``drop_compiled`` removes it.

    Raises:
        UserError: They are more than ``MOST``.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(place) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(os.path.realpath(place))
        folders[:] = [one for one in folders if not one.startswith(".")]
        cached = Path(place).name == CACHE
        here = [Path(place, name) for name in names if not (cached and "." in Path(name).stem)]
        found += [path for path in here if path.suffix in suffixes and path.is_file()]
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
        relative = isinstance(node, ast.ImportFrom) and node.level > 0
        firsts = {name.split(".")[0] for name in names}
        yield from (name for name in firsts if relative or not _is_elsewhere(name))


@cache
def _is_elsewhere(name: str) -> bool:
    """Return whether a module is never imported from the current folder: it is Python's, as it is here, or ours."""
    folders = [*{sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}]
    places = [*folders, *(f"{folder}/lib-dynload" for folder in folders)]
    return name in OURS or name in sys.builtin_module_names or PathFinder.find_spec(name, places) is not None


def _files_of(root: Path, name: str) -> list[Path]:
    """Return the files of a module or a package that is in a folder."""
    beside = [one for one in root.glob(f"{_plain(name)}.*") if one.suffix in SUFFIXES and one.is_file()]
    return beside + (folder_files(root / name, SUFFIXES) if (root / name).is_dir() else [])
