"""Read the unit tests of data sets into the form that the sandbox runs, and find the code in a response. Runs nothing.

The forms of data sets: a list of asserts (MBPP, open-instruct), alone or as ``test_list`` with ``test_setup_code``;
``test`` with ``entry_point`` (HumanEval, LeetCodeDataset); ``inputs`` and ``outputs``, of a whole program or of
``fn_name`` (APPS, TACO); a list of ``input`` and ``output`` (LiveCodeBench, CodeContests); code with test functions,
test classes or plain asserts (KodCode).
"""

import ast
import json
import re
import textwrap
import warnings
from typing import Any

LONGEST = 1_000_000  # characters of code that is parsed
# Possessive where possible: a model that repeats itself writes a million backticks or empty lines.
FENCE = re.compile(
    r"^([ \t]*+)(?:[^\n`~]*?(?=`{3,}+[ \t]*+py))?(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^\n`]*+\n"
    r"(.*?)(?:^[ \t]*+\2[ \t\r]*+$|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
PYTHON = ("python", "python3", "py", "py3")
DEFINED = re.compile(r"^[ \t]*+(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
ASSIGNED = re.compile(r"^(\w++)[ \t]*+(?::[^\n=]*+)?=", re.MULTILINE)
READS = re.compile(r"\binput\s*\(|\bstdin\b|\bopen\(0")


def read_tests(text: str | None) -> dict[str, Any] | str:
    """Return the tests in a ``ground_truth``, or a text that says why there are none.

    The form of the tests is the one that ``curate/models/clients/sandbox.py`` describes.
    """
    if text is None or not text.strip():
        return "no tests: ground_truth is empty"
    try:
        held = json.loads(text)
        if isinstance(held, str):  # APPS has JSON within a JSON text
            held = json.loads(held)
    except RecursionError:
        return "no tests: ground_truth is JSON nested too deeply"
    except ValueError:
        held = text
    if isinstance(held, str):
        return _code_tests(held)
    if isinstance(held, list):
        return _list_tests(held)
    if isinstance(held, dict):
        return _mapping_tests(held)
    return f"no tests in the ground_truth {text[:40]!r}"


def code_of(response: str, tests: dict[str, Any]) -> str | None:
    """Return the code of a response, or None if it has none.

    It is the last Python block that defines a name used in the tests or, if the tests are inputs of a program, the last
    that reads input; else the last block. Blocks labelled as Python come before blocks without a label. A response
    without blocks is code as a whole if it is Python.
    """
    found = [
        (label.lower().strip("{}.:"), _dedented(len(indent), body))
        for indent, _, label, body in FENCE.findall(response)
    ]
    labelled, bare = ([body for label, body in found if label in which] for which in (PYTHON, ("",)))
    if not labelled and not bare:
        return response if not found and _is_code(response) else None
    words = _test_text(tests)
    named = set(re.findall(r"\w+", words)) - set(
        DEFINED.findall(words)
    )  # a response may repeat the tests: those define no solution
    for blocks in (labelled, bare):
        for body in reversed(blocks):
            if READS.search(body) if tests["how"] == "stdio" else named & set(DEFINED.findall(body)):
                return body
    for body in [*reversed(labelled), *reversed(bare)]:
        if named & set(ASSIGNED.findall(body)):
            return body
    return (labelled or bare)[-1]


def _dedented(indent: int, body: str) -> str:
    """Return a block without the indentation of its fence, as in an item of a list."""
    lines = (line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in re.split(r"(?<=\n)", body))
    return textwrap.dedent("".join(lines))


def _test_text(tests: dict[str, Any]) -> str:
    """Return the text of the tests that may name the response's functions."""
    return "\n".join([tests.get("function", ""), tests.get("setup", ""), *(tests.get("tests") or [])])


def _is_code(text: str) -> bool:
    """Return whether a text is Python with a statement or a call: a lone word or number is an expression only."""
    tree = _parsed(text)
    return tree is not None and any(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body
    )


def _parsed(text: str) -> ast.Module | None:
    if len(text) > LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in code that is not ours
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deeply
        return None


def _code_tests(text: str) -> dict[str, Any] | str:
    tree = _parsed(text)
    if tree is None:
        return "no tests: ground_truth is neither JSON nor Python"
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in tree.body:
        if isinstance(node, functions) and node.name.startswith("test"):
            return {"how": "checks", "setup": text, "tests": None}
        if isinstance(node, ast.ClassDef) and any(
            isinstance(inner, functions) and inner.name.startswith("test") for inner in node.body
        ):
            return {"how": "checks", "setup": text, "tests": None}
    has_assert = [
        isinstance(node, ast.Assert | ast.For | ast.With | ast.Try)
        and any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
        for node in tree.body
    ]
    if True not in has_assert:
        if any(isinstance(node, functions) and node.name == "check" for node in tree.body):
            return 'no tests: a check(candidate) needs its entry_point: {"test": ..., "entry_point": ...}'
        return "no tests: the code in ground_truth has no assert and no test function"
    try:
        statements = list(map(ast.unparse, tree.body))
    except RecursionError:
        return "no tests: the code in ground_truth is nested too deeply"
    return _script_tests(statements, has_assert)


def _script_tests(statements: list[str], has_assert: list[bool]) -> dict[str, Any]:
    """Return a script as tests, one for each assert with the statements before it."""
    first = has_assert.index(True)
    tests, piece = [], []
    for statement, ends in zip(statements[first:], has_assert[first:], strict=True):
        piece.append(statement)
        if ends:
            tests.append("\n".join(piece))
            piece = []
    return {"how": "checks", "setup": "\n".join(statements[:first]), "tests": tests}


def _list_tests(held: list[Any]) -> dict[str, Any] | str:
    if not held:
        return "no tests: the list in ground_truth is empty"
    if all(isinstance(item, str) for item in held):
        return _assert_tests(held, "")
    if all(isinstance(item, dict) and {"input", "output"} <= set(item) for item in held):
        if any(item.get("testtype", "stdin") != "stdin" for item in held):
            return 'no tests: calls need the function\'s name: {"fn_name": ..., "inputs": ..., "outputs": ...}'
        return _input_output_tests([item["input"] for item in held], [item["output"] for item in held], None)
    return "no tests: expected a list of asserts, or of mappings with input and output"


def _mapping_tests(held: dict[str, Any]) -> dict[str, Any] | str:
    if "inputs" in held and "outputs" in held:
        return _input_output_tests(held["inputs"], held["outputs"], held.get("fn_name") or None)
    if isinstance(listed := held.get("test_list"), list) and all(isinstance(test, str) for test in listed):
        imports = held.get("test_imports") or []
        if not isinstance(imports, list):
            return "no tests: test_imports is not a list"
        return _assert_tests(listed, "\n".join(map(str, [*imports, held.get("test_setup_code") or ""])))
    test, name = held.get("test"), held.get("entry_point")
    if not isinstance(test, str):
        return (
            f"no tests: ground_truth has {', '.join(map(str, held))[:80] or 'nothing'}; expected test with "
            "entry_point, test_list, or inputs with outputs"
        )
    if not name:
        return _code_tests(test)
    tree = _parsed(test)
    if tree is None or not any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body):
        return "no tests: test defines no function check(candidate)"
    try:
        ast.parse(str(name), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"no tests: entry_point is not a name: {str(name)[:40]!r}"
    return {"how": "checks", "setup": test, "tests": [f"check({name})"]}


def _assert_tests(tests: list[str], setup: str) -> dict[str, Any] | str:
    if not tests:
        return "no tests: the list in ground_truth is empty"
    for text in [setup, *tests]:
        if _parsed(text) is None:
            return f"no tests: not Python: {text[:40]!r}"
    if not any(isinstance(node, ast.Assert | ast.Call) for text in tests for node in ast.walk(ast.parse(text))):
        return f"no tests: no assert in {tests[0][:40]!r}"
    return {"how": "checks", "setup": setup, "tests": tests}


def _input_output_tests(inputs: Any, outputs: Any, function: Any) -> dict[str, Any] | str:
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        return "no tests: inputs and outputs are not two lists of the same length"
    if not inputs:
        return "no tests: inputs is empty"
    if function is None:
        return {"how": "stdio", "inputs": list(map(_as_text, inputs)), "outputs": list(map(_as_text, outputs))}
    if not isinstance(function, str) or not function.isidentifier():
        return f"no tests: fn_name is not a name: {str(function)[:40]!r}"
    try:
        args = [
            [json.loads(line) for line in one.splitlines() if line.strip()] if isinstance(one, str) else one
            for one in inputs
        ]
    except (ValueError, RecursionError):
        return "no tests: the arguments in inputs are not JSON, one per line"
    if not all(isinstance(one, list) for one in args):
        return "no tests: inputs of a function are lists of arguments"
    # Results are JSON texts if the arguments are; otherwise a text is itself the expected result.
    as_json = all(isinstance(one, str) for one in inputs)
    return {
        "how": "call",
        "function": function,
        "inputs": args,
        "outputs": list(map(_from_json, outputs)) if as_json else outputs,
    }


def _as_text(given: Any) -> str:
    return "\n".join(map(str, given)) if isinstance(given, list) else given if isinstance(given, str) else str(given)


def _from_json(given: Any) -> Any:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return given
