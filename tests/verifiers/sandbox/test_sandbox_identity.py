"""Tests that can see that the response is in another process: they hold, or they give no verdict."""

import shutil

import pytest

from tests.sandboxed import checks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
CODE = """
import os, random
from enum import Enum
class Color(Enum):
    RED = 1
class S:
    _one = None
    def __new__(cls):
        cls._one = cls._one or super().__new__(cls)
        return cls._one
class A:
    def __init__(s): s.kids = []
    def get(s): return s.kids
    def me(s): return s
def f(x=None): return x
def shallow(d): return dict(d)
def fresh(x): return sorted(x)
"""
KNOWN = [
    ("assert S() is S() and id(S()) == id(S()) and Color.RED is Color.RED and A() is not A()", True),
    ("x = [1]\nassert f(x) is x", True),
    ("x = [1]\nassert f(x) is not x", False),
    ("d = {'a': [1]}\nc = f(d)\nc['a'].append(2)\nassert d == {'a': [1]}", False),
    ("x = [2, 1]\ny = fresh(x)\nassert y is not x\ny.append(3)\nassert x == [2, 1] and y == [1, 2, 3]", True),
    ("a = A()\nassert a.get() == [] and a.kids == a.get()", True),
]
UNKNOWN = [
    "d = {'a': [1]}\nc = shallow(d)\nc['a'].append(2)\nassert d == {'a': [1]}",
    "a = A()\na.kids.append(1)\nassert len(a.kids) == 1",
    "a = A()\nx = a.get()\nx.append(5)\nassert a.get() == []",
    "a = A()\nassert a.me() is a",
    "assert type(A()) is A",
    "assert type(A()).__name__ == 'A'",
    "assert A().__class__.__name__ == 'A'",
    "assert vars(A()) == {'kids': []}",
    "assert A().__dict__ == {'kids': []}",
    "assert isinstance(A, type)",
    "assert issubclass(A, object)",
    "import inspect\nassert inspect.isclass(A)",
    "import io\nf(io.StringIO())",
    "open('/tmp/x', 'w').close()\nf('/tmp/x')",
    "import os\nos.environ['ZZ'] = '1'\nf()",
    "import random\nrandom.seed(1)\nf()",
    "from unittest.mock import patch\nwith patch('time.time', return_value=5): f()",
    "import unittest.mock\nwith unittest.mock.patch('solution.f', return_value=5): f()",
    "import pathlib\npathlib.Path('/tmp/x').write_text('hi')\nf('/tmp/x')",
]


def test_an_exception_called_as_a_builtin_is_another():
    code = "class ValueError(Exception): pass\ndef f(): raise ValueError('x')\ndef g(): raise KeyError('x')"
    test = "import pytest\nwith pytest.raises({}): {}()"
    tests = [test.format("LookupError", "g"), test.format("Exception", "f"), test.format("ValueError", "f")]
    assert [why is None for why in checks(code, tests)] == [True, True, False]


def test_what_is_known_of_objects_has_a_verdict():
    found = checks(CODE, [test for test, _ in KNOWN])
    assert [why is None for why in found] == [passes for _, passes in KNOWN], found


@pytest.mark.parametrize("test", UNKNOWN)
def test_what_is_not_known_has_none(test):
    found = checks(CODE, [test])
    assert isinstance(found, str), found
