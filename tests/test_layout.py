"""The shape of the code: small files, short functions, docstrings, imports that go one way, no command undocumented."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.main import app
from curate.steps.find_step import FUNCTIONS, step_names

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "curate", "train", "cli")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_TEST_NAME = 300, 60, 60
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Module(NamedTuple):
    name: str
    lines: int
    tree: ast.Module


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    """Every module of the packages, read and parsed once."""
    texts = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in FILES}
    return [Module(name, len(text.splitlines()), ast.parse(text)) for name, text in texts.items()]


def test_there_is_something_to_look_at():
    assert {file.relative_to(ROOT).parts[0] for file in FILES} == set(PACKAGES) and len(FILES) > 50


def test_no_file_is_long(modules):
    assert {module.name: module.lines for module in modules if module.lines > LONGEST_FILE} == {}


def test_no_function_is_long(modules):
    lengths = {
        f"{module.name}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, DEFINITIONS)
    }
    assert len(lengths) > 1000 and min(lengths.values()) >= 1
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_no_test_has_a_long_name():
    names = [
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, DEFINITIONS) and node.name.startswith("test_")
    ]
    assert len(names) > 500 and [name for name in names if len(name) > LONGEST_TEST_NAME] == []


def test_what_is_public_has_a_docstring(modules):
    """Ruff asks for the same (D100 to D103), but not in modules such as ``_judge_prompts.py``."""
    assert [module.name for module in modules if not ast.get_docstring(module.tree)] == []
    public = [(module.name, node) for module in modules for node in public_definitions(module.tree)]
    public += [
        (name, node)
        for name, parent in public
        if isinstance(parent, ast.ClassDef)
        for node in public_definitions(parent)
    ]
    assert len(public) > 1000
    assert [f"{name}:{node.lineno} {node.name}" for name, node in public if not ast.get_docstring(node)] == []


def public_definitions(body):
    """The functions and classes of a module, or the methods of a class, whose names have no leading underscore."""
    kinds = DEFINITIONS if isinstance(body, ast.ClassDef) else (*DEFINITIONS, ast.ClassDef)
    return [node for node in body.body if isinstance(node, kinds) and not node.name.startswith("_")]


# What runs in the sandbox is there to run what strangers wrote; ``inner_modules.py`` compiles our own files for it.
RUNS_CODE = {
    "curate/verifiers/sandbox/response.py",
    "curate/verifiers/sandbox/checker.py",
    "curate/verifiers/sandbox/inner_modules.py",
}


UNSAFE = {"eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads"}


def test_nothing_runs_what_data_say(modules):
    """No eval, exec, pickle or shell anywhere: texts come from strangers."""
    calls = [
        (f"{module.name}:{node.lineno}", node)
        for module in modules
        if module.name not in RUNS_CODE
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
    ]
    assert len(calls) > 5000
    assert [f"{place}: {ast.unparse(call)[:80]}" for place, call in calls if ast.unparse(call.func) in UNSAFE] == []
    by_shell = [one for one in calls if any(k.arg == "shell" for k in one[1].keywords)]
    # Typer's takes the name of the shell that a script is for, and runs nothing.
    shells = [place for place, call in by_shell if ast.unparse(call.func) != "get_completion_script"]
    assert shells == []


# Parquet files that are not the store's own, and why they are read or written outside ``curate/storage``.
OTHER_PARQUET = {
    "curate/sources/files/arrow_files.py": "a source that a recipe names",
    "cli/results/write.py": "the result of a query, for the user",
    "curate/export/sinks/parquet.py": "an exported dataset, for the user",
    "train/checkpoints.py": "the record in a checkpoint, which transformers writes into the work folder",
}
PARQUET = {"read_parquet", "scan_parquet", "write_parquet", "sink_parquet", "ParquetFile", "write_table", "read_table"}
STORE_FILES = {"store.json", "stage.json", "replies.sqlite", "gristmill.duckdb"}
PATH_METHODS = {"joinpath", "glob", "rglob", "iterdir", "walk", "with_name", "with_suffix", "open", "mkdir", "unlink"}
PATH_METHODS |= {"read_text", "read_bytes", "write_text", "write_bytes", "rename", "replace", "rmdir", "touch"}


def is_path(node):
    """Whether an expression is the ``path`` of something, such as ``run.store.path``."""
    return isinstance(node, ast.Attribute) and node.attr == "path" and ast.unparse(node) not in ("os.path", "sys.path")


def opens_the_store(node):
    """Whether a node joins, lists or opens the path of a store or a stage, or names one of a store's files."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return is_path(node.left)
    if isinstance(node, ast.JoinedStr):  # f"{store.path}/stages"
        values = zip(node.values, node.values[1:], strict=False)
        return any(
            isinstance(value, ast.FormattedValue)
            and is_path(value.value)
            and isinstance(after, ast.Constant)
            and isinstance(after.value, str)
            and after.value.startswith("/")
            for value, after in values
        )
    if isinstance(node, ast.Call):
        joins = ast.unparse(node.func) in ("os.path.join", "os.listdir", "os.scandir", "os.walk", "open")
        on_path = isinstance(node.func, ast.Attribute) and node.func.attr in PATH_METHODS and is_path(node.func.value)
        return on_path or (joins and any(is_path(argument) for argument in node.args))
    return isinstance(node, ast.Constant) and node.value in STORE_FILES


def test_only_storage_opens_files_of_the_store(modules):
    found = [
        f"{module.name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)[:80]}"
        for module in modules
        if not module.name.startswith("curate/storage/")
        for node in ast.walk(module.tree)
        if opens_the_store(node) or (reads_parquet(node) and module.name not in OTHER_PARQUET)
    ]
    assert found == [], "curate.storage opens and names the store's files, and reads and writes its Parquet; ask it"


def reads_parquet(node):
    return isinstance(node, ast.Attribute) and node.attr in PARQUET


def test_the_exceptions_are_still_needed(modules):
    reading = {module.name for module in modules if any(reads_parquet(node) for node in ast.walk(module.tree))}
    assert OTHER_PARQUET.keys() - reading == set()


def test_a_reader_finds_every_stage_by_folder_name():
    assert all((ROOT / "curate" / kind).is_dir() and step_names(kind) for kind in FUNCTIONS)
    assert not (ROOT / "gristmill").exists()


def test_imports_go_one_way():
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists():
        pytest.skip("import-linter is not installed")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout), done.stdout


def test_the_readme_has_every_command():
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("no README here")
    text = readme.read_text(encoding="utf-8")
    commands = [getattr(one.callback, "__name__", "no name").replace("_", "-") for one in app.registered_commands]
    assert len(commands) >= 10
    assert [command for command in commands if not re.search(rf"(gristmill|make) {command}\b", text)] == []
