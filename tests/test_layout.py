"""The shape of the code: small files, short functions, docstrings, imports that go one way, no command undocumented."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import app
from curate.steps.find_step import FUNCTIONS, step_names

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "curate", "train", "cli")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 300, 60
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def short(file):
    return str(file.relative_to(ROOT))


def tree(file):
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.fixture(params=FILES, ids=short)
def file(request):
    return request.param


def test_there_is_something_to_look_at():
    assert {file.relative_to(ROOT).parts[0] for file in FILES} == set(PACKAGES) and len(FILES) > 50


def test_no_file_is_long(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{short(file)} has {lines} lines"


def test_no_function_is_long(file):
    found = {
        node.name: node.end_lineno - node.lineno + 1 for node in ast.walk(tree(file)) if isinstance(node, DEFINITIONS)
    }
    assert {name: lines for name, lines in found.items() if lines > LONGEST_FUNCTION} == {}


def test_what_is_public_says_what_it_is(file):
    module = tree(file)
    assert ast.get_docstring(module), f"{short(file)} has no docstring"
    public = [
        node for node in module.body if isinstance(node, (*DEFINITIONS, ast.ClassDef)) and not node.name.startswith("_")
    ]
    inside = [
        node
        for c in public
        if isinstance(c, ast.ClassDef)
        for node in c.body
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_")
    ]
    assert [node.name for node in (*public, *inside) if not ast.get_docstring(node)] == []


def test_a_public_function_has_types(file):
    for node in tree(file).body:
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
            assert node.returns is not None, f"{short(file)}:{node.lineno}: {node.name} has no return type"
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert all(a.annotation for a in arguments), (
                f"{short(file)}:{node.lineno}: {node.name}: an argument has no type"
            )


# What runs in the sandbox is there to run what strangers wrote; ``inner_modules.py`` compiles our own files for it.
RUNS_CODE = {
    "curate/verifiers/sandbox/response.py",
    "curate/verifiers/sandbox/checker.py",
    "curate/verifiers/sandbox/inner_modules.py",
}


def test_nothing_runs_what_data_say(file):
    """No eval, exec, pickle or shell anywhere: texts come from strangers."""
    if short(file) in RUNS_CODE:
        return
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads"), (
                f"{short(file)}:{node.lineno}: {called}"
            )
            shell = [k for k in node.keywords if k.arg == "shell"]
            assert not shell, f"{short(file)}:{node.lineno}: a shell"


# Parquet files that are not the store's own, and why they are read or written outside ``curate/storage``.
OTHER_PARQUET = {
    "curate/sources/file_formats.py": "a source that a recipe names",
    "cli/tables.py": "the result of a query, for the user",
    "train/fit.py": "the record in a checkpoint, which transformers writes into the work folder",
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
            and after.value.startswith("/")
            for value, after in values
        )
    if isinstance(node, ast.Call):
        joins = ast.unparse(node.func) in ("os.path.join", "os.listdir", "os.scandir", "os.walk", "open")
        on_path = isinstance(node.func, ast.Attribute) and node.func.attr in PATH_METHODS and is_path(node.func.value)
        return on_path or (joins and any(is_path(argument) for argument in node.args))
    return isinstance(node, ast.Constant) and node.value in STORE_FILES


def test_only_storage_opens_files_of_the_store(file):
    if short(file).startswith("curate/storage/"):
        return
    for node in ast.walk(tree(file)):
        found = f"{short(file)}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)[:80]}"
        assert not opens_the_store(node), f"{found}: curate.storage opens and names the store's files; ask it"
        if isinstance(node, ast.Attribute) and node.attr in PARQUET:
            assert short(file) in OTHER_PARQUET, f"{found}: curate.storage reads and writes the store's Parquet files"


@pytest.mark.parametrize("file", OTHER_PARQUET)
def test_the_exceptions_are_still_needed(file):
    assert any(isinstance(n, ast.Attribute) and n.attr in PARQUET for n in ast.walk(tree(ROOT / file)))


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


@pytest.mark.parametrize("command", [command.callback.__name__ for command in app.registered_commands])
def test_the_readme_has_every_command(command):
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("no README here")
    assert re.search(rf"(gristmill|make) {command}\b", readme.read_text(encoding="utf-8"))
