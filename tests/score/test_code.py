"""``score: code``: the tests it reads, the code it takes, its results. The programs run in real sandboxes."""
# ruff: noqa: E501 (programs in texts, a line each)

import json
import shutil
import time
from typing import Any

import polars as pl
import pytest

from curate.models.clients.sandbox import SandboxEngine
from curate.score.code import score
from curate.steps.model_calls import ModelCalls
from curate.verifiers.programs.response_code import code_of
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests
from schemas.errors import UserError
from schemas.requests import Sampling, make_request
from tests.asking import Asked
from tests.score.drive_scorer import scored

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
ASSERTS = '["assert f(1) == 2", "assert f(2) == 3"]'


def scored_in_sandboxes(rows, **settings):
    """Score rows of (response, ground_truth) in real sandboxes."""
    engine = SandboxEngine()
    texts = [
        pl.Series(name, values, dtype=pl.String)
        for name, values in zip(("response", "ground_truth"), zip(*rows, strict=True), strict=True)
    ]
    try:

        def reply(ask, calls):
            one = make_request("sandbox", ask, None, Sampling(), 0, calls.task)
            return Asked([[one]]).by(engine)[one.key]

        return scored(score(*texts, **settings), reply)[0]
    finally:
        engine.close()


def unit_tests_in(text: str) -> UnitTests:
    """The tests in a ground truth that has some."""
    found = read_tests(text)
    assert isinstance(found, UnitTests), found
    return found


def fenced(code):
    return f"Here it is:\n\n```python\n{code}\n```\nIt works."


@pytest.mark.slow
@needs_bwrap
def test_each_format_passes_right_code_and_wrong_code_in_part():
    right, wrong = "def f(x):\n    return x + 1", "def f(x):\n    return 2"
    human = {
        "test": "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 3",
        "entry_point": "f",
    }
    leet = {"test": human["test"], "entry_point": "Solution().f"}
    kod = "from solution import f\n\ndef test_one():\n    assert f(1) == 2\n\ndef test_two():\n    assert f(2) == 3\n"
    unit = (
        "import unittest\nclass TestF(unittest.TestCase):\n    def setUp(self): self.x = 1\n"
        "    def test_a(self): self.assertEqual(f(self.x), 2)\n    def test_b(self): self.assertEqual(f(2), 3)"
    )
    pytests = (
        "import pytest\n@pytest.mark.parametrize('a, b', [(1, 2), (2, 3)])\ndef test_f(a, b):\n"
        "    assert f(a) == pytest.approx(b)"
    )
    calls = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[2], [3]]}
    lines = {"fn_name": "f", "inputs": ["1", "2"], "outputs": ["2", "3"]}
    program = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "3"]}
    listed = [{"input": "1", "output": "2", "testtype": "stdin"}, {"input": "2", "output": "3", "testtype": "stdin"}]
    mbpp = {"test_list": ["assert f(one) == 2", "assert f(2) == 3"], "test_setup_code": "one = 1"}
    tests = [
        ASSERTS,
        json.dumps(human),
        json.dumps(leet),
        kod,
        unit,
        pytests,
        json.dumps(calls),
        json.dumps(lines),
        json.dumps(program),
        json.dumps(json.dumps(program)),
        json.dumps(listed),
        json.dumps(mbpp),
        "one = 1\nassert f(one) == 2\nassert f(2) == 3",
    ]
    rows, share = [], []
    for text in tests:
        whole = "Solution" in text
        reads = "input" in text and "fn_name" not in text
        for code in (right, wrong):
            body = f"class Solution:\n    def f(self, x):\n        return {code.split('return')[1]}" if whole else code
            rows.append((fenced(body + ("\nprint(f(int(input())))" if reads else "")), text))
            share.append(1.0 if code == right else 0.0 if "check" in text else 0.5)
    found = scored_in_sandboxes(rows)
    assert found["value"].to_list() == share, found.filter(found["value"] != pl.Series(share)).to_dicts()
    assert found["error"].null_count() == len(rows)
    assert json.loads(found["detail"][1]) == {"passed": 1, "tests": 2, "failed": {"1": "AssertionError"}}


