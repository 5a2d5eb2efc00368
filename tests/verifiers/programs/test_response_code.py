"""Which program is made of a response: blocks as models write them, around an ``add`` that adds."""
# ruff: noqa: E501 (programs in texts, a line each)

import contextlib
import io
import json
import sys

import pytest

from curate.verifiers.programs.response_code import code_of
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests

ADD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
FENCE = "```"


def unit_tests(truth) -> UnitTests:
    found = read_tests(truth if isinstance(truth, str) else json.dumps(truth))
    assert isinstance(found, UnitTests), found
    return found


ASSERTS = unit_tests(["assert add(1, 2) == 3"])
PROGRAM = unit_tests({"inputs": ["1 2\n"], "outputs": ["3\n"]})
HUMAN = unit_tests(
    {
        "prompt": 'from typing import List\n\n\ndef add(a: int, b: int) -> int:\n    """ Adds.\n    >>> add(1, 2)\n    3\n    """\n',
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
        "entry_point": "add",
    }
)


def py(*codes: str, label: str = "python") -> str:
    return "\nSo:\n".join(f"{FENCE}{label}\n{code.rstrip()}\n{FENCE}" for code in codes)


def added(response: str, tests: UnitTests = ASSERTS) -> object:
    """The result of the response's add(1, 2), or None if it has no code."""
    code = code_of(response, tests)
    if code is None:
        return None
    names: dict = {"__name__": "solution"}
    exec(compile(code, "response.py", "exec"), names)  # noqa: S102 (the codes are those below)
    return names["add"](1, 2)


