"""A hash of the code that a result depends on: some functions, and all our definitions that they refer to.

A stage is made anew when this hash changes: when a definition reachable from the functions changes, a function, class
or constant that the code names, in any of our modules (but for ``SHOWN``), and what those name in turn.
Docstrings, comments, formatting, the order and place of definitions, and libraries' code are not part of it.
Annotations are, since some code reads them, but what they name is not followed. Nor is an object that is handed over as
an argument (a store, a progress display), unless the code names its class.
"""

import ast
import gc
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from curate.steps.current_folder import current_folder

ROOT = Path(__file__).resolve().parents[2]
PACKAGES, SHOWN = ("schemas", "curate", "train"), "train.reports"  # the command line and reports change no row
FUNCTIONS, BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef), (ast.If, ast.For, ast.While, ast.With, ast.Try)
IMPORTS, ANNOTATIONS = (ast.Import, ast.ImportFrom), ("annotation", "returns")
SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
IGNORED = ("type_comment", "type_params", "kind", "ctx")  # fields that change nothing
EFFECTS = ""  # the name under which a module's statements that bind nothing are found: importing it runs them


class Definition(NamedTuple):
    """A definition at the top level of a module: the module's file, and the name it binds there."""

    file: Path
    name: str


class _Module(NamedTuple):
    """A parsed module: the code of each name that it binds, and the dotted name each imported name stands for."""

    bound: dict[str, "_Reader"]
    imports: dict[str, str]


Code = Callable[..., Any] | Definition


def code_hash(*code: Code) -> str:
    """Hash the code that functions depend on.

    Args:
        code: Functions or classes (a ``partial`` stands for the function in it), or definitions.

    Returns:
        20 hex digits of the SHA-256 of the definitions' code.
    """
    collecting = gc.isenabled()
    gc.disable()  # looking through syntax trees would take a third of the time
    try:
        digests = [_code(one).digest for one in reachable(*code) if one.name in _parse(one.file).bound]
    finally:
        if collecting:
            gc.enable()
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:20]


def reachable(*code: Code) -> set[Definition]:
    """Return every definition that functions depend on, their own included."""
    found: set[Definition] = set()
    pending = [_definition(one) for one in code]
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending += _references(one)
    return found


def _definition(code: Code) -> Definition:
    if isinstance(code, Definition):
        return code
    while isinstance(code, partial):
        code = code.func
    function: Any = getattr(code, "py_func", code)  # of a compiled loop; not every callable has a name, these do
    file = getattr(sys.modules.get(function.__module__), "__file__", None)
    file = file or function.__code__.co_filename  # a user's file is in no sys.modules
    return Definition(Path(file).resolve(), function.__qualname__.split(".")[0])


@cache
def _parse(file: Path) -> _Module:
    module = _Module({}, {})
    for node in ast.parse(file.read_bytes()).body:
        imports = [one for one in ast.walk(node) if isinstance(one, IMPORTS)] if not _defines(node) else []
        for one in imports:
            module.imports.update(_imported(one))
        if isinstance(node, IMPORTS) or _is_text(node):
            continue
        names = dict.fromkeys(_binds(node))
        if not names or isinstance(node, BLOCKS):  # a block may do more than bind names
            names[EFFECTS] = None
        for name in names:
            module.bound.setdefault(name, _Reader()).read(node)
    return module


