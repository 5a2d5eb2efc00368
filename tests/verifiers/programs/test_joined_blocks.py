"""Blocks of a response that go on with what others define, around an ``add`` that adds."""

import pytest

from curate.verifiers.programs.early_reads import early_reads
from curate.verifiers.programs.response_code import code_of
from tests.verifiers.programs.test_response_code import ADD, FENCE, HUMAN, WRONG, added, py, unit_tests

CALC = "class Calc:\n    def add(self, a, b):\n        return a - b"
SUM = unit_tests(["assert Calc().add(1, 2) == 3"])
ADDS = {
    "remembered": py(ADD, "from functools import lru_cache\nadd = lru_cache(None)(add)"),
    "wrapped": py(ADD, "_add = add\ndef add(a, b):\n    return _add(a, b)"),
    "wrapped twice": py(ADD, "_add = add\ndef add(a, b):\n    return _add(a, b)", "add = (lambda f: f)(add)"),
    "decorated by an old self": py("def plus(f):\n    return lambda a, b: f(a, b) + 2 * b", "@plus\n" + WRONG),
    "a helper mended behind": py(
        "def h(a, b):\n    return a - b\ndef add(a, b):\n    return h(a, b)",
        "def h(a, b):\n    return g(a, b)\ndef g(a, b):\n    return a + b",
    ),
    "a table filled behind": py(
        "OPS = {}\ndef add(a, b):\n    return OPS['+'](a, b)", "import operator\nOPS['+'] = operator.add"
    ),
    "no example of a change": py(
        "ZERO = [0]\ndef add(a, b):\n    return a + b + ZERO[0]", "ZERO[0] = 1\nassert add(1, 2) == 4"
    ),
    "a variable of an example": py("a = 1 / 0\nb = a", "a = 1\nb = a\n" + ADD),
    "counted in a loop": py("n = 1 / 0", "for n in range(3):\n    m = n\nk = m + n\n" + ADD),
    "counted in a comprehension": py("x = 1 / 0", "y = [x for x in range(3)]\nx = y\n" + ADD),
}
CALCS = {
    "derived from itself": py(CALC, "class Calc(Calc):\n    def add(self, a, b):\n        return a + b"),
    "a method set behind": py("class Calc:\n    pass", "def add(self, a, b):\n    return a + b\nCalc.add = add"),
    "by setattr": py("class Calc:\n    pass", "def add(self, a, b):\n    return a + b\nsetattr(Calc, 'add', add)"),
}


@pytest.mark.parametrize("name", ADDS)
def test_a_block_goes_on_with_an_earlier_one(name):
    assert added(ADDS[name]) == 3


@pytest.mark.parametrize("name", CALCS)
def test_a_block_goes_on_with_a_class(name):
    names: dict = {"__name__": "solution"}
    exec(code_of(CALCS[name], SUM) or "", names)  # noqa: S102 (the codes above)
    assert names["Calc"]().add(1, 2) == 3


@pytest.mark.parametrize(
    "body",
    ["\n    c = a\n    return c + b", "    \n\n    c = a\n    return c + b", "c = a\nreturn c + b", "\n\nreturn a + b"],
)
def test_a_fenced_body_may_begin_with_blank_lines(body):
    for response in (f"{FENCE}python\n{body}\n{FENCE}", f"{FENCE}\n{body}\n{FENCE}", body):
        assert added(response, HUMAN) == 3, response


def test_a_body_of_comments_is_no_body():
    assert code_of("# TODO\n", HUMAN) is None
    assert code_of(py("# TODO"), HUMAN) in (None, "# TODO\n")


def test_reads_before_binding():
    code = """
import a.b as c, d.e
f = g
f, d, c
for h in i: h
with j as k: k
try: l
except E as m: m
def n(o=p, *q: r): s
class T(n, metaclass=U):
    v = v
    w = 1
    x = w
[y for y in z]
lambda aa: bb
match f:
    case {"k": cc, **dd} if cc: dd
ee += 1
(ff := gg), ff
"""
    assert early_reads(code) == {"g", "i", "j", "l", "E", "p", "U", "v", "z", "ee", "gg"}
    assert early_reads("if x: pass\n" + "elif x: y\n" * 3000) <= {"x", "y"}
    assert early_reads("no Python at all") == set()
