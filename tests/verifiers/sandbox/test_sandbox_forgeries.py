"""No response passes a test by a trick: by leaving, patching, posing as the expected value or writing a verdict."""
# ruff: noqa: E501 (programs in texts, a line each)

import json
import shutil

import pytest

from curate.models.clients.sandbox import SandboxEngine
from tests.asking import Asked
from tests.sandboxed import checks
from tests.verifiers.sandbox.programs import code_request

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
FORGERIES = {
    "leaves at once": "import os; os._exit(0)",
    "leaves politely": "import sys; sys.exit(0)",
    "leaves in the test": "import os\ndef f(x): os._exit(0)",
    "leaves politely in the test": "def f(x): raise SystemExit(0)",
    "interrupts": "def f(x): raise KeyboardInterrupt",
    "leaves at exit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 3",
    "patches what compares": "import builtins\nbuiltins.AssertionError = type('E', (BaseException,), {})\n"
    "builtins.all = builtins.any = builtins.abs = builtins.len = lambda *a: 1\ndef f(x): return 3",
    "defines builtins": "def abs(x): return 0\ndef all(x): return True\ndef len(x): return 2\nAssertionError = OSError\n"
    "def f(x): return 3",
    "patches the sandbox": "import sys\nfor name, m in list(sys.modules.items()):\n"
    "    if 'sandbox' in name:\n        for k in list(vars(m)):\n            if callable(vars(m)[k]) and k != 'send':\n"
    "                try: vars(m)[k].__call__ = lambda *a: True\n                except Exception: pass\n"
    "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef f(x): return 3",
    "is equal to all": "class E:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n"
    "    def __hash__(s): return 1\n    def __bool__(s): return True\ndef f(x): return E()",
    "is a number equal to all": "class E(int):\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n"
    "    def __hash__(s): return 1\ndef f(x): return E(7)",
    "says so on every file": 'import os\nfor fd in range(64):\n    try: os.write(fd, b\'\\0\\0\\0\\x1a{"test":"0","why":null}\')\n'
    "    except OSError: pass\ndef f(x): return 3",
    "says so in frames": "import json, os\ndef f(x):\n    for m in ({'test': '0', 'why': None}, {'end': True}, {'load': None},"
    " {'value': 7}):\n        d = json.dumps(m).encode()\n        for fd in range(3, 64):\n"
    "            try: os.write(fd, len(d).to_bytes(4, 'big') + d)\n            except OSError: pass\n    os._exit(0)",
    "closes everything": "import os\nos.closerange(0, 64)\ndef f(x): return 2",
    "closes everything in the test": "import os\ndef f(x):\n    os.closerange(0, 64)\n    return 2",
    "kills all": "import os, signal\ndef f(x):\n    for p in (1, -1, os.getppid(), os.getpid()):\n"
    "        try: os.kill(p, 9)\n        except OSError: pass\n    return 3",
    "traces": "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None, use_errno=True)\n"
    "    return 2 if c.ptrace(16, 1, 0, 0) == 0 else 3",
    "recurses": "def f(x): return f(x)",
    "recurses far": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return [f(x)]",
    "returns itself nested": "def f(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a",
    "returns a circle": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "returns a huge text": "def f(x): return 'x' * (50 << 20)",
    "returns a huge number": "def f(x): return 7 ** 1_000_000",
    "returns a text": "def f(x): return '2'",
    "raises what can't be shown": "class E(Exception):\n    def __str__(s): raise E\n    __repr__ = __str__\n"
    "def f(x): raise E",
    "raises a failed assertion": "def f(x): raise AssertionError",
    "ends the test's loop": "def f(x): raise StopIteration",
    "ends it as a generator": "def f(x): raise GeneratorExit",
    "crashes": "import ctypes\ndef f(x): ctypes.string_at(0)",
    "is no Python": "def f(x) return 2",
    "is empty": "",
    "defines another": "def g(x): return 2",
    "is a module": "import os as f",
    "says nonsense": "import os, stat\ndef f(x):\n    for fd in range(3, 64):\n        try:\n            if stat.S_ISSOCK(os.fstat(fd).st_mode):\n"
    "                for d in (b'{\"load\": null}', b'[' * 9000, b'{\"raised\": ' + b'[' * 900 + b']' * 900 + b'}', b'7'):\n"
    "                    os.write(fd, len(d).to_bytes(4, 'big') + d)\n        except OSError: pass\n    return 3",
    "says half a message": "import os, time\ndef f(x):\n    for fd in range(3, 64):\n        try: os.write(fd, b'\\0\\0\\1\\0{')\n"
    "        except OSError: pass\n    time.sleep(9)",
    "returns what can't be written": "def f(x): return chr(0xd800)",
    "raises what can't be written": "def f(x): raise ValueError(chr(0xd800))",
    "returns what is of one hash": "def f(x): return {n * ((1 << 61) - 1) for n in range(2000)}",
    "returns what can't be compared": "from decimal import Decimal\ndef f(x): return Decimal('sNaN')",
    "has a null byte": "x = '\\0'\0\ndef f(x): return 2",
}