def _defines(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    return isinstance(node, (*FUNCTIONS, ast.ClassDef))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _binds(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a top-level statement binds in its module."""
    if _defines(node):
        yield node.name
        return
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif _defines(inner):
            yield inner.name


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, each with the dotted name it stands for; a star binds ``*MODULE``."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            if alias.name == "*":
                yield f"*{node.module}", f"{node.module}"
            else:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        elif alias.asname or "." not in alias.name:
            yield alias.asname or alias.name, alias.name
        else:  # the name stands for the folder, and all of the module in it may be used
            yield alias.name.split(".")[0], alias.name


class _Code(NamedTuple):
    """A definition's code: a digest of it, and the names of its module that it uses.

    ``names`` has the attributes that are used of each name, or none where the name is used by itself.
    """

    digest: str
    names: dict[str, frozenset[str]]
    imports: dict[str, str]


@cache
def _code(one: Definition) -> _Code:
    module = _parse(one.file)
    reader = module.bound.get(one.name) or _Reader()
    used = reader.used | {name for name in (*module.imports, *reader.imports) if name.startswith("*")}
    names = {name: reader.attributes_of(name) for name in used}
    parts = [reader.digest.hexdigest()]
    for name in sorted(used):
        dotted = reader.imports.get(name) or module.imports.get(name)
        ours = bool(dotted) and bool(_resolve(dotted, frozenset()))
        if dotted and not (ours and dotted.endswith(f".{name}")):  # our definitions are followed, wherever they stand
            parts.append(f"{name} = {dotted.rpartition('.')[2] if ours else dotted}")
    return _Code(hashlib.sha256("\0".join(parts).encode()).hexdigest(), names, reader.imports)


class _Reader:
    """Reads code in one pass: a digest of it but for docstrings, and the names it takes from outside."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.parts: list[str] = []
        self.used: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.loads: Counter[str] = Counter()
        self.imports: dict[str, str] = {}

    def attributes_of(self, name: str) -> frozenset[str]:
        """Return the attributes that are used of a name, or none if the name is also used by itself."""
        attributes = self.attributes.get(name, [])
        return frozenset(attributes if self.loads[name] == len(attributes) else ())

    def read(self, node: ast.stmt) -> None:
        """Read a statement; the syntax tree is not kept."""
        self._read(node, set(), self.used)
        self.digest.update("\0".join(self.parts).encode("utf-8", "surrogatepass"))
        self.parts.clear()

    def _read(self, node: Any, bound: set[str], used: set[str]) -> None:
        """Read a field of a node, adding the names it binds in its scope to ``bound`` and the others to ``used``."""
        if isinstance(node, list):
            self.parts.append("[")
            for one in node[1:] if node and _is_text(node[0]) else node:
                self._read(one, bound, used)
            self.parts.append("]")
        elif isinstance(node, SCOPES):
            self._scope(node, bound, used)
        elif isinstance(node, ast.AST):
            self.parts.append(f"{type(node).__name__}(")
            self._note_names(node, bound, used)
            for name in node._fields:
                if name in ANNOTATIONS:
                    self._annotation(getattr(node, name))
                elif name not in IGNORED:
                    self._read(getattr(node, name), bound, used)
            self.parts.append(")")
        else:
            self.parts.append(repr(node))

    def _annotation(self, node: ast.expr | None) -> None:
        if node is not None:
            self.parts.append(ast.unparse(node))

    def _note_names(self, node: ast.AST, bound: set[str], used: set[str]) -> None:
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            self.loads[node.id] += isinstance(node.ctx, ast.Load)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, IMPORTS):
            self.imports.update(_imported(node))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            self.attributes.setdefault(node.value.id, []).append(node.attr)

    def _scope(self, node: Any, bound: set[str], used: set[str]) -> None:
        """Read a function, a class or a comprehension: the names it binds inside are no names of the module."""
        self.parts += [f"{type(node).__name__}(", getattr(node, "name", "")]
        bound.add(getattr(node, "name", ""))
        inner_bound: set[str] = set()
        inner_used: set[str] = set()
        for name in node._fields:
            if name in ("decorator_list", "bases", "keywords"):
                self._read(getattr(node, name), bound, used)
            elif name == "args":  # the defaults belong to the scope around
                self._read(node.args.defaults + node.args.kw_defaults, bound, used)
                self._read(node.args, inner_bound, inner_used)
            elif name in ANNOTATIONS:
                self._annotation(getattr(node, name))
            elif name not in ("name", *IGNORED):
                self._read(getattr(node, name), inner_bound, inner_used)
        self.parts.append(")")
        if isinstance(node, ast.ClassDef):  # its methods do not see the names it binds
            inner_bound = set()
        used |= inner_used - inner_bound


@cache
def _references(one: Definition) -> list[Definition]:
    """Return those of our definitions that a definition's code names, and the statements that importing it runs."""
    code, module = _code(one), _parse(one.file)
    found = [Definition(one.file, EFFECTS)] if EFFECTS in module.bound else []
    for name, attributes in code.names.items():
        if name in code.imports:
            found += _resolve(code.imports[name], attributes)
        elif name in module.bound:
            found.append(Definition(one.file, name))
        elif name in module.imports:
            found += _resolve(module.imports[name], attributes)
    return found


@cache
def _resolve(dotted: str, attributes: frozenset[str]) -> tuple[Definition, ...]:
    """Return our definitions that a dotted name stands for: one, or of a module the ``attributes`` that are used."""
    file = _file(dotted)
    if file:
        bound = _parse(file).bound
        known = attributes and all(name in bound or name in _parse(file).imports for name in attributes)
        return tuple(one for name in sorted(attributes if known else bound) for one in _find(file, name))
    parent, _, name = dotted.rpartition(".")
    file = _file(parent) if parent else None
    return _find(file, name) if file else ()


def _find(file: Path, name: str) -> tuple[Definition, ...]:
    """Return where a module's name is defined: there, or in the module it is imported from."""
    module = _parse(file)
    if name not in module.bound and name in module.imports:
        return _resolve(module.imports[name], frozenset())
    return (Definition(file, name),)


@cache
def _file(dotted: str) -> Path | None:
    """Return the file of a module of ours, or of the user's own; None for a library's and for what is no module."""
    top = dotted.partition(".")[0]
    folder = ROOT if top in PACKAGES else current_folder()
    if f"{dotted}.".startswith(f"{SHOWN}.") or (top not in PACKAGES and not _is_users(top)):
        return None
    path = folder.joinpath(*dotted.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _is_users(top: str) -> bool:
    """Whether a top-level name is a module or a folder of the current folder, and not hidden by a library's."""
    loaded, here = sys.modules.get(top), current_folder()
    places = [getattr(loaded, "__file__", None) or "", *getattr(loaded, "__path__", ())]
    if loaded is not None:
        return any(place.startswith(f"{here}/") for place in places)
    return top not in sys.stdlib_module_names and any((here / name).exists() for name in (top, f"{top}.py"))
