"""Imports a trainer's module: one of a library by its name, and a user's file as a part of a package of its own."""

import importlib
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from curate.steps.own_code import require_module
from schemas.errors import UserError
from train.finding.class_source import LIBRARIES, library_root


def import_modules(*files: Path) -> list[ModuleType]:
    """Import modules of ``LIBRARIES`` by their names, and users' files below the current folder.

    A user's file is ``PACKAGE.own.loud``, where the package stands for the current folder and has a name of its own: so
    it can import its neighbours (``from .two import X``) and never stands for one of our modules. ``sys.modules`` lists
    it, as dataclasses and ``pickle`` need it for the classes in it. The files are read anew, as they may have changed.

    Raises:
        UserError: The code of a user's file fails; the message names the line. Or it may not run
            (``curate.steps.own_code``).
    """
    for file in files:
        if of_library(file) is None:
            require_module(file)
    folder = Path.cwd().resolve()
    package = ModuleType("gristmill_user_" + sha256(str(folder).encode()).hexdigest()[:12])
    package.__path__ = [str(folder)]
    for name in [one for one in sys.modules if one.startswith(f"{package.__name__}.")]:
        del sys.modules[name]
    sys.modules[package.__name__] = package
    importlib.invalidate_caches()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last, so that a file may import its neighbours but not hide our packages
    return [_import(file, package.__name__, folder) for file in files]


def of_library(file: Path) -> str | None:
    """Return the dotted name of a file that belongs to one of ``LIBRARIES``; None for any other."""
    for top in LIBRARIES:
        root = library_root(top)
        if root is not None and file.is_relative_to(root.resolve()):
            return _dotted(top, file, root.resolve())
    return None


def _dotted(top: str, file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join((top, *(part for part in parts if part != "__init__")))


def _import(file: Path, package: str, folder: Path) -> ModuleType:
    library = of_library(file)
    if library is not None:
        return importlib.import_module(library)
    try:
        return importlib.import_module(_dotted(package, file, folder))
    except Exception as error:  # of the user's code: the message names its line
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(folder))]
        if isinstance(error, SyntaxError) and error.filename:
            place = f"{error.filename}:{error.lineno}"
        else:
            place = f"{own[-1].filename}:{own[-1].lineno}" if own else f"{file}:1"
        raise UserError(f"{place}: cannot be imported: {type(error).__name__}: {error}") from error