ADDS = {
    "imports first": py("import math", "def add(a, b):\n    return int(math.fsum([a, b]))"),
    "helper first": py("def one(a):\n    return a", "def add(a, b):\n    return one(a) + one(b)"),
    "helper behind": py("def add(a, b):\n    return one(a) + one(b)", "def one(a):\n    return a"),
    "helper's import first": py("import math", "def one(a):\n    return math.floor(a)", "def add(a, b):\n    return one(a) + b"),
    "a constant and a table": py("ZERO = 0\ntable = {}\ntable[0] = ZERO", "def add(a, b):\n    return a + b + table[0]"),
    "a table filled by a loop": py("t = [0] * 9\nfor i in range(9):\n    t[i] = i", "def add(a, b):\n    return t[a] + t[b]"),
    "a list made longer": py("t = []", "t.append(0)", "def add(a, b):\n    return a + b + t[0]"),
    "a star import": py("from math import *", "def add(a, b):\n    return int(fsum([a, b]))"),
    "fence in a docstring": py('def add(a, b):\n    """Adds.\n\n    ```\n    add(1, 2)\n    ```\n    """\n    return a + b'),
    "labelled fence in a docstring": py("def add(a, b):\n    '''Adds.\n\n```python\nadd(1, 2)\n```\n'''\n    return a + b"),
    "fence in a string": py('NOTE = """\n```\nx\n```\n"""\n' + ADD),
    "fence in a comment": py("# ```\n" + ADD),
    "a stray quote before": f"It's so: don't.\n{py(ADD)}\nIt's done.",
    "a broken string before": py('x = """\n', 'def add(a, b):\n    """Adds."""\n    return a + b'),
    "tildes": f"~~~python\n{ADD}~~~",
    "four backticks": f"````python\n{ADD}````",
    "closed by a longer fence": f"```python\n{ADD}`````\nDone.",
    "closed behind the last line": f"```python\n{ADD.rstrip()}```\nDone.",
    "closed in the middle of a line": f"```python\n{ADD}``` It is done.",
    "an item of a list": "1. First:\n\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n2. Done.",
    "a fence behind a bullet": "- ```python\n  def add(a, b):\n      return a + b\n  ```\n",
    "a quotation": "> ```python\n> def add(a, b):\n>     return a + b\n> ```\n",
    "text before the fence": f"Here: ```python\n{ADD}```",
    "no label": py(ADD, label=""),
    "py3": py(ADD, label="py3"),
    "Python 3": py(ADD, label="Python 3"),
    "python3.11": py(ADD, label="python3.11"),
    "a title": py(ADD, label='python title="add.py"'),
    "a name of a file": py(ADD, label="python:add.py"),
    "only a name of a file": py(ADD, label="src/add.py"),
    "pandoc": py(ADD, label="{.python .numberLines}"),
    "another label": py(ADD, label="text"),
    "windows": py(ADD).replace("\n", "\r\n"),
    "PYTHON tags": f"[PYTHON]\n{ADD}[/PYTHON]\n[TESTS]\nassert add(1, 2) == 4\n[/TESTS]",
    "MBPP's tags": f"[BEGIN]\n{ADD}[DONE]\nMore.",
    "an open tag": f"[PYTHON]\n{ADD}",
    "code tags": f"<code>\n{ADD}</code>",
    "pre and code tags": f'<pre><code class="language-python">{ADD}</code></pre>',
    "entities": "<code>def add(a, b):\n    return a + b if a &lt; b else b + a\n</code>",
    "answer tags": f"<answer>\n{ADD}</answer>",
    "fences in tags": f"<answer>\n{py(ADD)}\n</answer>",
    "plain": ADD,
    "plain with an example": f"{ADD}\nprint(add(1, 2))\n",
    "in prose": f"Here is the code:\n\n{ADD}\nIt adds two numbers.",
    "in prose with imports": "First import math.\n\nimport math\n\n\ndef one(a):\n    return math.floor(a)\n\n"
    "def add(a, b):\n\n    return one(a) + b\n\nNote: it (mostly) works; done = yes, it's fine.",
    "in prose behind an open bracket": f"import (as said\n\n{ADD}\nDone.",
    "in prose with a list of lines": "The code:\nT = [\n0,\n]\ndef add(a, b):\n    return a + b + T[0]\nDone.",
    "indented in prose": "Here:\n\n    def add(a, b):\n        return a + b\n\nIt adds.",
    "decorated in prose": "So:\nfrom functools import cache\n@cache\ndef add(a, b):\n    return a + b\nDone.",
    "in prose beside a shell": f"{py('pip install x', label='bash')}\nThen:\n\n{ADD}\nDone.",
    "a session": py(">>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3"),
    "a session behind": py(ADD, ">>> add(1, 2)\n4"),
    "a wrong draft": py(WRONG, ADD),
    "a draft that raises": py(WRONG + "assert add(1, 2) == 3", ADD),
    "a draft that reads": py(WRONG + "n = int(input())\nprint(n)", ADD),
    "a draft that is broken": py("def add(a, b)\n    return", ADD),
    "a later one that is broken": py(ADD, "def add(a, b):\n    return ("),
    "a part of it behind": py(ADD, "    return a + b"),
    "an example that fails": py(ADD, "assert add(1, 2) == 4"),
    "an example that reads": py(ADD, "a, b = map(int, input().split())\nprint(add(a, b))"),
    "an example before": py("print(add(1, 2))", ADD),
    "an example that names a local": py("a = int(input())\nresult = 1 / 0", "def add(a, b):\n    result = a + b\n    return result"),
    "an example that names a builtin": py("sum = 1 / 0", "def add(a, b):\n    return sum([a, b])"),
    "tests behind": py(ADD, "import unittest\nclass TestAdd(unittest.TestCase):\n    def test(self):\n        assert add(1, 2) == 4\n\nunittest.main()"),
    "output behind": py(ADD) + "\nOutput:\n" + py("3", label=""),
    "json behind": py(ADD) + py('{"add": 3}', label="json"),
    "an unlabelled example": py(ADD) + py("add(1, 2)", label=""),
    "cut off in an example": f"```python\n{ADD}\nprint(add(1,",
    "cut off behind": f"{py(ADD)}\nAn example:\n```python\nprint(add(1, ",
    "cut off in a second draft": f"{py(ADD)}\nBetter:\n```python\ndef add(a, b):\n    return (a ",
    "the fence is open": f"```python\n{ADD}",
    "a name that is assigned": py("from operator import add", "print(add(2, 3))"),
    "typing is not imported": py("def add(a: List[int], b: Optional[int]) -> Any:\n    return a + b"),
    "from the future": py("import math", "from __future__ import annotations\n\n\ndef add(a: Undefined, b):\n    return math.floor(a + b)"),
    "in markdown": f"````markdown\n{py(ADD)}\n````",
    "in markdown by the same fence": f"```markdown\n{py(ADD)}\n```",
    "begun behind the label": "```python import math\ndef add(a, b):\n    return math.floor(a + b)\n```",
    "in a line": "It is ```python def add(a, b): return a + b```.",
    "in a span": "It is `add = lambda a, b: a + b`, where `a` and `b` are numbers.",
    "marks without brackets": f"BEGIN\n{ADD}[DONE]",
    "an import of itself behind": py(ADD, "from solution import add\nadd(1, 2)"),
    "spaces of a web page": py(ADD.replace("    ", "\u00a0" * 4)),
    "a byte order mark": "\ufeff" + ADD,
    "latex": f"\\begin{{lstlisting}}[language=Python]\n{ADD}\\end{{lstlisting}}",
    "a closing fence alone": f"{ADD}```\nThis adds the numbers.",
    "between headings": f"# Solution\n\n{ADD}\n# Explanation\nIt adds.",
    "magic": py("%matplotlib inline\n!pip install numpy\n" + ADD),
    "one statement a line": py("import math; ZERO = 0", "def add(a, b): return a + b + ZERO"),
    "a condition around": py("try:\n    import nothing_here\nexcept ImportError:\n    nothing_here = 0", "def add(a, b):\n    return a + b + nothing_here"),
}  # fmt: skip


@pytest.mark.parametrize("response", ADDS.values(), ids=ADDS)
def test_an_answer_is_one_program(response):
    assert added(response) == 3


NONE = {
    "prose": "You add the two numbers: a + b.",
    "a word": "add",
    "shell": py("pip install add", label="bash"),
    "another language": py("function add(a, b) { return a + b; }", label="javascript"),
    "output": py("3", label=""),
    "an open tag": "[PYTHON]",
    "many ticks": "`" * 1000,
}