@pytest.mark.slow
@needs_bwrap
def test_what_honest_code_does_is_understood():
    stack = (
        "class Stack:\n    '''S.'''\n    def __init__(self): self.items = []\n    def push(self, x): self.items.append(x)\n"
        "    def pop(self): return self.items.pop()\n    def __len__(self): return len(self.items)\n"
        "    def __iter__(self): return iter(self.items)\n    def __eq__(self, o): return self.items == o.items\n"
        "    def __add__(self, o):\n        s = Stack()\n        s.items = self.items + o.items\n        return s"
    )
    cases = [
        (
            stack,
            [
                "s = Stack()\ns.push(1)\nassert len(s) == 1 and s.pop() == 1 and s.items == []",
                "import pytest\nwith pytest.raises(IndexError):\n    Stack().pop()",
                "a, b = Stack(), Stack()\na.push(1)\nb.push(1)\nassert a == b and len(a + b) == 2 and 1 in a",
                "assert isinstance(Stack(), Stack) and not isinstance(3, Stack)",
            ],
        ),
        (
            "def f(l):\n    print('sorting')\n    l.sort()\n    return len(l)",
            ["l = [3, 1]\nassert f(l) == 2 and l == [1, 3]"],
        ),
        (
            "def f(): return (1, 2.5, {'a': {1, 2}}, None, b'x', 1j, 10**50, float('inf'))",
            [
                "assert f() == (1, 2.5, {'a': {1, 2}}, None, b'x', 1j, 10**50, float('inf')) and isinstance(f(), tuple)",
                "assert f() != [1]",
            ],
        ),
        (
            "def f(n):\n    for i in range(n): yield i",
            ["assert list(f(3)) == [0, 1, 2]", "g = f(2)\nassert next(g) == 0"],
        ),
        ("def f(n): return lambda x: x + n", ["assert f(2)(3) == 5"]),
        ("def f(g, xs): return [g(x) for x in xs]", ["assert f(lambda x: x * 2, [1, 2]) == [2, 4]"]),
        (
            "from collections import Counter, namedtuple\nP = namedtuple('P', 'x y')\ndef f(s): return Counter(s)\n"
            "def p(): return P(1, 2)",
            ["assert f('aab') == {'a': 2, 'b': 1} and f('aa')['z'] == 0", "assert p().y == 2"],
        ),
        (
            "class Bad(ValueError): pass\ndef f(x): raise Bad('no ' + str(x))",
            [
                "try:\n    f(1)\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'no 1'",
                "import pytest\nwith pytest.raises(Bad, match='no'):\n    f(1)",
            ],
        ),
        (
            "import math\nfrom typing import List\ndef f(x: List[int]) -> float: return math.sqrt(sum(x))",
            ["assert math.isclose(f([2]), 2 ** 0.5)"],
        ),
        (
            "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(): return P(1)",
            ["assert f() == P(1) and f() != P(2) and f().x == 1"],
        ),
        (
            "import sys, threading\nsys.setrecursionlimit(10**5)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)",
            ["assert f(9000) == 9000"],
        ),
        ("def f(x): return x\nif __name__ == '__main__': f(input())", ["assert f(None) is None and f(True) is True"]),
    ]
    found = scored_in_sandboxes([(fenced(code), json.dumps(tests)) for code, tests in cases])
    assert found["value"].to_list() == [1.0] * len(cases), found.filter(pl.col("value") != 1.0)["detail"].to_list()


@needs_bwrap
def test_programs_that_read_in_every_way_and_leave_in_every_way():
    codes = [
        "import sys\nfor line in sys.stdin: print(int(line) + 1)",
        "import sys\nprint(int(sys.stdin.buffer.read()) + 1)",
        "import os\nos.write(1, str(int(os.read(0, 99)) + 1).encode())",
        "n = int(open(0).read())\nprint(n + 1)\nexit()",
        "import os, sys\nprint(int(input()) + 1)\nsys.stdout.flush()\nos._exit(0)",
        "import sys, threading\ndef main(): print(int(input()) + 1)\nthreading.stack_size(1 << 26)\n"
        "threading.Thread(target=main).start()",
        "if __name__ == '__main__':\n    print(f'{int(input()) + 1}  ')\n    print()",
    ]
    tests = json.dumps({"inputs": ["1\n", "5\n"], "outputs": ["2\n", "6\n"]})
    found = scored_in_sandboxes([(fenced(code), tests) for code in codes])
    assert found["value"].to_list() == [1.0] * len(codes), found["detail"].to_list()
    wrong = scored_in_sandboxes(
        [(fenced("print(int(input()) + 1)\nraise ValueError('late')"), tests), (fenced("print(1 / 0)"), tests)]
    )
    assert wrong["value"].to_list() == [0.0, 0.0] and "ValueError: late" in wrong["detail"][0]


@needs_bwrap
def test_a_row_that_can_not_be_scored_is_null_and_says_why():
    rows = [
        ("x", None),
        ("x", ""),
        ("x", "42"),
        ("x", "[]"),
        ("x", '{"a": 1}'),
        ("x", "def check(c): pass"),
        (None, ASSERTS),
        (fenced("def f(x): return x"), '["import numpy as np\\nassert f(1) == 1"]'),
        (fenced("def f(x): return x"), "import numpy\ndef test_a(): assert f(1)"),
        (fenced("def f(x): return x"), "def test_a(tmp_path): assert f(1)"),
    ]
    found = scored_in_sandboxes(rows)
    assert found["value"].null_count() == len(rows), found["detail"].to_list()
    assert "numpy" in found["error"][7] and "numpy" in found["error"][8] and "tmp_path" in found["error"][9]
    assert found["error"].to_list()[:2] == ["no tests: ground_truth is empty"] * 2


