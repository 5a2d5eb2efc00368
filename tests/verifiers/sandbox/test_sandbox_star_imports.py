"""Tests that import the response by a star: only what they neither import nor define is the response's."""

import shutil

import pytest

from tests.sandboxed import checks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
IMPORTS = """
import math, random, inspect, collections, unittest, pytest
import numpy as np
from math import isclose
EXPECTED = 2
def check_it(x):
    assert x == 2
from solution import *
def test_module(): assert math.isclose(f(), 2)
def test_name(): assert isclose(f(), 2)
def test_pytest(): assert f() == pytest.approx(2)
def test_numpy(): assert np.allclose(f(), 2)
def test_constant(): assert f() == EXPECTED
def test_helper(): check_it(f())
def test_late():
    import statistics
    assert statistics.mean([f()]) == 2
class T(unittest.TestCase):
    def test_case(self): self.assertEqual(f(), 2)
"""
FORGED = """
class Yes:
    isclose = allclose = mean = staticmethod(lambda *a, **k: True)
    approx = staticmethod(lambda x: 1)
    class TestCase: pass
math = pytest = np = unittest = statistics = Yes
isclose = check_it = lambda *a: True
EXPECTED = 1
def f(): return {}
"""


def test_a_response_replaces_no_name_of_the_tests():
    found = checks(FORGED.format(1), None, setup=IMPORTS)
    assert len(found) == 8 and all(found), found
    assert checks(FORGED.format(2), None, setup=IMPORTS) == [None] * 8


def test_right_code_passes_beside_modules_of_the_tests():
    used = "\ndef test_used(): assert collections.Counter([random.choice([2])]) == {2: 1}"
    assert checks("import math\ndef f(): return math.floor(2.5)", None, setup=IMPORTS + used) == [None] * 9


@pytest.mark.parametrize(
    "setup",
    [
        "from math import factorial\nfrom solution import *\ndef test(): assert factorial(3) == 6",
        "from math import *\nfrom solution import *\ndef test(): assert factorial(3) == 6",
        "def factorial(n): return 6\nfrom solution import *\ndef test(): assert factorial(3) == 6",
    ],
)
def test_whose_name_it_is_must_be_clear(setup):
    assert isinstance(checks("def factorial(n): return 7", None, setup=setup), str)
