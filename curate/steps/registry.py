"""Finding steps by folder and file name, and reading what they say of themselves from their signatures.

``curate/score/length.py`` is ``score: length``; ``my.hedging`` is the user's own, from the current folder: the file
``my/hedging.py`` with a function ``score``, or the function ``hedging`` of ``my.py``. Positional parameters are the
columns a step reads, keyword-only parameters its settings. Nothing is registered anywhere.
"""

import ast
import hashlib
import importlib.util
import inspect
import sys
import traceback
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
from pydantic import ConfigDict, TypeAdapter, ValidationError

from schemas.errors import UserError, unknown

HERE = Path(__file__).parent.parent
# Kind of step (the folder) -> the functions a step of that kind may have. The function's name says what it makes.
FUNCTIONS = {
    "generate": ("ask", "candidates", "prompts", "write"),
    "score": ("score",),
    "dedup": ("dedup",),
    "select": ("select", "pair", "subset"),
}


@dataclass(frozen=True)
class Step:
    """A step found: its function, the columns it reads, its settings with their defaults, and its source's hash."""

    kind: str
    name: str
    makes: str
    function: Callable[..., Any]
    reads: tuple[str, ...]
    defaults: dict[str, Any]
    required: tuple[str, ...]
    source: str
    doc: str

    def settings(self, given: dict[str, Any], where: str, seed: int = 0) -> dict[str, Any]:
        """Check the settings a recipe gives against the signature and return them all, defaults filled in.

        ``seed`` is the recipe's, for a step that takes one and is not given its own.
        Raises ``UserError`` for an unknown or missing setting and for one of the wrong type.
        """
        names = [*self.required, *self.defaults]
        for name in given:
            if name not in names:
                raise unknown(f"setting of {self.kind} {self.name!r} called", name, names, where)
        for name in self.required:
            if name not in given:
                raise UserError(f"{where}: {self.kind} {self.name!r} needs the setting {name!r}")
        kinds = typing.get_type_hints(self.function)
        for name, value in given.items():
            _check_type(value, kinds.get(name, Any), f"{where}: {self.kind} {self.name!r}: {name}")
        if isinstance(given.get("seed"), int) and given["seed"] < 0:
            raise UserError(
                f"{where}: {self.kind} {self.name!r}: seed: expected a number from 0 up, found {given['seed']}"
            )
        seeded = {"seed": seed} if "seed" in self.defaults else {}
        checked = {**self.defaults, **seeded, **given}
        if self.kind in ("dedup", "select") and "." not in self.name:
            self._try(checked, where)
        return checked

    def _try(self, settings: dict[str, Any], where: str) -> None:
        """Call the step on no rows: values that it refuses are found before anything is paid for."""
        kinds = {"score": pl.Float64, "embedding": pl.Array(pl.Float32, 1), "known": pl.Boolean}
        columns = {name: pl.Series(name, [], dtype=kinds.get(name, pl.String)) for name in self.reads}
        try:
            self.call(columns, settings)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None

    def check_reads(self, columns: list[str], where: str) -> None:
        """Raise ``UserError`` unless every column the step reads is among ``columns``."""
        for name in self.reads:
            if name not in columns:
                raise unknown(f"column (which {self.kind} {self.name!r} reads) called", name, columns, where)

    def call(self, columns: dict[str, pl.Series], settings: dict[str, Any]) -> Any:
        """Call the step on its columns. Raises ``UserError`` where a user's own step that chooses rows fails."""
        try:
            return self.function(*(columns[name] for name in self.reads), **settings)
        except UserError:
            raise
        except Exception as error:
            if "." not in self.name or self.kind not in ("dedup", "select"):
                raise
            raise UserError(f"{self.kind} {self.name!r} failed: {type(error).__name__}: {error}") from error

    def decide(
        self, columns: dict[str, pl.Series], settings: dict[str, Any], made: tuple[str, ...]
    ) -> tuple[pl.DataFrame, str]:
        """Call a step that decides of every row and return the columns ``made``; those but the first may be missing.

        A step may return beside its table a line of what there is to say of it; without one that is "". Raises
        ``UserError`` where it returns anything but a row for a row.
        """
        result, rows = self.call(columns, settings), len(next(iter(columns.values()), ()))
        result, said = result if isinstance(result, tuple) else (result, "")
        if not isinstance(result, pl.DataFrame) or made[0] not in result.columns or result.height != rows:
            found = (
                f"{result.height} rows of {', '.join(result.columns)}"
                if isinstance(result, pl.DataFrame)
                else (f"{result!r:.80}")
            )
            raise UserError(
                f"{self.kind} {self.name!r} returned {found}; expected a table of {rows} rows with the "
                f"columns {', '.join(made)}"
            )
        return result.select(name if name in result.columns else pl.lit(None).alias(name) for name in made), said


