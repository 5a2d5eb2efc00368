"""Find steps by folder and file name, and read their columns and settings from their signatures.

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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import polars as pl

from curate.steps.code_hash import Definition
from curate.steps.own_code import require_module
from schemas.errors import UserError, unknown

HERE = Path(__file__).parent.parent
# Kind of step (the folder) -> the functions a step of that kind may have. The function's name says what it makes.
FUNCTIONS = {
    "generate": ("ask", "candidates", "prompts", "write", "write_prompts"),
    "score": ("score",),
    "dedup": ("dedup",),
    "select": ("select", "pair", "subset"),
}
# Parameters that read the column of another name: a response as it was written, with its reasoning trace.
OTHER_NAMES = {"raw_response": "response"}


@dataclass(frozen=True)
class Step:
    """A step: its function, and what the function's signature says.

    Attributes:
        kind: ``generate``, ``score``, ``dedup`` or ``select``.
        name: The step's name in a recipe.
        makes: The name of the function, which says what it makes (see ``FUNCTIONS``).
        function: The function.
        reads: Its positional parameters: the columns that it reads.
        defaults: Its keyword-only parameters that have a default: settings.
        required: Its keyword-only parameters that have none.
        doc: The docstring of its module.
        code: Where the function is defined, for the hash of its code.
    """

    kind: str
    name: str
    makes: str
    function: FunctionType
    reads: tuple[str, ...]
    defaults: dict[str, Any]
    required: tuple[str, ...]
    doc: str
    code: Definition

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that its positional parameters read, each once."""
        return tuple(dict.fromkeys(OTHER_NAMES.get(name, name) for name in self.reads))

    @property
    def within_prompts(self) -> bool:
        """Whether it decides about the candidates of each prompt by themselves: its module says ``WITHIN_PROMPTS``."""
        return self.function.__globals__.get("WITHIN_PROMPTS") is True

    def call(self, columns: dict[str, pl.Series], settings: dict[str, Any]) -> Any:
        """Call the step on its columns.

        Raises:
            UserError: A step of the user's own that chooses rows failed.
        """
        try:
            return self.function(*(columns[name] for name in self.reads), **settings)
        except UserError:
            raise
        except Exception as error:
            if "." not in self.name or self.kind not in ("dedup", "select"):
                raise
            raise UserError(f"{self.kind} {self.name!r} failed: {type(error).__name__}: {error}") from error

    def decide(
        self, columns: dict[str, pl.Series], settings: dict[str, Any], wanted: tuple[str, ...]
    ) -> tuple[pl.DataFrame, str]:
        """Call a step that decides about every row.

        Args:
            columns: The columns that the step reads.
            settings: Its settings.
            wanted: The columns that its table must have; all but the first may be missing, and are null then.

        Returns:
            The table with the columns ``wanted``, and the line that the step returned beside it, or "".

        Raises:
            UserError: The step returned anything but one row for each row.
        """
        result, rows = self.call(columns, settings), len(next(iter(columns.values()), ()))
        table, note = result if isinstance(result, tuple) else (result, "")
        if not isinstance(table, pl.DataFrame):
            found = f"{table!r:.80}"
        elif wanted[0] not in table.columns or table.height != rows:
            found = f"{table.height} rows of {', '.join(table.columns)}"
        else:
            columns_or_null = [name if name in table.columns else pl.lit(None).alias(name) for name in wanted]
            return table.select(columns_or_null), note
        raise UserError(
            f"{self.kind} {self.name!r} returned {found}; expected a table of {rows} rows with the "
            f"columns {', '.join(wanted)}"
        )


def sketcher(step: Step, settings: dict[str, Any]) -> tuple[Callable[..., pl.Series], dict[str, Any]]:
    """Return the function ``sketch(text, *, ...)`` beside a step that reads the column ``sketch``, and its settings."""
    function = step.function.__globals__["sketch"]
    taken = inspect.signature(function).parameters
    return function, {name: value for name, value in settings.items() if name in taken}


def dropper(step: Step, settings: dict[str, Any]) -> Callable[..., pl.DataFrame] | None:
    """Return the function ``dropped`` beside a built-in step, with its settings, or None where there is none.

    It takes the columns that the step reads, and returns of the step's table the rows that are dropped alone, with the
    number of each (``row``): so nothing is held of the others.
    """
    beside = step.function.__globals__
    if "." in step.name or "dropped" not in beside:
        return None
    return partial(beside["dropped"], settings=beside["Settings"](**settings))


def step_names(kind: str) -> list[str]:
    """Return the names of the built-in steps of a kind, sorted."""
    return sorted(p.stem for p in (HERE / kind).glob("*.py") if not p.stem.startswith("_"))


def find_step(kind: str, name: str, where: str = "") -> Step:
    """Return the step of a kind and a name.

    Raises:
        UserError: There is none; the message begins with ``where`` and names the nearest.
    """
    if "." in name:
        return _find_user_step(kind, name, where)
    if name not in step_names(kind):
        raise unknown(f"{kind} step", name, step_names(kind), where)
    module = importlib.import_module(f"curate.{kind}.{name}")
    return _read_signature(kind, name, module, _function_name(kind, name, module, where))


def step_summary(kind: str, name: str) -> str:
    """Return the first line of a built-in step's docstring, without importing it."""
    doc = ast.get_docstring(ast.parse((HERE / kind / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return doc.splitlines()[0] if doc else ""


def _find_user_step(kind: str, name: str, where: str) -> Step:
    """Return a user's step, from the current folder."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise UserError(f"{where}: {kind} {name!r}: a step of your own is named by a dotted path, such as my.hedging")
    file, parent = Path(*parts).with_suffix(".py"), Path(*parts[:-1]).with_suffix(".py")
    if file.exists():
        module = import_file(file)
        return _read_signature(kind, name, module, _function_name(kind, name, module, where))
    if parent.exists():
        module = import_file(parent)
        function = getattr(module, parts[-1], None)
        if not inspect.isfunction(function):
            known = [n for n, f in vars(module).items() if inspect.isfunction(f) and not n.startswith("_")]
            raise unknown(f"function in {parent}", parts[-1], known, where)
        return _read_signature(kind, name, module, parts[-1])
    raise UserError(f"{where}: no {kind} step {name!r}: neither {file} nor {parent} exists in {Path.cwd()}")


def import_file(path: Path) -> ModuleType:
    """Import a user's file under a name of its own, so that it can never shadow one of our modules.

    Args:
        path: The file.

    Raises:
        UserError: Its code fails; the message names the line. Or it may not run (``curate.steps.own_code``).
    """
    path = path.resolve()
    require_module(path)
    name = "gristmill_user_" + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last, so that the file may import its neighbours but not hide our packages
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # the name ends with .py
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # of the user's code: the message names its line
        own = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(path) else (own or [1])[-1]
        raise UserError(f"{path}:{line}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _function_name(kind: str, name: str, module: ModuleType, where: str) -> str:
    """Return the name of a step's function in its module. Raises ``UserError`` if there is none."""
    for function in FUNCTIONS[kind]:
        if inspect.isfunction(getattr(module, function, None)):
            return function
    raise UserError(
        f"{where}: {module.__file__} has no function {' or '.join(FUNCTIONS[kind])}, which {kind} {name!r} needs"
    )


def _read_signature(kind: str, name: str, module: ModuleType, function_name: str) -> Step:
    """Return the step of a module's function, as the function's signature describes it."""
    function = getattr(module, function_name)
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
        doc=(module.__doc__ or function.__doc__ or "").strip(),
        code=Definition(Path(module.__file__ or "").resolve(), function_name),
    )
