"""The tests that a ground truth gives; where it gives none, one line says what was found."""
# ruff: noqa: E501 (programs in texts, a line each)

import json

import pytest

from curate.verifiers.programs.response_code import code_of
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests

CHECK = "def check(candidate):\n    assert candidate(1) == 2"
DEEP = "[" * 100_000
# ground truth (a text, or a value for JSON), the words that the message must hold
REFUSED = [
    (DEEP, "nested too deeply"),
    ("x = " + "-" * 1500 + "1\nassert x", "nested too deeply"),
    ([], "the list in ground_truth is empty"),
    ({"test_list": []}, "the list in ground_truth is empty"),
    ([1, 2], "expected a list of asserts, or of mappings with input and output"),
    ([{"input": "1", "output": "2", "testtype": "functional"}], "calls need the function's name"),
    ({"test_list": ["assert f(1)"], "test_imports": "math"}, "test_imports is not a list"),
    ({"test": CHECK.replace("check", "verify"), "entry_point": "f"}, "test defines no function check(candidate)"),
    ({"test": "def check(:", "entry_point": "f"}, "test defines no function check(candidate)"),
    ({"test": CHECK, "entry_point": "f g"}, "entry_point is not a name: 'f g'"),
    (["assert f(1", "assert f(2)"], "not Python: 'assert f(1'"),
    (["x = 1"], "no assert in 'x = 1'"),
    ({"inputs": ["1"], "outputs": []}, "not two lists of the same length"),
    ({"inputs": "1", "outputs": ["1"]}, "not two lists of the same length"),
    ({"inputs": [], "outputs": []}, "inputs is empty"),
    ({"fn_name": "f g", "inputs": ["1"], "outputs": ["1"]}, "fn_name is not a name: 'f g'"),
    ({"fn_name": "f", "inputs": [1], "outputs": [1]}, "inputs of a function are lists of arguments"),
]


@pytest.mark.parametrize(("truth", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_a_ground_truth_without_tests_says_why(truth, words):
    found = read_tests(truth if isinstance(truth, str) else json.dumps(truth))
    assert isinstance(found, str) and found.startswith("no tests: ") and words in found
    assert "\n" not in found and len(found) < 200


def test_a_test_without_an_entry_point_is_code():
    script = "assert f(1) == 2"
    assert read_tests(json.dumps({"test": script})) == read_tests(script)


def test_a_response_too_long_to_parse_has_no_code():
    tests = read_tests('["assert f(1) == 2"]')
    assert isinstance(tests, UnitTests)
    assert code_of("x = 1\n", tests) == "x = 1\n"
    assert code_of("x = 1\n" * 200_000, tests) is None


def unit_tests_in(text: str) -> UnitTests:
    """The tests in a ground truth that has some."""
    found = read_tests(text)
    assert isinstance(found, UnitTests), found
    return found


def test_a_script_is_run_in_its_order():
    script = "s = Stack()\nassert not s.items\ns.push(1)\nassert s.items == [1]\nfor x in (2, 3):\n    s.push(x)\n    assert x in s.items\ndel s"
    tests = unit_tests_in(script)
    assert tests.run["setup"] == "s = Stack()"
    assert [text.splitlines()[-1].strip() for text in tests.run["tests"]] == [
        "assert not s.items",
        "assert s.items == [1]",
        "assert x in s.items",
    ]
    assert "no assert" in str(read_tests("if __name__ == '__main__':\n    assert f(1) == 2"))


def test_a_list_may_be_written_as_python_writes_it():
    listed = unit_tests_in('["assert f(1) == 2", "assert f(2) == 3"]')
    assert unit_tests_in("['assert f(1) == 2', 'assert f(2) == 3']") == listed
    assert unit_tests_in(repr({"test_list": ["assert f(1) == 2", "assert f(2) == 3"]})) == listed
    assert "nested" in str(read_tests("['x', " + DEEP)) or "no tests" in str(read_tests("['x', " + DEEP))


def test_only_sets_that_wrap_every_result_may_expect_the_item():
    apps = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[1], [2]]}
    assert unit_tests_in(json.dumps({"input_output": json.dumps(apps)})).run["wrapped"]
    assert "wrapped" not in unit_tests_in(json.dumps(apps | {"outputs": [[1], [1, 2]]})).run
    cases = [{"input": "1", "output": "[1]", "testtype": "functional"}]
    lists = unit_tests_in(json.dumps({"public_test_cases": cases, "metadata": {"func_name": "f"}}))
    assert lists.run["outputs"] == [[1]] and "wrapped" not in lists.run


def test_expected_texts_are_json_only_where_the_arguments_are():
    assert unit_tests_in('{"fn_name": "f", "inputs": [["a"]], "outputs": ["12"]}').run["outputs"] == ["12"]
    assert unit_tests_in('{"fn_name": "f", "inputs": ["3"], "outputs": ["12"]}').run["outputs"] == [12]
    read_tests(json.dumps({"fn_name": "f", "inputs": ["3"], "outputs": ["[" * 100_000]}))
    assert "not JSON" in str(read_tests(json.dumps({"fn_name": "f", "inputs": ["[" * 100_000], "outputs": ["1"]})))
