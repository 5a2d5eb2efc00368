"""Answers made to keep the search for their code busy: it takes time in proportion to their length."""

import json
import time

import pytest

from curate.verifiers.programs.response_code import code_of
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests

pytestmark = pytest.mark.slow
HEAD = "def add(a, b):\n"
TESTS = {
    "asserts": ["assert add(1, 2) == 3"],
    "program": {"inputs": ["1 2\n"], "outputs": ["3\n"]},
    "body": {"prompt": HEAD, "test": "def check(f):\n    assert f(1, 2) == 3", "entry_point": "add"},
}
HOSTILE = [
    "`" * 1_000_000,
    "```python\n" * 100_000,
    '```python\n"""\n```\n' * 30_000,
    '```python\n\\"""\n```\n' * 30_000,
    "```python\n'''\n```\n```python\n\"\"\"\n```\n" * 20_000,
    "[PYTHON]\n" * 100_000,
    "<code>" * 150_000,
    "x = 1\n" * 160_000,
    "import (\n" * 100_000,
    "    x\n\n" * 100_000,
    "> " * 500_000,
    "> > ```python\n" * 50_000,
    ">>> x\n" * 100_000,
    "1. " * 300_000,
    "'" * 1_000_000,
    "x = '" * 200_000,
    "```python\n" + "'\\" * 400_000 + "\n```",
    "~~~\n" * 250_000,
    "```python\nx = " + "-" * 100_000 + "1\n```",
    "```python\n" + "x = 1\n" * 100_000 + "```",
    "\n" * 1_000_000,
    "a.b" * 300_000,
    "(" * 1_000_000,
    "\ud800```python\n",
    "```python\n\x00\n```",
    "lambda: " * 20_000 + "0",
    "x." * 100_000 + "y",
    "x[0]" * 50_000 + " = 1",
    "1 if 1 else " * 20_000 + "0",
    "".join(f"{' ' * depth}def f():\n" for depth in range(90)) + " " * 90 + "pass\n",
    "x = " + "'a' " * 200_000,
    "x = " + "f'{a}' " * 100_000,
    "class A:\n    def f(self): pass\n" * 30_000,
    "`a b c d e f` " * 60_000,
    "```md\n" * 150_000,
]


@pytest.mark.parametrize("truth", TESTS.values(), ids=TESTS)
@pytest.mark.parametrize("response", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_answer_takes_no_time(response, truth):
    tests = read_tests(json.dumps(truth))
    assert isinstance(tests, UnitTests)
    began = time.process_time()
    code_of(response, tests)
    assert time.process_time() - began < 10
