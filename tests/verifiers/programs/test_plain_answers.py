"""Answers without a fence, with code on the fence's line, with a stub beside the solution, and slow ones."""

import time

import pytest

from curate.verifiers.programs.response_code import code_of
from tests.verifiers.programs.test_response_code import ADD, ASSERTS, FENCE, PROGRAM, WRONG, added, py

ADDS = {
    "prose like an annotation": f"{ADD}\nComplexity: O(1)",
    "two lines of prose": f"{ADD}\nTime: O(1)\nSpace: O(n)\nO(1)\n",
    "a heading behind": f"### Solution\n\n{ADD}\n### Complexity\nO(1)",
    "a lone word": f"{ADD}\nDone",
    "an annotation with a value": "zero: int = 0\ndef add(a, b):\n    return a + b + zero",
    "two statements on a line": f"one: int; two = 0\n{ADD.rstrip()} + two\n",
    "a mark of a template": f"{ADD.rstrip()}<|im_end|>\n",
    "two marks of a template": f"{ADD.rstrip()}</s><|endoftext|>",
    "a magic of a notebook's cell": py("%%time\n" + ADD),
    "code on the fence's line": f"{FENCE}python def add(a, b):\n    return a + b\n{FENCE}",
    "longer code on the fence's line": f"{FENCE}python def add(a, b):\n    c = a + b\n    return c{FENCE}",
    "indented code on the fence's line": f"1. So:\n   {FENCE}python def add(a, b):\n       return a + b\n   {FENCE}",
    "a stub before": py("def add(a, b): pass") + "\nSo:\n" + py(ADD, label=""),
    "a stub behind": py(ADD, 'def add(a, b):\n    """Adds."""\n    ...'),
    "a stub that raises": py(ADD, "def add(a, b):\n    raise NotImplementedError"),
    "a draft before an answer": f"{py(WRONG)}\n<answer>\n{ADD}</answer>",
    "an answer, then a draft": f"<answer>\n{py(ADD)}\n</answer>\nNot so:\n{py(WRONG)}",
    "two answers": f"<answer>{WRONG}</answer>\nNo:\n<answer>\n{ADD}\nTime: O(1)\n</answer>",
    "an answer that needs a draft": py("def plus(a, b): return a + b") + "<answer>\nadd = plus\n</answer>",
    "an answer that is no code": f"<answer>see below</answer>\n{py(ADD)}",
}


@pytest.mark.parametrize("name", ADDS)
def test_an_answer_adds(name):
    assert added(ADDS[name]) == 3


def test_a_stub_is_the_answer_where_there_is_no_other():
    assert added(py("def add(a, b): pass")) is None
    assert code_of(py("def add(a, b): pass"), ASSERTS) == "def add(a, b): pass\n"


def test_a_program_may_end_in_prose():
    text = "a, b = map(int, input().split())\nprint(a + b)\n\nComplexity: O(1)"
    assert "Complexity" not in (code_of(text, PROGRAM) or "Complexity")


@pytest.mark.parametrize(
    "response",
    [
        py(
            "a0 = 0\n" + "".join(f"a{i} = a{i - 1}\n" for i in range(1, 9000)),
            "def add(a, b):\n    return a8999 + a + b",
        ),
        "@a\n" * 200_000,
        "<answer>" * 50_000 + "</answer>",
        ADD + " \n" * 200_000 + "</s>",
        py(*["add = add"] * 190),
        "".join(f"x{i}: O(1)\n" for i in range(9000)) + ADD,
    ],
    ids=["a chain", "decorators", "tags", "blank lines", "rebound", "annotations"],
)
def test_an_answer_costs_little_time(response):
    began = time.process_time()
    code_of(response, ASSERTS)
    assert time.process_time() - began < 10  # of the processor: 13.6 before, on an idle machine
