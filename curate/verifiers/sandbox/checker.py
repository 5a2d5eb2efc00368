"""The tests' side of the sandbox: runs a row's tests against a response that lives in another process.

Stdlib only; runs inside. To the tests, what the response defines looks as if it were here (``remote.py``). Each
verdict goes to the parent as soon as it is there. The tests come from a data set, so they have no more rights than
the response has.
"""

import ast
import builtins
import contextlib
import functools
import importlib
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from curate.verifiers.sandbox import pytest
from curate.verifiers.sandbox.remote import Link, Unsupported
from curate.verifiers.sandbox.values import JOB, Gone, receive, said, send

# What tests call the module that they expect the response in.
AS_MODULE = ("solution", "main", "response", "answer", "your_module")
# What tests replace to see what a program prints, or to feed it: the response's are in another process.
STREAMS = ("sys.stdout", "sys.stdin", "builtins.input", "builtins.print")


def main(control: int, link: int) -> None:
    """Run the tests that the parent sends; report on each; end.

    Reports are ``{"load": None or why}``; ``{"unfit": why}`` where the tests can't run, else ``{"begin": number}``, one
    ``{"test": name, "why": None or text}`` after another, ``{"end": True}``.
    """
    job = receive(control, JOB)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    try:
        _run(job, Link(link), lambda progress: send(control, progress))
    except Gone as error:
        send(control, {"gone": said(error)})
    os._exit(0)


def _run(job: dict[str, Any], link: Link, progress: Callable[[dict[str, Any]], None]) -> None:
    try:
        link.ask("load")
        progress({"load": None})
    except Gone:
        progress({"load": "the program ended before the tests"})
        return
    except BaseException as error:
        progress({"load": said(error)})
        return
    sys.modules["pytest"] = pytest
    try:
        names, tests = _prepare(job, link)
    except AssertionError as error:
        progress({"load": f"before the tests: {said(error)}"})
        return
    except Gone:
        raise
    except BaseException as error:
        progress(
            {
                "load"
                if getattr(error, "by_response", False) or isinstance(error, NameError)
                else "unfit": f"before the tests: {said(error)}"
            }
        )
        return
    if not tests:
        progress({"unfit": "the tests have no test in them"})
        return
    progress({"begin": len(tests)})
    for name, test in tests[job["skip"] :]:
        progress({"test": name} | _verdict(test))
    progress({"end": True})


def _verdict(test: Callable[[], Any]) -> dict[str, Any]:
    """Run a test: ``why`` it fails, or None; ``unfit`` where it is no test to be run here."""
    try:
        result = test()
        if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise Unsupported("a test that is asynchronous or a generator")
    except Gone:
        raise
    except (Unsupported, pytest.Skipped) as error:
        return {"why": said(error), "unfit": True}
    except BaseException as error:
        # What a test imports and is not here says nothing of the response.
        ours = isinstance(error, ImportError) and not getattr(error, "by_response", False)
        return {"why": said(error)} | ({"unfit": True} if ours else {})
    return {"why": None}


def _prepare(job: dict[str, Any], link: Link) -> tuple[dict[str, Any], list[tuple[str, Callable]]]:
    """The names that the tests run among, and the tests in order."""
    texts = [job["setup"], *(job["tests"] or [])]
    trees = [ast.parse(text) for text in texts]
    if any(map(_replaces, trees)):
        raise Unsupported("the tests replace what the response prints to or reads from")
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for tree in trees:
        used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    names = module.__dict__
    # The standard library is this process's own: no response can put another math before a test.
    dotted = {
        node.value.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for name in sorted(used - set(dir(builtins)) - {"*"}):
        if name in dotted and name in sys.stdlib_module_names:
            with contextlib.suppress(ImportError):  # one of another system: here it is a name like any
                names[name] = importlib.import_module(name)
        elif found := link.named(name):
            names[name] = found[0]
    for name in AS_MODULE:
        sys.modules[name] = _as_module(name, link, [n for n in names if not n.startswith("_")])
    exec(compile(trees[0], "tests.py", "exec"), names)  # noqa: S102 (this is what the sandbox is for)
    if job["tests"] is None:
        return names, list(_found(names))
    codes = [compile(tree, "tests.py", "exec") for tree in trees[1:]]
    return names, [(str(n), functools.partial(exec, code, names)) for n, code in enumerate(codes)]


def _replaces(tree: ast.Module) -> bool:
    """Whether tests replace a stream or a function of the response's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in STREAMS:
            return True
        if "redirect_stdout" in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None)):
            return True
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node) in STREAMS:
            return True
    return False


def _as_module(name: str, link: Link, public: list[str]) -> types.ModuleType:
    """A module that has what the response defines."""
    module = types.ModuleType(name)

    def missing(wanted: str) -> Any:
        if not wanted.startswith("__") and (found := link.named(wanted)):
            return found[0]
        error = NameError(f"the response defines no {wanted!r}")
        raise AttributeError(str(error)) if wanted.startswith("__") else error

    module.__dict__.update(__getattr__=missing, __all__=public)
    return module


def _found(names: dict[str, Any]) -> Iterator[tuple[str, Callable]]:
    """Test functions and the methods of test classes, as pytest and unittest know them, in order."""
    for name, value in list(names.items()):
        if isinstance(value, types.FunctionType) and name.startswith("test"):
            yield from pytest.cases(name, value)
        elif isinstance(value, type) and value.__module__ == "tests":
            unittest = sys.modules.get("unittest")
            if unittest and issubclass(value, unittest.TestCase):
                for method in unittest.TestLoader().getTestCaseNames(value):
                    yield f"{name}.{method}", functools.partial(_case, value, method)
            elif name.startswith("Test"):
                for method, function in list(vars(value).items()):
                    if method.startswith("test") and callable(function):
                        yield from pytest.cases(f"{name}.{method}", function, value)


def _case(kind: type, method: str) -> Any:
    """Run one method of a unittest.TestCase; raises where it fails. Returns what it does, None for a plain one."""
    case = kind(method)
    kind.setUpClass()
    case.setUp()
    try:
        return getattr(case, method)()
    finally:
        case.tearDown()
        case.doCleanups()
