"""Responses that solve nothing, one for each way in which weak tests are deceived. Runs nothing.

A test that lets one of them pass gives its full score to a model that has learnt nothing but that.
"""

import keyword

from curate.verifiers.programs.tests_found import UnitTests

CONSTANTS = ("True", "0", "''")  # True and 0 also equal 1 and False
# What the response does, in words, and the body of the function that it answers every call with.
BODIES = {
    "equals everything": "return Equal()",
    "returns its argument": "return next(iter([*args, *named.values()]), None)",
    "empties its argument": (
        "held = [one for one in args if isinstance(one, (list, dict, set, bytearray))]\n"
        "    return [one.clear() or one for one in held][0] if held else None"
    ),
    "does nothing": "return None",
} | {f"returns {constant}": f"return {constant}" for constant in CONSTANTS}
PROGRAMS = {
    "returns its argument": "import sys\nsys.stdout.write(sys.stdin.read())",
    "does nothing": "pass",
    "returns 0": "print(0)",
}
# An object that equals, holds and is whatever it is compared with, in so far as an object can say so itself.
EQUAL = """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    def __len__(self): return 1
    def __iter__(self): return iter([self])
    def __contains__(self, item): return True
    def __getitem__(self, key): return self
    def __call__(self, *args, **named): return self
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return self
    def __enter__(self): return self
    def __exit__(self, *error): return True
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __truediv__ = __call__
    __abs__ = __neg__ = __round__ = __call__
"""
# Every name of the tests: a function, or by convention a class, whose methods all answer alike.
ANSWER = """
def answer(*args, **named):
    {body}
class Class:
    def __init__(self, *args, **named): pass
    def __getattr__(self, name): return answer
"""


def hostile_responses(tests: UnitTests) -> dict[str, str]:
    """Return responses that tests must fail: what each does, in words, and its code.

    Args:
        tests: The tests; each name that they use is a function, or a class if it begins with a capital.
    """
    if tests.run["how"] == "stdio":
        return dict(PROGRAMS)
    names = set(tests.names) | {tests.run["function"]} if tests.run["how"] == "call" else set(tests.names)
    known = sorted(name for name in names if name.isidentifier() and not keyword.iskeyword(name))
    if not known:
        return {}
    defined = "".join(f"class {n}(Class): pass\n" if n[0].isupper() else f"{n} = answer\n" for n in known)
    return {does: EQUAL + ANSWER.format(body=body) + defined for does, body in BODIES.items()}