@pytest.mark.parametrize("response", NONE.values(), ids=NONE)
def test_an_answer_without_code_has_none(response):
    assert code_of(response, ASSERTS) is None


@pytest.mark.parametrize("response", [py(WRONG), WRONG, py(ADD, WRONG), py(ADD, "add = max", label="")])
def test_the_last_definition_is_the_answer(response):
    assert added(response) not in (3, None)


READ = "a, b = map(int, input().split())\n"
PRINTS = {
    "one block": py(READ + "print(a + b)"),
    "in steps": py(READ, "c = a + b", "print(c)"),
    "imports first": py("import sys", "a, b = map(int, sys.stdin.read().split())\nprint(a + b)"),
    "a function and its call": py("def solve():\n    a, b = map(int, input().split())\n    print(a + b)", "solve()"),
    "a function and a main": py(ADD, f"{READ}print(add(a, b))"),
    "a guarded main": py(ADD, "def main():\n    print(add(*map(int, input().split())))", "if __name__ == '__main__':\n    main()"),
    "a draft that prints": py("def add(a, b):\n    return 0\nprint(add(1, 2))", ADD + READ + "print(add(a, b))"),
    "a brute force before": py(READ + "print(a * b)", READ + "print(a + b)"),
    "its heart behind": py(READ + "print(a + b)", "a + b"),
    "a line of it behind": py(READ + "print(a + b)", "a, b = map(int, input().split())"),
    "an example behind": py(ADD + "if __name__ == '__main__':\n    print(add(*map(int, input().split())))", "print(add(5, 6))"),
    "a test with feigned input": py(READ + "print(a + b)", "import io, sys\nsys.stdin = io.StringIO('5 6')\nprint(input())"),
    "a fast input": py("import sys\ninput = sys.stdin.readline", READ + "print(a + b)"),
    "input is passed on": py("print(sum(map(int, iter(input, ''))))", READ + "print(a + b)"),
    "output behind": py(READ + "print(a + b)") + "\n" + py("3", label=""),
    "an unlabelled one": py(READ + "print(a + b)", label=""),
    "in prose": f"The program:\n\n{READ}print(a + b)\n\nIt reads and prints.",
    "nothing imported": py("a, b = map(int, sys.stdin.readline().split())\nprint(reduce(lambda x, y: x + y, [a, b]))"),
    "it writes": py("import os\na, b = map(int, os.read(0, 99).split())\nos.write(1, str(a + b).encode())"),
}  # fmt: skip


@pytest.mark.parametrize("response", PRINTS.values(), ids=PRINTS)
def test_a_program_that_reads_is_whole(response, monkeypatch, capfd):
    code = code_of(response, PROGRAM)
    assert code is not None
    given = io.TextIOWrapper(io.BytesIO(b"1 2\n"))
    if "os.read" in code:
        code = code.replace("os.read(0, 99)", "b'1 2'")
    monkeypatch.setattr(sys, "stdin", given)
    with contextlib.suppress(SystemExit):
        exec(compile(code, "response.py", "exec"), {"__name__": "__main__"})  # noqa: S102
    assert capfd.readouterr().out.split() == ["3"]


BODIES = {
    "as a base model writes": "    return a + b\n",
    "with more behind": "    return a + b\n\n\ndef sub(a, b):\n    return a - b\n\nprint(sub(1, ",
    "without its first indentation": "if a:\n        return a + b\n    return b",
    "without indentation": "c = a + b\nreturn c",
    "in a fence": py("    return a + b"),
    "in a fence without indentation": py("c = a + b\nreturn c"),
    "the whole function": py(ADD),
    "with its head": py("def add(a: int, b: int) -> List[int]:\n    return a + b"),
    "in a bare fence": py("    return a + b", label=""),
}


@pytest.mark.parametrize("response", BODIES.values(), ids=BODIES)
def test_a_body_belongs_to_the_head_that_is_given(response):
    assert added(response, HUMAN) == 3


def test_a_body_alone_is_nothing_without_a_head():
    assert code_of("    return a + b\n", ASSERTS) is None


METHOD = unit_tests({"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]})
ENTRY = unit_tests(
    {"test": "def check(candidate):\n    assert candidate(a=1, b=2) == 3", "entry_point": "Solution().add"}
)
SOLUTION = "class Solution:\n    def add(self, a: List[int], b: int) -> int:\n        return int(math.fsum([a, b]))\n"


@pytest.mark.parametrize("tests", [METHOD, ENTRY], ids=["call", "check"])
@pytest.mark.parametrize(
    "response",
    [py(SOLUTION), py(SOLUTION, "def add(self, a, b):\n    return 0"), py(SOLUTION, "print(Solution().add(5, 6))")],
    ids=["alone", "a method behind", "an example behind"],
)
def test_a_method_is_in_its_class(response, tests):
    code = code_of(response, tests)
    assert code is not None
    names: dict = {}
    exec(code, names)  # noqa: S102
    assert names["Solution"]().add(1, 2) == 3
