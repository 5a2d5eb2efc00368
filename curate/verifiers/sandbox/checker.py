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
import symtable
import sys
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from curate.verifiers.sandbox import numpy_parts, pytest
from curate.verifiers.sandbox.link import BY_RESPONSE, Link
from curate.verifiers.sandbox.remote import Unsupported
from curate.verifiers.sandbox.unfit import compares_identity, reflects, unfit
from curate.verifiers.sandbox.values import MAX_JOB, Gone, error_line, receive, send

if TYPE_CHECKING:
    import unittest  # the tests import it, where they need it

# Names under which tests import the response.
RESPONSE_MODULES = ("solution", "main", "response", "answer", "your_module")
# Names by which tests use a module, with the module's: aliases of what may be here beside the standard library.
LIBRARIES = {name: name for name in (*sys.stdlib_module_names, "pytest", "numpy")} | {"np": "numpy"}


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
        report({"test": name} | _verdict(test, link))
    report({"end": True})


def _verdict(test: Callable[[], Any], link: Link) -> dict[str, Any]:
    """Run a test; return ``why`` it fails (None: it passes), and ``unfit`` if it is no test that can be run here."""
    try:
        result = test()
        if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise Unsupported("a test that is asynchronous or a generator")
        if why := link.unclear():
            raise Unsupported(why)
    except Gone:
        raise
    except (Unsupported, pytest.Skipped) as error:
        return {"why": error_line(error), "unfit": True}
    except BaseException as error:
        if why := link.unclear():
            return {"why": why, "unfit": True}
        # A module that the test itself imports and that is missing here says nothing about the response.
        missing_module = isinstance(error, ImportError) and not getattr(error, BY_RESPONSE, False)
        return {"why": error_line(error)} | ({"unfit": True} if missing_module else {})
    return {"why": None}


def _prepare(job: dict[str, Any], link: Link) -> tuple[dict[str, Any], list[tuple[str, Callable]]]:
    """Return the namespace in which the tests run, and the tests in order, each a name and a function."""
    texts = [job["setup"], *(job["tests"] or [])]
    trees = [ast.parse(text) for text in texts]
    link.asked = (compares_identity(trees), *reflects(trees))
    if why := unfit(trees, link.look_up):
        raise Unsupported(why)
    if any("numpy" in text for text in texts) and numpy_parts.suffices(trees):
        sys.modules["numpy"] = numpy_parts
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    names = module.__dict__
    found = _of_response(trees, link, names)
    own, used = _bound_and_used(texts)
    public = [name for name in found if name not in own and not name.startswith("_")]
    if (libraries := _stars(trees)) is not None:
        _refuse_unclear(used - own, {name: found[name] for name in public}, libraries)
    for name in RESPONSE_MODULES:
        sys.modules[name] = _as_module(name, link, public)
    exec(compile(trees[0], "tests.py", "exec"), names)  # noqa: S102 (this is what the sandbox is for)
    if job["tests"] is None:
        return names, list(_collect(names))
    codes = [compile(tree, "tests.py", "exec") for tree in trees[1:]]
    return names, [(str(n), functools.partial(exec, code, names)) for n, code in enumerate(codes)]


def _of_response(trees: list[ast.Module], link: Link, names: dict[str, Any]) -> dict[str, Any]:
    """Put what the tests use into their namespace; return what of it is the response's.

    The standard library, pytest and numpy are this process's own: no response can replace the ``math`` of a test.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    dotted = {node.value.id for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)}
    found = {}
    for name in sorted(used - set(dir(builtins)) - {"*"}):
        if name in dotted and name in LIBRARIES:
            with contextlib.suppress(ImportError):  # a module of another system: treated as any other name
                names[name] = importlib.import_module(LIBRARIES[name])
        elif one := link.look_up(name):
            names[name] = found[name] = one[0]
    return found


def _bound_and_used(texts: list[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the module that pieces of code give a value, and those that they read."""
    scopes = [symtable.symtable(text, "tests.py", "exec") for text in texts]
    bound, used = set(), set()
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        for one in scope.get_symbols():
            if scope.get_type() == "module" or one.is_global():
                bound |= {one.get_name()} if one.is_assigned() or one.is_imported() else set()
                used |= {one.get_name()} if one.is_referenced() else set()
    return frozenset(bound), frozenset(used)


def _stars(trees: list[ast.Module]) -> dict[str, Any] | None:
    """Return what else tests import by a star, if they import the response so; None if they don't."""
    stars = {
        str(node.module)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    }
    if not stars & set(RESPONSE_MODULES):
        return None
    libraries: dict[str, Any] = {}
    for name in sorted(stars & sys.stdlib_module_names):
        with contextlib.suppress(ImportError):
            library = importlib.import_module(name)
            public = getattr(library, "__all__", [one for one in vars(library) if not one.startswith("_")])
            libraries |= {one: getattr(library, one) for one in public}
    return libraries


def _refuse_unclear(used: frozenset[str], found: dict[str, Any], libraries: dict[str, Any]) -> None:
    """Raise ``Unsupported`` where it is not clear which names of tests that import by a star are the response's."""
    if not used - set(dir(builtins)) - set(LIBRARIES):
        raise Unsupported("the tests use no name that they do not define or import themselves")
    for name, value in found.items():
        if name in libraries and libraries[name] is not value:
            raise Unsupported(f"{name!r} is defined by the response and by a module that the tests import by a star")


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
