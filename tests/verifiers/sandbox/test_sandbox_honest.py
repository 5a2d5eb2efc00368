"""Honest code in the sandbox: right code passes, whatever it uses; tests that can't work there give no verdict."""
# ruff: noqa: E501 (programs in texts, a line each)

import shutil

import pytest

from tests.sandboxed import call, checks, stdio

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
CLASSES = (
    "class V:\n    def __init__(s, x): s.x = x\n    def __abs__(s): return abs(s.x)\n    def __round__(s, n=0): return round(s.x, n)\n"
    "    def __float__(s): return float(s.x)\n    def __add__(s, o): return V(s.x + (o.x if isinstance(o, V) else o))\n"
    "    def __eq__(s, o): return s.x == o.x\n    def __hash__(s): return hash(s.x)\n    def __lt__(s, o): return s.x < o.x\n"
    "    def __repr__(s): return f'V({s.x})'\n"
)
RIGHT = {
    "a type as an argument": (
        "def f(t, k): return [i for i in t if not isinstance(i, k)]",
        ["assert f((1, 2.5, 'a'), int) == [2.5, 'a']"],
    ),
    "a type as a result": ("def f(x): return type(x)", ["assert f(1) is int and f('') == str"]),
    "dates": (
        "import datetime as d\ndef f(x): return d.date(2020, 1, x)\ndef g(a, b): return b - a",
        [
            "from datetime import *\nassert f(2) == date(2020, 1, 2)\nassert g(date(2020, 1, 1), date(2020, 1, 3)) == timedelta(2)",
            "from datetime import *\nassert g(datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2020, 1, 1, 1, tzinfo=timezone.utc)).seconds == 3600",
        ],
    ),
    "a coroutine": (
        "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1",
        [
            "import asyncio\nassert asyncio.run(f(1)) == 2",
            "import asyncio\nasync def main(): return await asyncio.gather(f(1), f(2))\nassert asyncio.run(main()) == [2, 3]",
        ],
    ),
    "what can be hashed": (
        CLASSES,
        [
            "assert {V(1), V(1), V(2)} == {V(2), V(1)}",
            "assert {V(1): 'a'}[V(1)] == 'a'",
            "assert len({V(1), V(1)}) == 1",
        ],
    ),
    "what cannot": (
        "class V:\n    def __eq__(s, o): return True",
        ["try:\n    {V()}\nexcept TypeError: pass\nelse: assert False"],
    ),
    "operators": (
        CLASSES,
        [
            "assert abs(V(-3)) == 3 and round(V(2.6)) == 3 and float(V(1)) == 1.0",
            "assert V(1) + 2 == V(3) and (V(1) + V(2)).x == 3",
            "assert sorted([V(2), V(1)]) == [V(1), V(2)] and max(V(1), V(2)).x == 2 and str(V(1)) == f'{V(1)}' == 'V(1)'",
        ],
    ),
    "a context": (
        "class T:\n    def __enter__(s): return 5\n    def __exit__(s, *a):\n        s.seen = a[0]\n        return a[0] is ZeroDivisionError",
        [
            "with T() as t:\n    assert t == 5",
            "t = T()\nwith t: 1 / 0\nassert t.seen is ZeroDivisionError",
            "try:\n    with T(): [][1]\nexcept IndexError: pass\nelse: assert False",
        ],
    ),
    "a container": (
        "class Trie:\n    def __init__(s): s.w = set()\n    def insert(s, x): s.w.add(x)\n    def __contains__(s, x): return x in s.w",
        ["t = Trie()\nt.insert('a')\nassert 'a' in t and 'b' not in t"],
    ),
    "slices": (
        "class L:\n    def __init__(s, a): s.a = a\n    def __getitem__(s, i): return s.a[i]\n    def __len__(s): return len(s.a)",
        ["l = L([1, 2, 3])\nassert l[1:] == [2, 3] and l[-1] == 3 and len(l) == 3 and list(reversed(l)) == [3, 2, 1]"],
    ),
    "inheritance": (
        "from abc import ABC, abstractmethod\nclass A(ABC):\n    @abstractmethod\n    def go(s): ...\nclass B(A):\n    def go(s): return 1",
        [
            "assert issubclass(B, A) and isinstance(B(), A) and B().go() == 1",
            "try:\n    A()\nexcept TypeError: pass\nelse: assert False",
        ],
    ),
    "a decorator": (
        "import functools\ndef d(fn):\n    @functools.wraps(fn)\n    def w(*a, **k):\n        print(fn.__name__)\n        return fn(*a, **k)\n    return w",
        [
            "@d\ndef g(x, y=1):\n    'G.'\n    return x + y\nassert g(1, y=3) == 4 and g.__name__ == 'g' and g.__doc__ == 'G.'"
        ],
    ),
    "names of modules that are elsewhere": (
        "from collections import namedtuple\ndef f(): return namedtuple('P', 'x')(1)",
        ["nt = f()\nassert nt.x == 1"],
    ),
    "enums": (
        "from enum import Enum, IntEnum\nclass C(Enum):\n    RED = 1\nclass I(IntEnum):\n    A = 1\ndef f(): return C.RED",
        ["assert f() == C.RED and f() is not None and f().name == 'RED' and C(1) == C.RED and I.A == 1"],
    ),
    "a linked list": (
        "class Node:\n    def __init__(s, v, n=None): s.val, s.next = v, n\ndef rev(h):\n    p = None\n    while h: h.next, p, h = p, h, h.next\n    return p",
        ["h = rev(Node(1, Node(2)))\nassert h.val == 2 and h.next.val == 1 and h.next.next is None"],
    ),
    "memory": (
        "from functools import lru_cache\n@lru_cache(None)\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)",
        ["assert fib(90) == 2880067194370816120"],
    ),
    "closures and state": (
        "def counter():\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n        return n\n    return f",
        ["c = counter()\nassert (c(), c(), c()) == (1, 2, 3)"],
    ),
    "generators": (
        "def primes():\n    k = 2\n    while True:\n        if all(k % d for d in range(2, k)): yield k\n        k += 1",
        ["from itertools import islice\nassert list(islice(primes(), 5)) == [2, 3, 5, 7, 11]"],
    ),
    "floats": (
        "def mean(a): return sum(a) / len(a)",
        [
            "assert mean([0.1, 0.2, 0.3]) == sum([0.1, 0.2, 0.3]) / 3",
            "assert abs(mean([1, 2]) - 1.5) < 1e-6",
            "assert round(mean([1, 2, 2]), 2) == 1.67",
        ],
    ),
    "in place": (
        "def rotate(m): m[:] = [list(r) for r in zip(*m[::-1])]",
        ["m = [[1, 2], [3, 4]]\nassert rotate(m) is None and m == [[3, 1], [4, 2]]"],
    ),
    "properties": (
        "class A:\n    def __init__(s): s._c = 0\n    @property\n    def c(s): return s._c\n    @c.setter\n    def c(s, v):\n        if v < 0: raise ValueError('low')\n        s._c = v\n    @classmethod\n    def of(cls, v):\n        a = cls()\n        a.c = v\n        return a\n    @staticmethod\n    def two(): return 2",
        [
            "a = A()\na.c = 3\nassert a.c == 3 and A.of(4).c == 4 and A.two() == 2",
            "import pytest\nwith pytest.raises(ValueError, match='low') as e: A().c = -1\nassert str(e.value) == 'low'",
        ],
    ),
    "dataclasses": (
        "from dataclasses import dataclass, field\n@dataclass(order=True, frozen=True)\nclass P:\n    x: int\n    t: tuple = field(default=())\ndef f(): return [P(2), P(1)]",
        [
            "assert sorted(f()) == [P(1), P(2)] and set(f()) == {P(1), P(2)} and repr(P(1)) == 'P(x=1, t=())'",
            "try:\n    P(1).x = 2\nexcept AttributeError: pass\nelse: assert False",
        ],
    ),
    "type hints": (
        "from __future__ import annotations\nfrom typing import Optional, TypeVar, Generic\nT = TypeVar('T')\nclass Box(Generic[T]):\n    def __init__(self, v: T) -> None: self.v = v\ndef f(x: list[int] | None = None) -> Optional[int]:\n    match x:\n        case [a, *_]: return a\n        case _: return None",
        ["assert f([3, 4]) == 3 and f() is None and Box(1).v == 1"],
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_passes(name):
    code, tests = RIGHT[name]
    assert checks(code, tests) == [None] * len(tests)


def test_right_programs_pass_however_they_print_and_read():
    fast = "import atexit, io, os, sys\nout = io.StringIO()\nsys.stdout = out\natexit.register(lambda: os.write(1, out.getvalue().encode()))\nprint(int(input()) + 1)"
    closing = "n = int(input())\nwith open(1, 'w') as out: print(n + 1, file=out)"
    late = "import atexit\n@atexit.register\ndef end(): print(n + 1)\nn = int(input())"
    for code in (fast, closing, late):
        assert stdio(code, ("1", "2"), ("5", "6"), ("7", "8")) == [None] * 3, code


def test_large_inputs_reach_the_program():
    assert stdio("import sys\nprint(len(sys.stdin.read()))", ("1" * 9_000_000, "9000000")) == [None]
    assert call("def f(x): return len(x)", *[(["1" * 5_000_000], 5_000_000)] * 2) == [None, None]
    assert "too much" in checks("def f(x): return len(x)", ["assert f('1' * 9_000_000) == 9_000_000"])


@pytest.mark.parametrize(
    "test",
    [
        "class O: pass\ntry: f(O())\nexcept Exception: pass\nelse: assert False",
        "class C(A): pass\nassert C().x == 1",
        "from unittest.mock import patch\nwith patch('builtins.input', return_value='5'): assert f(1) == 5",
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out: f(1)\nassert out.getvalue() == '5\\n'",
        "import io, sys\nsys.stdout = io.StringIO()\nf(1)\nassert sys.stdout.getvalue() == '5\\n'",
        "import numpy as np\nassert np.isclose(np.array(f(1)), 2)",
    ],
)
def test_tests_that_need_the_response_in_process_have_no_verdict(test):
    found = checks("class A: x = 1\ndef f(x): print(5)", [test])
    assert isinstance(found, str), found


@pytest.mark.parametrize(
    "setup",
    [
        "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self): assert f(1) == 2",
        "class TestF:\n    async def test_a(self): assert f(1) == 2",
        "async def test_a(): assert f(1) == 2",
        "def test_a():\n    yield\n    assert f(1) == 2",
    ],
)
def test_a_test_that_would_not_be_run_passes_nothing(setup):
    assert "asynchronous or a generator" in checks("def f(x): return 3", None, setup=setup)
