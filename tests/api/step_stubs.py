"""Write the stubs of the folders of steps, in which a type checker and an editor see a step's module as a function.

``make stubs`` runs this after a step or its settings have changed; ``test_step_stubs.py`` finds where it has not run.
"""

import ast
import builtins
import importlib
import inspect
import textwrap
from collections import defaultdict
from pathlib import Path

import curate
from curate.api.call_step import KINDS
from curate.steps.find_step import Step, find_step, step_names, step_summary

# Parameters of every call, and of the calls whose rows may have columns of other names.
OF_EVERY_CALL = ("models: Mapping[str, Any] | None = None", "seed: int = 0", "progress: Progress | None = None")
OTHER_COLUMNS = "**columns: Column"


def stub(kind: str) -> str:
    """Return the stub of a folder of steps: a function for each step."""
    steps = [find_step(kind, name) for name in step_names(kind)]
    functions = [_function(step) for step in steps]
    summary = (importlib.import_module(f"curate.{kind}").__doc__ or "").splitlines()[0]
    head = f'"""{summary}"""\n\n# Written by `make stubs`, from the signatures of the steps.\n\n{_imports(steps)}\n'
    return head + "\n".join(functions)


def path(kind: str) -> Path:
    """Return where the stub of a folder of steps is."""
    return Path(curate.__file__).parent / kind / "__init__.pyi"


def _function(step: Step) -> str:
    """Return a step as a function: its columns, its settings, those of a recipe, and those of every call."""
    columns = [name for name in step.columns if name != "known"]  # which no caller may give
    parameters = [f"{name}: Column{' | Rows' if name == columns[0] else ''} = ..." for name in columns]
    if columns == ["scores"]:
        parameters = ["scores: Rows = ..."]  # columns of any names
    parameters += ["*", *_settings(step), *_recipe_settings(step), *OF_EVERY_CALL]
    if step.kind != "score" or {"score", "scores"} & set(columns):
        parameters.append(OTHER_COLUMNS)
    lines = "".join(f"    {parameter},\n" for parameter in parameters)
    return f'def {step.name}(\n{lines}) -> pl.DataFrame:\n    """{step_summary(step.kind, step.name)}"""\n'


def _settings(step: Step) -> list[str]:
    """Return the settings of a step, annotated as in its function; the recipe's seed stands for its own."""
    annotations, settings = _annotations(step), []
    for name in (*step.required, *step.defaults):
        default = step.defaults.get(name, inspect.Parameter.empty)
        text = f"{name}: {ast.unparse(annotations[name]).replace(chr(39), chr(34))}"
        if name in step.required:
            settings.append(text)
        elif name != "seed":
            shown = f'"{default}"' if isinstance(default, str) else repr(default)
            settings.append(f"{text} = {'...' if isinstance(default, list | dict) else shown}")
    return settings


def _recipe_settings(step: Step) -> list[str]:
    """Return the settings that a recipe's step has beside those of its function, as ``row_rule`` reads them."""
    takes = {
        "on": step.kind != "score",
        "by": "score" in step.reads,
        "model": step.kind != "score" and "embedding" in step.reads,
    }
    settings = [f"{name}: str = ..." for name, taken in takes.items() if taken]
    return (
        [*settings, "against: str | PurePath | Mapping[str, Any] | list[Any] = ..."]
        if step.kind == "dedup"
        else settings
    )


def _annotations(step: Step) -> dict[str, ast.expr]:
    """Return the annotations of a step's settings."""
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(step.function))).body
    assert isinstance(function, ast.FunctionDef)
    return {one.arg: one.annotation for one in function.args.kwonlyargs if one.annotation}


def _imports(steps: list[Step]) -> str:
    """Return the imports of the names that the stub uses, sorted as ``ruff`` sorts them."""
    names: dict[str, set[str]] = defaultdict(set)
    names["collections.abc"].add("Mapping")
    names["typing"].add("Any")
    names["curate.api.step_columns"] |= {"Column", "Rows"}
    names["schemas.progress"].add("Progress")
    if any(step.kind == "dedup" for step in steps):
        names["pathlib"].add("PurePath")
    for step in steps:
        module = importlib.import_module(f"curate.{step.kind}.{step.name}")
        imported = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ImportFrom)]
        origin = {alias.name: node.module or "" for node in imported for alias in node.names}
        for annotation in _annotations(step).values():
            for node in ast.walk(annotation):
                if isinstance(node, ast.Name) and not hasattr(builtins, node.id):
                    names[origin.get(node.id, module.__name__)].add(node.id)
    lines = {module: f"from {module} import {', '.join(sorted(found))}\n" for module, found in sorted(names.items())}
    own = {module for module in lines if module.split(".")[0] in ("curate", "schemas")}
    standard = {module for module in lines if module in ("collections.abc", "pathlib", "typing")}
    blocks = [
        "".join(lines[module] for module in lines if module in standard),
        "import polars as pl\n" + "".join(lines[module] for module in lines if module not in own | standard),
        "".join(lines[module] for module in lines if module in own),
    ]
    return "\n".join(blocks)


if __name__ == "__main__":
    for kind in KINDS:
        path(kind).write_text(stub(kind), encoding="utf-8")
