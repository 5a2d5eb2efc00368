"""Unit tests that are Python code: asserts, ``check(candidate)``, pytest and unittest code. Runs nothing."""

import ast
import builtins
import symtable
import sys
import warnings

from curate.verifiers.programs.statements import FUNCTIONS, TOO_DEEP, parsed, statements
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.sandbox.checker import RESPONSE_MODULES

LIBRARY = frozenset(dir(builtins)) | sys.stdlib_module_names | {"pytest", "np", "numpy"}


def python_tests(text: str) -> UnitTests | str:
    """Return the tests in a piece of code, or a text that says why it has none.

    Test functions and classes are run as pytest and unittest do; of a script, each assert is a test, with the
    statements before it.
    """
    tree = parsed(text)
    if tree is None:
        return "no tests: ground_truth is neither JSON nor Python"
    for node in tree.body:
        inner = [node] if isinstance(node, FUNCTIONS) else node.body if isinstance(node, ast.ClassDef) else []
        if any(isinstance(one, FUNCTIONS) and one.name.startswith("test") for one in inner):
            return UnitTests({"how": "checks", "setup": text, "tests": None}, names_used(text))
    has_assert = _asserting(tree)
    if True not in has_assert:
        if any(isinstance(node, FUNCTIONS) and node.name == "check" for node in tree.body):
            return 'no tests: a check(candidate) needs its entry_point: {"test": ..., "entry_point": ...}'
        return "no tests: the code in ground_truth has no assert and no test function"
    try:
        pieces = list(map(ast.unparse, tree.body))
    except RecursionError:
        return "no tests: the code in ground_truth is nested too deeply"
    first = has_assert.index(True)
    tests, piece = [], []
    for statement, ends in zip(pieces[first:], has_assert[first:], strict=True):
        piece.append(statement)
        if ends:
            tests.append("\n".join(piece))
            piece = []
    return UnitTests({"how": "checks", "setup": "\n".join(pieces[:first]), "tests": tests}, names_used(text))


def _asserting(tree: ast.Module) -> list[bool]:
    """Return whether each statement of a script asserts: by itself, or by a function of the script that asserts."""
    helpers = {
        node.name
        for node in tree.body
        if isinstance(node, FUNCTIONS) and any(isinstance(one, ast.Assert) for one in ast.walk(node))
    }
    return [
        isinstance(node, ast.Assert | ast.For | ast.With | ast.Try | ast.Expr)
        and any(
            isinstance(one, ast.Assert)
            or (isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in helpers)
            for one in ast.walk(node)
        )
        for node in tree.body
    ]


def assert_tests(tests: list[str], setup: str) -> UnitTests | str:
    """Return a list of asserts as tests, run after ``setup``; or a text that says what is wrong with them."""
    if not tests:
        return "no tests: the list in ground_truth is empty"
    for text in [setup, *tests]:
        if parsed(text) is None:
            return f"no tests: not Python: {text[:40]!r}"
    if not any(isinstance(node, ast.Assert | ast.Call) for text in tests for node in ast.walk(ast.parse(text))):
        return f"no tests: no assert in {tests[0][:40]!r}"
    return UnitTests({"how": "checks", "setup": setup, "tests": tests}, names_used("\n".join([setup, *tests])))


def check_tests(test: str, entry_point: str, given: str) -> UnitTests | str:
    """Return the one test ``check(entry_point)``, or a text that says why there is none.

    Args:
        test: Code that defines ``check(candidate)``.
        entry_point: What it is called with: a name, or an expression such as ``Solution().twoSum``.
        given: The data set's code; what the tests use of it beside the entry point runs with the tests.
    """
    tree = parsed(test)
    if tree is None or not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body):
        if tree is not None and True in _asserting(tree):
            return python_tests(test)
        return "no tests: test defines no function check(candidate)"
    try:
        entry = ast.parse(entry_point, mode="eval")
    except TOO_DEEP:
        return f"no tests: entry_point is not a name: {entry_point[:40]!r}"
    roots = frozenset(node.id for node in ast.walk(entry) if isinstance(node, ast.Name))
    helpers = _helpers(given, names_used(test) - roots, roots) if given else ""
    used = names_used(f"{helpers}\n{test}") | roots
    run = {"how": "checks", "setup": f"{helpers}{test}", "tests": [f"check({entry_point})"]}
    return UnitTests(run, used, given, environment="Solution" in roots)


def _helpers(given: str, names: frozenset[str], roots: frozenset[str]) -> str:
    """Return the statements of the data set's code that define names which the tests use, in their order."""
    pieces = statements(given) or statements(f"{given.rstrip()}\n    pass\n") or []
    taken, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        for number, piece in enumerate(pieces):
            if number not in taken and name in piece.binds and piece.serves and not piece.binds & roots:
                taken.add(number)
                waiting |= piece.uses
    text = "".join(pieces[number].text for number in sorted(taken))
    stars = "".join(piece.text for piece in pieces if piece.sets and piece.defines)
    return (stars if text else "") + text


def names_used(text: str) -> frozenset[str]:
    """Return the names that tests use and do not define: those of the response, beside the standard library's."""
    tree = parsed(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = symtable.symtable(text, "tests.py", "exec")
    except TOO_DEEP:
        return frozenset()
    bound = {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
    used = {one.get_name() for one in table.get_symbols() if one.is_referenced()}
    scopes = list(table.get_children())
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        used |= {one.get_name() for one in scope.get_symbols() if one.is_global() and one.is_referenced()}
    return frozenset(used - bound - LIBRARY) | _imported(tree)


def _imported(tree: ast.Module | None) -> frozenset[str]:
    """Return the names that tests take from a module by which they mean the response."""
    names: set[str] = set()
    modules: set[str] = set()
    nodes = list(ast.walk(tree)) if tree else []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module in RESPONSE_MODULES:
            names |= {alias.name for alias in node.names} - {"*"}
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name in RESPONSE_MODULES}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            names.add(node.attr)
    return frozenset(names)
