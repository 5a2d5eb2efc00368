"""Reads a class, its bases and its parameters from source files, so that nothing is imported.

Only files of ``trl`` and ``transformers`` and files below the current folder are read; a base class from anywhere else
is not followed.
"""

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

LIBRARIES = ("trl", "transformers")


class SourceClass(NamedTuple):
    """A class as it stands in a file."""

    file: Path
    node: ast.ClassDef

    @property
    def name(self) -> str:
        """The class's name."""
        return self.node.name


class Parameter(NamedTuple):
    """A parameter of a class's ``__init__``: its annotation as written, and whether it has a default."""

    annotation: str
    optional: bool


def library_root(top: str) -> Path | None:
    """Return the folder of one of ``LIBRARIES``, without importing it; None where it is not installed."""
    spec = importlib.util.find_spec(top)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def module_file(dotted: str) -> Path | None:
    """Return the file of a module of ``LIBRARIES``, or of one below the current folder; None for any other."""
    top, *parts = dotted.split(".")
    root = library_root(top) if top in LIBRARIES else Path.cwd().resolve() / top
    if root is None or not all(part.isidentifier() for part in (top, *parts)):
        return None
    path = root.joinpath(*parts)
    files = (path.parent / f"{path.name}.py", path / "__init__.py")
    inside = root if top in LIBRARIES else root.parent
    return next((f.resolve() for f in files if f.is_file() and f.resolve().is_relative_to(inside.resolve())), None)


def classes_in(file: Path) -> list[str]:
    """Return the names of the public classes that a module offers: its own, or those that a package imports."""
    tree = _parse(file)
    own = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    imported = [*_imports(file)] if file.name == "__init__.py" else []
    return sorted({name for name in (*own, *imported) if not name.startswith("_")})


def find_class(file: Path, name: str) -> SourceClass | None:
    """Return the class that a name stands for in a module, followed through imports; None where it is not found."""
    seen: set[tuple[Path, str]] = set()
    while (file, name) not in seen:
        seen.add((file, name))
        for node in _parse(file).body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return SourceClass(file, node)
        target = _imports(file).get(name)
        if target is None:
            return None
        file, name = target
    return None


def lineage(one: SourceClass) -> list[SourceClass]:
    """Return a class and all that it inherits from, itself first, as far as their files are read."""
    found, pending = [], [one]
    while pending:
        current = pending.pop(0)
        if current.name in [c.name for c in found if c.file == current.file]:
            continue
        found.append(current)
        for base in current.node.bases:
            parent = base_class(current.file, base)
            pending += [parent] if parent is not None else []
    return found


def init_parameters(one: SourceClass) -> dict[str, Parameter]:
    """Return the parameters of a class's ``__init__``; those of its bases too where it passes keywords on."""
    found: dict[str, Parameter] = {}
    for current in lineage(one):
        init = next((n for n in current.node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init is None:
            continue
        arguments = init.args
        positional = arguments.posonlyargs + arguments.args
        without = len(positional) - len(arguments.defaults)
        has_default = [i >= without for i in range(len(positional))] + [d is not None for d in arguments.kw_defaults]
        for argument, optional in zip(positional + arguments.kwonlyargs, has_default, strict=True):
            annotation = ast.unparse(argument.annotation) if argument.annotation else ""
            found.setdefault(argument.arg, Parameter(annotation.strip("'\""), optional))
        if arguments.kwarg is None:
            break
    found.pop("self", None)
    return found


def base_class(file: Path, base: ast.expr) -> SourceClass | None:
    """Return a base class that is written as ``Name`` or ``module.Name``."""
    if isinstance(base, ast.Name):
        return find_class(file, base.id)
    parts = ast.unparse(base).split(".")
    module = module_file(".".join(parts[:-1])) if len(parts) > 1 and all(p.isidentifier() for p in parts) else None
    return None if module is None else find_class(module, parts[-1])


@cache
def _parse_at(file: Path, changed: int) -> ast.Module:
    return ast.parse(file.read_bytes(), str(file))


def _parse(file: Path) -> ast.Module:
    return _parse_at(file, file.stat().st_mtime_ns)


def _imports(file: Path) -> dict[str, tuple[Path, str]]:
    """Return the names that a module imports from modules that are read here, each with its module and name there."""
    return _imports_at(file, file.stat().st_mtime_ns, Path.cwd())


@cache
def _imports_at(file: Path, changed: int, folder: Path) -> dict[str, tuple[Path, str]]:
    found = {}
    for node in ast.walk(_parse(file)):
        module = _imported_file(file, node) if isinstance(node, ast.ImportFrom) else None
        if isinstance(node, ast.ImportFrom) and module is not None:
            found |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
    return found


def _imported_file(file: Path, node: ast.ImportFrom) -> Path | None:
    """Return the file of the module that ``from ... import`` names."""
    if not node.level:
        return module_file(node.module or "")
    folder = file.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    path = folder.joinpath(*(node.module or "").split(".")) if node.module else folder
    return next((f for f in _files(path) if f.is_file()), None)


def _files(path: Path) -> Iterator[Path]:
    yield path.parent / f"{path.name}.py"
    yield path / "__init__.py"