def verdicts_on_forgeries():
    """The verdicts on every forgery, by name: as tests, as a call and as a program; all of them run at once."""
    tests = [
        "assert f(1) == 2",
        "assert all(map(lambda x: f(x) == x + 1, [1, 2, 3]))",
        "assert abs(f(1) - 2) < 1e-6",
        "import unittest\nunittest.TestCase().assertEqual(f(1), 2)",
        "assert 2 in [f(1)] and len([f(1)]) == 1",
    ]
    limits = {"memory": 512, "seconds": 0.5}
    asks = {}
    for name, code in FORGERIES.items():
        asks[name] = [
            code_request(code, {"how": "checks", "setup": "", "tests": tests}, **limits),
            code_request(code, {"how": "call", "function": "f", "inputs": [[5], [7]], "outputs": [6, 8]}, **limits),
            code_request(code + "\nprint(f(5))", {"how": "stdio", "inputs": [""], "outputs": ["6"]}, **limits),
        ]
    engine = SandboxEngine()
    try:
        replies = Asked([[one] for three in asks.values() for one in three]).by(engine)
    finally:
        engine.close()
    return {name: [json.loads(replies[one.key].text or "")["tests"] for one in three] for name, three in asks.items()}


@pytest.mark.slow
def test_no_forgery_passes_a_test_or_a_call_or_prints_the_output():
    found = verdicts_on_forgeries()
    assert found.keys() == FORGERIES.keys()
    for name, three in found.items():
        assert [len(verdicts) for verdicts in three] == [5, 2, 1], name
    passed = {name: three for name, three in found.items() if not all(why for some in three for _, why in some)}
    assert not passed


POSES = {
    "is nothing, added to": "class f:\n    def __init__(s, x=0): pass\n    def __sub__(s, o): return s\n    __xor__ = __and__ = __pow__ = __sub__\n"
    "    def __bool__(s): return False\n    def __len__(s): return 0\n    def __abs__(s): return 0\n    def __exit__(s, *a): return True\n"
    "    def __enter__(s): return s\n    def __contains__(s, o): return True",
    "is made elsewhere": "class E:\n    def __sub__(s, o): return s\n    __xor__ = __and__ = __pow__ = __sub__\n    def __bool__(s): return False\n"
    "    def __len__(s): return 0\n    def __abs__(s): return 0\n    __enter__ = __sub__\n    def __enter__(s): return s\n"
    "    def __exit__(s, *a): return True\n    def __float__(s): return 2.0\ndef f(x): return E()",
    "subtracts to nothing": "class f:\n    def __init__(s, x): pass\n    def __sub__(s, o): return 0\n    __rsub__ = __sub__\n"
    "    def __abs__(s): return 0\n    def __lt__(s, o): return True\n    __gt__ = __le__ = __ge__ = __lt__\n"
    "    def __contains__(s, o): return True\n    def __float__(s): return 2.0\n    def startswith(s, o): return True\n"
    "    def __instancecheck__(s, o): return True",
    "is a module": "import types\nclass M(types.ModuleType):\n    def isclose(s, *a, **k): return True\nmath = M('math')\n"
    "def f(x): return 3",
    "shadows the library": "class math:\n    isclose = staticmethod(lambda *a, **k: True)\ndef f(x): return 3",
}


@pytest.mark.parametrize("name", POSES)
def test_nothing_poses_as_the_value_that_a_test_expects(name):
    tests = [
        "assert abs(f(1) - 2) < 1e-6",
        "assert f(1) > 5",
        "assert 5 < f(1)",
        "assert 2 in f(1)",
        "assert math.isclose(f(1), 2)",
        "assert f(1).startswith('a')",
        "assert isinstance(f(1), list)",
        "assert not (f(1) - 2)",
        "assert len(f(1) ^ {2}) == 0",
        "assert not any(a - b for a, b in [(f(1), 2)])",
        "assert abs(f(1)) == 2",
        "assert float(f(1)) == 2",
        "with f(1): assert f(1) == 2",
        "with f(1): assert f(1) > 5",
        "assert f(1) is True",
        "assert sorted([f(1), 9]) == [2, 9]",
    ]
    found = checks(POSES[name], tests)
    assert len(found) == len(tests) and all(found), dict(zip(tests, found, strict=True))


def test_an_argument_of_a_test_is_no_way_into_its_process():
    code = """
def f(g):
    for name in ('__globals__', '__code__', 'gi_frame', '__class__'):
        try:
            getattr(g, name)
            setattr(g, name, None)
        except Exception: pass
    g._served.link and g._served.ask('getattr', g, '__globals__')
    return 2
"""
    (why,) = checks(code, ["assert f(lambda x: x) == 2"])
    assert why == "the program ended in the middle of it"


def test_tests_have_no_more_rights_than_the_response(tmp_path):
    target = tmp_path / "x"
    setup = (
        f"import io, socket\ntry:\n    io.FileIO({str(target)!r}, 'w')\nexcept OSError: pass\nelse: raise SystemError"
    )
    assert checks("def f(x): return 2", setup=setup) == [None]
    assert "Permission denied" in checks("def f(x): return 2", ["import socket\nsocket.socket(socket.AF_INET)"])[0]
    assert not target.exists()
    assert checks("def f(x): return 2", ["import os\nos._exit(0)", "assert f(1) == 2"])[1] is None
