"""The unit tests of a ground truth, in any of the forms of public data sets. Runs nothing.

- Python code: a list of asserts (open-instruct), ``test_list`` with ``test_setup_code`` or ``test_imports`` and
  ``challenge_test_list`` (MBPP); ``test`` with ``entry_point`` (HumanEval, LeetCodeDataset); ``test`` alone: test
  functions, test classes or asserts (KodCode, MBPP+).
- Inputs and outputs: ``inputs`` and ``outputs``, also under ``input_output``, of a whole program or of ``fn_name``
  (APPS, TACO); ``public_tests``, ``private_tests`` and ``generated_tests`` (CodeContests); ``public_test_cases``,
  ``private_test_cases`` and ``metadata`` with ``func_name`` (LiveCodeBench); a list of ``input`` and ``output``.

Beside the tests, ``prompt`` or ``starter_code`` may hold code that the data set gives.
"""

import ast
import contextlib
import json
from typing import Any

from curate.verifiers.programs.code_tests import assert_tests, check_tests, python_tests
from curate.verifiers.programs.input_output_tests import call_or_program_tests, case_tests, held_cases
from curate.verifiers.programs.statements import FUNCTIONS, TOO_DEEP, parsed
from curate.verifiers.programs.tests_found import UnitTests

# Names under which tests lie: lists of inputs and outputs that belong together, and others that hold all of them.
CASE_LISTS = (
    "public_tests", "private_tests", "generated_tests", "public_test_cases", "private_test_cases", "official_tests",
)  # fmt: skip
HOLDERS = ("input_output", "verification_info", "test_cases", "tests", "unit_tests", "testcases", "ground_truth")


def read_tests(text: str | None) -> UnitTests | str:
    """Return the tests in a ground truth, or a text that says why there are none."""
    if text is None or not text.strip():
        return "no tests: ground_truth is empty"
    try:
        held = _unpacked(text)
    except RecursionError:
        return "no tests: ground_truth is JSON nested too deeply"
    if isinstance(held, str):
        return python_tests(held)
    if isinstance(held, list):
        return _list_tests(held, None)
    if isinstance(held, dict):
        return _mapping_tests(held)
    return f"no tests in the ground_truth {text[:40]!r}"


def _unpacked(text: str) -> Any:
    """Return the value of a JSON text, which may hold a JSON text (APPS), or of a Python literal; else the text."""
    held: Any = text
    for _ in range(2):
        if not isinstance(held, str):
            break
        try:
            held = json.loads(held)
        except ValueError:
            break
    if isinstance(held, str) and held.lstrip()[:1] in ("[", "{"):  # a list as Python writes it
        with contextlib.suppress(*TOO_DEEP, TypeError):
            held = ast.literal_eval(held.strip())
    return held


def _list_tests(held: list[Any], function: Any) -> UnitTests | str:
    if not held:
        return "no tests: the list in ground_truth is empty"
    if all(isinstance(item, str) for item in held):
        return assert_tests(held, "")
    if all(isinstance(item, dict) and {"input", "output"} <= set(item) for item in held):
        return case_tests(held, function)
    return "no tests: expected a list of asserts, or of mappings with input and output"


def _mapping_tests(held: dict[str, Any]) -> UnitTests | str:
    """Return the tests of a mapping, by its keys."""
    given = _given(held)
    found = _by_keys(held, given)
    if isinstance(found, UnitTests) and given and not found.given:
        return found.having(given)
    return found


def _by_keys(held: dict[str, Any], given: str) -> UnitTests | str:
    function = _function(held, given)
    if "inputs" in held and "outputs" in held:
        return call_or_program_tests(held["inputs"], held["outputs"], function, wraps=True)
    if held.get("test_list") or isinstance(held.get("test_list"), list):
        return _mbpp_tests(held)
    test, name = held.get("test"), held.get("entry_point")
    if isinstance(test, str) and test.strip():
        return check_tests(test, str(name), given) if name else python_tests(test)
    if any(held.get(key) for key in CASE_LISTS):
        cases = held_cases(held, [key for key in CASE_LISTS if held.get(key)])
        return cases if isinstance(cases, str) else case_tests(cases, function)
    if isinstance(held.get("input"), list) and isinstance(held.get("output"), list):
        return call_or_program_tests(held["input"], held["output"], function)
    for key in HOLDERS:
        if inner := held.get(key):
            return _held(inner, held, function)
    return (
        f"no tests: ground_truth has {', '.join(map(str, held))[:80] or 'nothing'}; expected test with "
        "entry_point, test_list, or inputs with outputs"
    )


def _held(inner: Any, outer: dict[str, Any], function: Any) -> UnitTests | str:
    """Return the tests that lie under one key of a mapping."""
    try:
        inner = _unpacked(inner) if isinstance(inner, str) else inner
    except RecursionError:
        return "no tests: ground_truth is JSON nested too deeply"
    beside = {key: outer[key] for key in ("fn_name", "func_name", "entry_point", "metadata") if outer.get(key)}
    if isinstance(inner, dict):
        return _mapping_tests(beside | inner)
    if isinstance(inner, list):
        return _list_tests(inner, function)
    return python_tests(inner) if isinstance(inner, str) else "no tests: expected code, a list or a mapping"


def _mbpp_tests(held: dict[str, Any]) -> UnitTests | str:
    """Return MBPP's tests: ``test_list`` and ``challenge_test_list``, each with JSON text or a list."""
    tests: list[str] = []
    for key in ("test_list", "challenge_test_list"):
        listed = held.get(key) or []
        if isinstance(listed, str):
            listed = _unpacked(listed)
        if not isinstance(listed, list) or not all(isinstance(test, str) for test in listed):
            return f"no tests: {key} is not a list of asserts"
        tests += listed
    imports = held.get("test_imports") or []
    if not isinstance(imports, list):
        return "no tests: test_imports is not a list"
    return assert_tests(tests, "\n".join(map(str, [*imports, held.get("test_setup_code") or ""])))


def _given(held: dict[str, Any]) -> str:
    """Return the code that the data set gives beside the tests, or an empty text; a prompt may be no code."""
    for key in ("prompt", "starter_code"):
        text = held.get(key)
        if isinstance(text, str) and text.strip() and ("def " in text or "import " in text or "class " in text):
            return text
    return ""


def _function(held: dict[str, Any], given: str) -> Any:
    """Return the name of the function that inputs are the arguments of, or None."""
    metadata = held.get("metadata")
    try:
        metadata = _unpacked(metadata) if isinstance(metadata, str) else metadata
    except RecursionError:
        metadata = None
    inner = metadata if isinstance(metadata, dict) else {}
    name = held.get("fn_name") or held.get("func_name") or inner.get("func_name") or inner.get("fn_name")
    return name or _starter_function(given)


def _starter_function(given: str) -> str | None:
    """Return the name of the one method of ``Solution`` that a starter code has, or None."""
    tree = parsed(f"{given.rstrip()} pass") if given else None
    for node in tree.body if tree else []:
        names = [one.name for one in getattr(node, "body", []) if isinstance(one, FUNCTIONS)]
        if getattr(node, "name", "") == "Solution" and len(names) == 1:
            return names[0]
    return None
