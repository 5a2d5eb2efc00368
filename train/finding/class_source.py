"""Reads a class, its bases and its parameters from source files, so that nothing is imported.

Only files of ``trl`` and ``transformers`` and files below the current folder are read; a base class from anywhere else
is not followed.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import NamedTuple

LIBRARIES = ("trl", "transformers")
LONGEST = 2_000_000  # bytes of a file
MOST_CLASSES = 100  # that a class inherits from


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
    place = _place(dotted)
    return None if place is None else _file_at(place)


def classes_in(file: Path) -> list[str]:
    """Return the names of the public classes that a module offers: its own, or those that a package imports."""
    tree = _parse(file)
    own = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    imported = [*_imports(file)] if file.name == "__init__.py" else []
    return sorted({name for name in (*own, *imported) if not name.startswith("_")})


def find_class(file: Path, name: str) -> SourceClass | None:
    """Return the class that a name stands for in a module, followed through imports; None where it is not found."""
    return _find_class(file, name, set())


def _find_class(file: Path, name: str, seen: set[tuple[Path, str]]) -> SourceClass | None:
    if (file, name) in seen:
        return None
    seen.add((file, name))
    defined = _defined(file).get(name)
    if isinstance(defined, ast.ClassDef):
        return SourceClass(file, defined)
    if defined is not None:  # Base = trl.DPOTrainer
        return _named(file, defined, seen)
    imported = _imports(file)
    for place, there in [imported[name]] if name in imported else [(one, name) for one in imported.all_of]:
        module = _file_at(place) if there else None
        found = _find_class(module, there, seen) if module is not None else None
        if found is not None:
            return found
    return None


def lineage(one: SourceClass) -> list[SourceClass]:
    """Return a class and all that it inherits from, itself first, as far as their files are read.

    Raises:
        ValueError: They are more than ``MOST_CLASSES``.
    """
    found, pending = [], [one]
    while pending:
        current = pending.pop(0)
        if current.name in [c.name for c in found if c.file == current.file]:
            continue
        found.append(current)
        if len(found) > MOST_CLASSES:
            raise ValueError(f"{one.name} inherits from more than {MOST_CLASSES} classes")
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
    """Return a base class that is written as ``Name``, ``module.Name`` or ``package.module.Name``."""
    return _named(file, base, set())


def _named(file: Path, written: ast.expr, seen: set[tuple[Path, str]]) -> SourceClass | None:
    head, *parts = ast.unparse(written).split(".")
    if not all(part.isidentifier() for part in (head, *parts)):
        return None
    if not parts:
        return _find_class(file, head, seen)
    place = _module_place(file, head)
    module = None if place is None else _file_at(place.joinpath(*parts[:-1]))
    return None if module is None else _find_class(module, parts[-1], seen)


def _module_place(file: Path, name: str) -> Path | None:
    """Return the place of the module that a name stands for in a file; a module that is not imported by its own."""
    if name not in _imports(file):
        return _place(name)
    place, there = _imports(file)[name]
    return place / there


@cache
def _parse_at(file: Path, changed: int) -> ast.Module:
    code = file.read_bytes()
    if len(code) > LONGEST:
        raise SyntaxError(f"it has {len(code):,} bytes, and {LONGEST:,} are read at most", (str(file), 1, 1, None))
    try:
        return ast.parse(code, str(file))
    except (MemoryError, RecursionError):  # of the parser, which has a limit of its own
        raise SyntaxError("an expression in it is nested too deep", (str(file), 1, 1, None)) from None


@cache
def _defined_at(file: Path, changed: int) -> dict[str, ast.ClassDef | ast.expr]:
    found: dict[str, ast.ClassDef | ast.expr] = {}
    for node in _parse_at(file, changed).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return found


def _defined(file: Path) -> dict[str, ast.ClassDef | ast.expr]:
    """Return the classes of a module by name, and the expressions that it gives names to."""
    return _defined_at(file, file.stat().st_mtime_ns)


def _parse(file: Path) -> ast.Module:
    return _parse_at(file, file.stat().st_mtime_ns)


class _Imports(dict[str, tuple[Path, str]]):
    """Name in a module -> the place of a module and the name there; "" is the module itself.

    ``all_of`` are the modules of which it imports all names.
    """

    all_of: list[Path]


def _imports(file: Path) -> _Imports:
    """Return the names that a module imports from modules that are read here."""
    return _imports_at(file, file.stat().st_mtime_ns, Path.cwd())


@cache
def _imports_at(file: Path, changed: int, folder: Path) -> _Imports:
    found = _Imports()
    found.all_of = []
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                place = _place(alias.name if alias.asname else alias.name.split(".")[0])
                found |= {alias.asname or alias.name.split(".")[0]: (place, "")} if place is not None else {}
        elif isinstance(node, ast.ImportFrom):
            place = _imported_place(file, node)
            names = {alias.asname or alias.name: alias.name for alias in node.names} if place is not None else {}
            found.all_of += [place] if place is not None and names.pop("*", None) else []
            found |= {own: (place, name) for own, name in names.items() if place is not None}
    return found


def _imported_place(file: Path, node: ast.ImportFrom) -> Path | None:
    """Return the place of the module that ``from ... import`` names."""
    if not node.level:
        return _place(node.module or "")
    folder = file.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    return folder.joinpath(*(node.module or "").split(".")) if node.module else folder


def _place(dotted: str) -> Path | None:
    """Return where a module lies by its name: its file without the ending, or its folder; None where none can."""
    top, *parts = dotted.split(".")
    root = library_root(top) if top in LIBRARIES else Path.cwd().resolve() / top
    if root is None or not all(part.isidentifier() for part in (top, *parts)):
        return None
    return root.joinpath(*parts)


def _file_at(place: Path) -> Path | None:
    """Return the file of a module by its place, if it is one of ``LIBRARIES`` or lies below the current folder."""
    files = [one.resolve() for one in (place.parent / f"{place.name}.py", place / "__init__.py") if one.is_file()]
    roots = [root.resolve() for top in LIBRARIES if (root := library_root(top)) is not None]
    return next((f for f in files if any(f.is_relative_to(root) for root in (Path.cwd().resolve(), *roots))), None)