def sketcher(step: Step, settings: dict[str, Any]) -> tuple[Callable[..., pl.Series], dict[str, Any]]:
    """The function ``sketch(text, *, ...)`` beside a step that reads the column ``sketch``, and its settings."""
    function = step.function.__globals__["sketch"]
    taken = inspect.signature(function).parameters
    return function, {name: value for name, value in settings.items() if name in taken}


def step_names(kind: str) -> list[str]:
    """The built-in steps of a kind, sorted."""
    return sorted(p.stem for p in (HERE / kind).glob("*.py") if not p.stem.startswith("_"))


def find_step(kind: str, name: str, where: str = "") -> Step:
    """Find a step by kind and name. Raises ``UserError`` naming the nearest one."""
    if "." in name:
        return _own(kind, name, where)
    if name not in step_names(kind):
        raise unknown(f"{kind} step", name, step_names(kind), where)
    module = importlib.import_module(f"curate.{kind}.{name}")
    return _read(kind, name, module, _function(kind, name, module, where))


def step_summary(kind: str, name: str) -> str:
    """The first line of a built-in step's docstring, without importing it."""
    doc = ast.get_docstring(ast.parse((HERE / kind / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return doc.splitlines()[0] if doc else ""


def _own(kind: str, name: str, where: str) -> Step:
    """A user's step, from the current folder."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise UserError(f"{where}: {kind} {name!r}: a step of your own is named by a dotted path, such as my.hedging")
    whole, inside = Path(*parts).with_suffix(".py"), Path(*parts[:-1]).with_suffix(".py")
    if whole.exists():
        module = _import_file(whole)
        return _read(kind, name, module, _function(kind, name, module, where))
    if inside.exists():
        module = _import_file(inside)
        function = getattr(module, parts[-1], None)
        if not inspect.isfunction(function):
            known = [n for n, f in vars(module).items() if inspect.isfunction(f) and not n.startswith("_")]
            raise unknown(f"function in {inside}", parts[-1], known, where)
        return _read(kind, name, module, function)
    raise UserError(f"{where}: no {kind} step {name!r}: neither {whole} nor {inside} exists in {Path.cwd()}")


def _import_file(path: Path) -> ModuleType:
    """Import a user's file under a name of its own, so that it can never shadow one of ours."""
    path = path.resolve()
    name = "gristmill_user_" + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last, so that the file may import its neighbours but not hide our packages
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code: say where it failed
        own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(path) else (own or [1])[-1]
        raise UserError(f"{path}:{line}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _function(kind: str, name: str, module: ModuleType, where: str) -> Callable[..., Any]:
    for function in FUNCTIONS[kind]:
        if inspect.isfunction(getattr(module, function, None)):
            return getattr(module, function)
    raise UserError(
        f"{where}: {module.__file__} has no function {' or '.join(FUNCTIONS[kind])}, which {kind} {name!r} needs"
    )


def _read(kind: str, name: str, module: ModuleType, function: Callable[..., Any]) -> Step:
    parameters = inspect.signature(function).parameters.values()
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    makes = function.__name__ if function.__name__ in FUNCTIONS[kind] else FUNCTIONS[kind][0]
    return Step(
        kind,
        name,
        makes,
        function,
        reads=tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)),
        defaults={p.name: p.default for p in keywords if p.default is not p.empty},
        required=tuple(p.name for p in keywords if p.default is p.empty),
        source=source_hash(Path(module.__file__)),
        doc=(module.__doc__ or function.__doc__ or "").strip(),
    )


def _check_type(value: Any, kind: Any, what: str) -> None:
    try:
        TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError:
        expected = getattr(kind, "__name__", None) if not typing.get_args(kind) else None
        raise UserError(f"{what}: expected {expected or kind}, found {value!r}") from None


@cache
def source_hash(path: Path) -> str:
    """A hash of a module's source and of those of our own modules it imports, so that editing any is a new step."""
    seen: dict[Path, bytes] = {}
    pending = [path]
    while pending:
        file = pending.pop()
        if file in seen:
            continue
        seen[file] = file.read_bytes()
        pending += _own_imports(seen[file])
    digest = hashlib.sha256()
    for source in (seen[path], *(seen[file] for file in sorted(seen) if file != path)):
        digest.update(hashlib.sha256(source).digest())
    return digest.hexdigest()[:20]


def _own_imports(source: bytes) -> list[Path]:
    found = []
    for node in ast.walk(ast.parse(source)):
        dotted = (
            [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
            if isinstance(node, ast.ImportFrom)
            else ([a.name for a in node.names] if isinstance(node, ast.Import) else [])
        )
        for name in dotted:
            if name and name.split(".")[0] in ("curate", "schemas"):
                file = HERE.parent.joinpath(*name.split(".")).with_suffix(".py")
                found += [file] if file.exists() else []
    return found
