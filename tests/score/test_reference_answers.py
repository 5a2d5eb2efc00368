"""The reference of a prompt, as a model would have answered: the ground truth itself, or a program of the metadata."""

import json

import pytest

from curate.score._reference_answers import own_answer


def own(verifier, truth=None, prompt="p", **metadata):
    """Return the text and the origin of a prompt's reference."""
    return own_answer(verifier, truth, prompt, json.dumps(metadata) if metadata else None)


def program(prompt="p", **metadata):
    found = own("code", "assert f()", prompt, **metadata)
    assert found is not None
    return found.text.removeprefix("```python\n").removesuffix("\n```"), found.source


@pytest.mark.parametrize("truth", ["18", r"\frac{1}{2}", "(1, 2)", "C", " 5 km "])
def test_a_bare_truth_of_maths_is_boxed(truth):
    assert own("math", truth) == (rf"\boxed{{{truth.strip()}}}", "ground_truth")


@pytest.mark.parametrize("truth", ["1+1\n#### 2", r"so \boxed{2}", "The answer is 2.", "Answer: 2", r"\fbox{2}"])
def test_a_worked_truth_of_maths_is_an_answer_as_it_is(truth):
    assert own("math", truth) == (truth, "ground_truth")


def test_an_exact_match_is_its_first_accepted_answer():
    assert own("exact_match", "Paris") == ("Paris", "ground_truth")
    assert own("exact_match", '["Paris", "Paris, France"]') == ("Paris", "ground_truth")
    assert own("exact_match", '{"text": ["Paris"], "answer_start": [3]}') == ("Paris", "ground_truth")
    assert own("exact_match", "(a) and (b)") == ("(a) and (b)", "ground_truth")


@pytest.mark.parametrize("verifier", ["math", "exact_match", "constraints", "json_schema", "tool_call"])
@pytest.mark.parametrize("truth", [None, "", " \n"])
def test_no_truth_is_no_reference(verifier, truth):
    assert own(verifier, truth, code="print(1)") is None


def test_a_schema_and_constraints_are_no_answers():
    assert own("json_schema", '{"type": "object"}') is None
    assert own("constraints", '[{"kind": "lowercase"}]') is None


@pytest.mark.parametrize("key", ["canonical_solution", "solution", "code", "reference_solution"])
def test_a_program_of_the_metadata_is_the_reference_of_code(key):
    assert program(**{key: "def f(): return 1"}) == ("def f(): return 1", f"metadata.{key}")


@pytest.mark.parametrize(
    "held",
    [
        ["", "print(1)", "print(2)"],
        json.dumps(["print(1)"]),
        "```python\nprint(1)\n```",
        {"language": [2, 1, 3], "solution": ["c++", "print 1", "print(1)"]},
        {"language": ["CPP", "PYTHON3"], "solution": ["c++", "print(1)"]},
    ],
)
def test_the_first_python_program_of_several_is_taken(held):
    assert program(solutions=held) == ("print(1)", "metadata.solutions")


def test_a_program_in_extra_info_is_found():
    assert program(extra_info={"reference_solution": "x = 1"}) == ("x = 1", "metadata.extra_info.reference_solution")


def test_the_body_of_a_function_has_the_prompt_before_it():
    prompt = 'def add(a, b):\n    """Add."""\n'
    assert program(prompt, canonical_solution="    return a + b\n")[0] == prompt + "    return a + b\n"
    whole = "def add(a, b):\n    return a + b"
    assert program(prompt, canonical_solution=whole)[0] == whole


@pytest.mark.parametrize("held", ["not JSON", "[]", "null", '{"code": 5}', '{"code": " "}', '{"solutions": {}}'])
def test_metadata_without_a_program_give_no_reference(held):
    assert own_answer("code", "assert f()", "p", held) is None


TOOLS = json.dumps([{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}])


def calls(truth, tools=TOOLS):
    found = own_answer("tool_call", json.dumps(truth), "p", None, tools)
    return found and found.text


def test_expected_calls_are_written_between_tags():
    call = {"name": "add", "arguments": {"a": 1}}
    text = f"<tool_call>\n{json.dumps(call)}\n</tool_call>"
    wrapped = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    for truth in (call, [call], wrapped, [wrapped], {"add": {"a": 1}}):
        assert calls(truth) == text
    assert calls([call, call]) == f"{text}\n{text}"
    assert "<tool_call>" not in calls([])


def test_of_accepted_values_the_first_is_given():
    assert '{"a": 2}' in calls([{"add": {"a": [2, 3], "b": ["", None]}}])


@pytest.mark.parametrize("truth", [4, "text", [{"a": 1}], [1], {"name": "sub", "arguments": {}}])
def test_a_truth_without_calls_is_no_reference_of_tool_call(truth):
    assert calls(truth) is None
    assert calls({"name": "add", "arguments": {}}, None) is None, "nor is one without tools"


@pytest.mark.parametrize(
    "text", ["E42", "a + b", "We sort the list.", "x: int", "#include <x>\nint main(){}", "Answer: 5"]
)
def test_what_is_no_program_is_no_reference_of_code(text):
    assert own("code", "assert f()", code=text) is None
    assert program(code=text, answer="def f(): return 1") == ("def f(): return 1", "metadata.answer")


@pytest.mark.parametrize(
    "text", ["print(1)", "    return x", "print 'a'", "def f(:\n  return", "n = int(input())\nprint n"]
)
def test_programs_that_are_broken_or_bodies_are_references(text):
    assert program(code=text)[0] == text


def test_of_several_solutions_the_first_in_python_3():
    assert program(solutions=["print 'a'", "print('a')"])[0] == "print('a')"
