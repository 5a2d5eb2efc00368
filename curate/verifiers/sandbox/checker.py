"""Run a row's tests, in the checker's sandbox, against a response in another process. Stdlib only; runs inside.

The tests use the names that the response defines as if they were local (``link.py``, ``remote.py``). Each verdict is
reported to the parent at once. The tests come from a data set, so they have no more rights than the response.
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
from typing import TYPE_CHECKING, Any

from curate.verifiers.sandbox import numpy_parts, pytest
from curate.verifiers.sandbox.link import BY_RESPONSE, Link
from curate.verifiers.sandbox.remote import Unsupported
from curate.verifiers.sandbox.values import MAX_JOB, Gone, error_line, receive, send

if TYPE_CHECKING:
    import unittest  # the tests import it, where they need it

# Names under which tests import the response.
RESPONSE_MODULES = ("solution", "main", "response", "answer", "your_module")
# Tests replace these to read what a program prints or to feed it. The response's are in another process.
STREAMS = ("sys.stdout", "sys.stdin", "builtins.input", "builtins.print")


def main(control: int, link: int) -> None:
    """Run the tests that the parent sends, report on each, and end the process.

    Reports are ``{"load": None or why}``; then ``{"unfit": why}`` if the tests can't run, else ``{"begin": number}``,
    one ``{"test": name, "why": None or text}`` after another, and ``{"end": True}``.
    """
    job = receive(control, MAX_JOB)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    try:
        _run(job, Link(link), lambda message: send(control, message))
    except Gone as error:
        send(control, {"gone": error_line(error)})
    os._exit(0)


def _run(job: dict[str, Any], link: Link, report: Callable[[dict[str, Any]], None]) -> None:
    try:
        link.ask("load")
        report({"load": None})
    except Gone:
        report({"load": "the program ended before the tests"})
        return
    except BaseException as error:
        report({"load": error_line(error)})
        return
    sys.modules["pytest"] = pytest
    try:
        names, tests = _prepare(job, link)
    except AssertionError as error:
        report({"load": f"before the tests: {error_line(error)}"})
        return
    except Gone:
        raise
    except BaseException as error:
        report(
            {
                "load"
                if getattr(error, BY_RESPONSE, False) or isinstance(error, NameError)
                else "unfit": f"before the tests: {error_line(error)}"
            }
        )
        return
    if not tests:
        report({"unfit": "the tests have no test in them"})
        return
    report({"begin": len(tests)})
    for name, test in tests[job["skip"] :]:
        report({"test": name} | _verdict(test))
    report({"end": True})


def _verdict(test: Callable[[], Any]) -> dict[str, Any]:
    """Run a test; return ``why`` it fails (None: it passes), and ``unfit`` if it is no test that can be run here."""
    try:
        result = test()
        if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise Unsupported("a test that is asynchronous or a generator")
    except Gone:
        raise
    except (Unsupported, pytest.Skipped) as error:
        return {"why": error_line(error), "unfit": True}
    except BaseException as error:
        # A module that the test itself imports and that is missing here says nothing about the response.
        missing_module = isinstance(error, ImportError) and not getattr(error, BY_RESPONSE, False)
        return {"why": error_line(error)} | ({"unfit": True} if missing_module else {})
    return {"why": None}


def _prepare(job: dict[str, Any], link: Link) -> tuple[dict[str, Any], list[tuple[str, Callable]]]:
    """Return the namespace in which the tests run, and the tests in order, each a name and a function."""
    texts = [job["setup"], *(job["tests"] or [])]
    trees = [ast.parse(text) for text in texts]
    if any(map(_replaces, trees)):
        raise Unsupported("the tests replace what the response prints to or reads from")
    if any("numpy" in text for text in texts) and numpy_parts.suffices(trees):
        sys.modules["numpy"] = numpy_parts
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for tree in trees:
        used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    names = module.__dict__
    # The standard library is this process's own: no response can replace the ``math`` of a test.
    dotted = {
        node.value.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for name in sorted(used - set(dir(builtins)) - {"*"}):
        if name in dotted and name in sys.stdlib_module_names:
            with contextlib.suppress(ImportError):  # a module of another system: treated as any other name
                names[name] = importlib.import_module(name)
        elif found := link.look_up(name):
            names[name] = found[0]
    for name in RESPONSE_MODULES:
        sys.modules[name] = _as_module(name, link, [n for n in names if not n.startswith("_")])
    exec(compile(trees[0], "tests.py", "exec"), names)  # noqa: S102 (this is what the sandbox is for)
    if job["tests"] is None:
        return names, list(_collect(names))
    codes = [compile(tree, "tests.py", "exec") for tree in trees[1:]]
    return names, [(str(n), functools.partial(exec, code, names)) for n, code in enumerate(codes)]


def _replaces(tree: ast.Module) -> bool:
    """Return whether tests replace a stream or function that the response would use."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in STREAMS:
            return True
        if "redirect_stdout" in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None)):
            return True
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node) in STREAMS:
            return True
    return False


def _as_module(name: str, link: Link, public: list[str]) -> types.ModuleType:
    """Return a module with the names that the response defines."""
    module = types.ModuleType(name)

    def look_up(attribute: str) -> Any:
        if not attribute.startswith("__") and (found := link.look_up(attribute)):
            return found[0]
        error = NameError(f"the response defines no {attribute!r}")
        raise AttributeError(str(error)) if attribute.startswith("__") else error

    module.__dict__.update(__getattr__=look_up, __all__=public)
    return module


def _collect(names: dict[str, Any]) -> Iterator[tuple[str, Callable]]:
    """Yield test functions and methods of test classes, as pytest and unittest collect them, in order."""
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


def _case(kind: "type[unittest.TestCase]", method: str) -> Any:
    """Run one method of a unittest.TestCase and return its result. Raises whatever a failing test raises."""
    case = kind(method)
    kind.setUpClass()
    case.setUp()
    try:
        return getattr(case, method)()
    finally:
        case.tearDown()
        case.doCleanups()