def test_a_response_without_code_is_zero_and_nothing_is_run():
    texts = pl.Series(["I can't.", "```bash\nls\n```", "hello", "42"])
    steps = score(texts, pl.Series([ASSERTS] * 4))
    calls = next(steps)
    assert isinstance(calls, ModelCalls)
    assert (calls.model, calls.task, calls.requests.null_count()) == ("sandbox", "run", 4)
    found = scored(score(texts, pl.Series([ASSERTS] * 4)))[0]
    assert found["value"].to_list() == [0.0] * 4 and found["error"].null_count() == 4
    assert json.loads(found["detail"][0])["why"] == "the response has no Python code"


def test_which_code_of_a_response_is_taken():
    tests = unit_tests_in(ASSERTS)
    solution, usage = "def f(x):\n    return x + 1\n", "print(f(3))\n"
    both = f"First:\n```python\n{solution}```\nUse it:\n```python\n{usage}```"
    assert code_of(both, tests) == solution
    assert code_of(both, unit_tests_in('{"inputs": ["1"], "outputs": ["2"]}')) == solution + usage
    assert code_of(solution, tests) == solution
    assert code_of(f"```py\n{solution}", tests) == solution, "a fence that was cut off"
    assert code_of(f"```\n{solution}```", tests) == solution
    assert code_of(f"```bash\npip install\n```\n```Python\n{solution}```", tests) == solution
    assert code_of("An answer in prose.", tests) is None and code_of("(" * 10_000, tests) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1. So:\n   ```python\n   def f(x):\n       return 2\n   ```\n2. Done.", "def f(x):\n    return 2\n"),
        ("1. ```python\n   def f(x):\n       return 2\n   ```\n", "def f(x):\n    return 2\n"),
        ("So:\r\n```python\r\ndef f(x): return 2\r\n```\r\nDone.", "def f(x): return 2\r\n"),
        ("So: ```python\ndef f(x): return 2\n```\nDone.", "def f(x): return 2\n"),
        ("```{.python}\ndef f(x): return 2\n```", "def f(x): return 2\n"),
        ("```python\ndef f(x): return 2\n```\nUse:\n```python\nresult = f(2)\n```", "def f(x): return 2\n"),
        (
            "```python\ndef f(x): return 2\n```\nTest:\n```python\ndef test_f(): assert f(1) == 2\n```",
            "def f(x): return 2\n",
        ),
        ("```\ndef f(x): return 2\n```\nUse:\n```python\nprint(f(1))\n```", "def f(x): return 2\n"),
        ("```python\nf = lambda x: 2\n```\nUse:\n```python\nprint(f(1))\n```", "f = lambda x: 2\n"),
        ("Not ```this``` but\n```py\ndef f(x): return 2\n```", "def f(x): return 2\n"),
        ("`" * 300_000, None),
        ("```" + " " * 300_000, None),
        ("```" + "a" * 300_000, None),
        (" " * 300_000, None),
        ("```python\n" + "\n" * 100_000 + "def f(x): return 2\n```", "\n" * 100_000 + "def f(x): return 2\n"),
    ],
    ids=lambda text: "text",
)
def test_code_is_found_as_models_write_it_and_in_no_time(text, code):
    tests = unit_tests_in("from solution import f\n\ndef test_f():\n    result = f(1)\n    assert result == 2")
    began = time.process_time()
    assert code_of(text, tests) == code
    assert time.process_time() - began < 2


def test_a_program_is_the_last_block_that_reads():
    text = "```python\nprint(int(input()) + 1)\n```\nIts heart:\n```python\nx + 1\n```"
    assert code_of(text, unit_tests_in('{"inputs": ["1"], "outputs": ["2"]}')) == "print(int(input()) + 1)\n"


def test_limits_are_checked_and_are_part_of_what_is_asked():
    calls = [next(score(pl.Series([fenced("f = abs")]), pl.Series([ASSERTS]), seconds=s)) for s in (6.0, 7.0)]
    asks = [one.requests[0] for one in calls if isinstance(one, ModelCalls)]
    assert json.loads(asks[0])["seconds"] == 6.0 and asks[0] != asks[1]
    wrong: list[dict[str, Any]] = [{"seconds": 0.0}, {"seconds": 9.0, "total": 3.0}, {"memory": 1}]
    for bad in wrong:
        with pytest.raises(UserError, match=next(iter(bad)) if len(bad) == 1 else "total"):
            next(score(pl.Series([""]), pl.Series([""]), **bad))


def test_a_failed_run_is_null_with_its_error():
    found = scored(score(pl.Series([fenced("f = abs")]), pl.Series([ASSERTS])), lambda ask, calls: {"error": "busy"})[0]
    assert found.row(0) == (None, None, "busy")
