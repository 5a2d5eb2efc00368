"""The sandbox under attack: nothing gets out, nothing stays, and no attack passes a test. Real processes throughout."""
# ruff: noqa: E501 (programs in texts, a line each)

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from curate.models.clients.sandbox import SandboxEngine
from curate.models.engine_settings import check_task
from curate.models.model_ref import ModelRef
from curate.verifiers.sandbox import sandbox
from schemas.errors import UserError
from schemas.requests import Sampling, make_request
from tests.asking import Asked
from tests.sandboxed import LIMITS, SHARED, checks, stdio

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
ROOT = Path(__file__).resolve().parents[3]
PYTHON = (sandbox.python(), Path(os.__file__).resolve())
REF = ModelRef("sandbox", sandbox.identity(), "", engine="sandbox")


def inside(*lines, **limits):
    """What a program prints in the sandbox: the last line, as the judge shows it beside what it is not."""
    (why,) = stdio("\n".join(lines), ("", "nothing like it"), **limits)
    return why.partition("found ")[2] or why


def marked(marker):
    """The processes of this machine that have a text on their command line or in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def children():
    """The processes that this one has started and that still run."""
    text = "".join(file.read_text() for file in Path(f"/proc/{os.getpid()}/task").glob("*/children"))
    return set(text.split())


def below(pid):
    """The processes under one: those of others on this machine are none of ours."""
    try:
        own = {int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()}
    except OSError:  # it has ended meanwhile
        return set()
    return own.union(*map(below, own))


def ask(code, tests, **limits):
    body = {"kind": "code", "code": code, "tests": tests} | LIMITS | limits
    return make_request("sandbox", json.dumps(body), None, Sampling(), 0, "run")


SLOW = {"how": "checks", "setup": "", "tests": ["f()"]}


# What can be seen and reached -----------------------------------------------------------------------------------------


def test_no_connection_reaches_a_server_of_the_host():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        port = server.getsockname()[1]
        code = f"import socket\ndef f(x):\n    socket.create_connection(('127.0.0.1', {port}), 1)\n    return 2"
        (why,) = checks(code)
        assert "Permission denied" in why
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_VSOCK", "AF_NETLINK", "AF_PACKET"])
def test_no_kind_of_socket_that_reaches_out_can_be_made(family):
    assert "Error" in inside(
        "import socket",
        "try:",
        f"    socket.socket(socket.{family}, socket.SOCK_RAW)",
        "except OSError as error:",
        "    print(type(error).__name__)",
    )


def test_an_abstract_socket_of_the_host_is_not_there():
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0gristmill-test-socket")
        server.listen()
        said = inside(
            "import socket",
            "try:",
            "    socket.socket(socket.AF_UNIX).connect('\\0gristmill-test-socket')",
            "except OSError as error:",
            "    print(error)",
        )
    assert "refused" in said


def test_it_sees_no_file_of_the_host_but_python(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    for path in (
        secret,
        Path.home() / ".bashrc",
        "/etc/passwd",
        "/proc/self/environ",
        "/sys",
        ROOT,
        Path.home() / ".ssh",
    ):
        said = inside(
            "import os",
            "try:",
            f"    print(open({str(path)!r}).read() or os.listdir({str(path)!r}))",
            "except OSError as error:",
            "    print('refused', error.errno)",
        )
        assert said == "refused 2", (path, said)
    seen = inside("import os", "print(*sorted(os.listdir('/')))").split()
    assert set(seen) <= {"dev", "lib", "lib32", "lib64", "tmp", "usr", *(path.parts[1] for path in PYTHON)}
    hidden = Path(os.__file__).with_name("site-packages")
    if hidden.is_dir():
        assert inside("import os", f"print(len(os.listdir({str(hidden)!r})))") == "0"


def test_it_sees_no_environment_variable_of_the_host():
    os.environ["GRISTMILL_TEST_SECRET"] = "s3cret"
    try:
        said = inside("import os", "print('s3cret' in str(os.environ) + str(os.environb))")
    finally:
        del os.environ["GRISTMILL_TEST_SECRET"]
    assert said == "False"


def test_it_has_no_rights_and_no_terminal():
    said = inside(
        "import os",
        "print(os.getuid() in (0,), os.getgroups() and max(os.getgroups()) < 1000)",
        "try:",
        "    os.setuid(0); print('root')",
        "except OSError as error: print(error.errno)",
        "try:",
        "    open('/dev/tty'); print('tty')",
        "except OSError as error: print(error.errno)",
    )
    assert said.startswith("False") and said.endswith("1 2"), said


def test_nothing_can_be_written_outside(tmp_path):
    tmp_path.chmod(0o777)
    places = [
        tmp_path / "x",
        "/x",
        "/dev/x",
        Path(os.__file__).with_name("x.py"),
        Path(json.__file__),
        "/usr/x",
        "/etc/x",
    ]
    for place in places:
        said = inside(
            "try:",
            f"    open({str(place)!r}, 'a').write('x'); print('written')",
            "except OSError as error:",
            "    print('refused')",
        )
        assert said == "refused", place
    assert not list(tmp_path.iterdir())
    target = tmp_path / "kept"
    target.write_text("kept")
    said = inside(
        "import os, shutil",
        f"os.symlink({str(target)!r}, '/tmp/link')",
        "try:",
        "    open('/tmp/link', 'w').write('x')",
        "except OSError: pass",
        "shutil.rmtree('/', ignore_errors=True)",
        "print('done')",
    )
    assert said == "done" and target.read_text() == "kept" and Path(json.__file__).exists()
    code = f"def f(x):\n    open('/tmp/gristmill-trace', 'w').write('x')\n    open({str(target)!r}, 'w')\n    return 2"
    assert "FileNotFoundError" in checks(code)[0]
    assert not Path("/tmp/gristmill-trace").exists()


# What can be used up --------------------------------------------------------------------------------------------------


def test_no_process_can_be_started():
    for start in (
        "os.fork()",
        "subprocess.run(['/bin/true'])",
        "os.posix_spawn(sys.executable, ['x'], {})",
        "multiprocessing.Process(target=print).start()",
    ):
        said = inside(
            "import multiprocessing, os, subprocess, sys",
            "try:",
            f"    {start}",
            "    print('started')",
            "except OSError as error:",
            "    print(error.errno)",
        )
        assert said in ("1", "2"), (start, said)


def test_a_fork_bomb_and_a_bomb_of_threads_come_to_nothing():
    assert "not permitted" in checks("import os\ndef f(x):\n    while True:\n        os.fork()")[0]
    said = inside(
        "import threading, time",
        "threading.stack_size(32768)",
        "n = 0",
        "try:",
        "    while n < 5000:",
        "        threading.Thread(target=time.sleep, args=(9,), daemon=True).start(); n += 1",
        "except RuntimeError: pass",
        "print(n < 100, flush=True)",
        "import os; os._exit(0)",
    )
    assert said == "True"
    assert "Error" in checks("import os\ndef f(x):\n    os.execv('/bin/sh', ['sh'])")[0]


def test_memory_is_limited_however_it_is_asked_for():
    assert "MemoryError" in checks("def f(x):\n    return len(bytearray(100 << 30))")[0]
    assert "MemoryError" in checks("def f(x):\n    a = []\n    while True: a.append(bytes(1 << 20))")[0]
    for asked in ("mmap.mmap(-1, 1 << 33)", "os.memfd_create('x')", "(1 << 10**11)"):
        said = inside(
            "import mmap, os",
            "try:",
            f"    {asked}; print('had')",
            "except (OSError, MemoryError, OverflowError): print('refused')",
        )
        assert said == "refused", asked


def test_the_disk_is_a_small_one_in_memory():
    said = inside(
        "import os",
        "n = 0",
        "try:",
        "    while True:",
        "        with open(f'/tmp/{n}', 'wb') as file:",
        "            file.write(bytes(8 << 20)); file.flush(); n += 1",
        "except OSError as error:",
        "    print(error.errno, n * 8 <= 64)",
        seconds=10,
    )
    assert said == "28 True"
    assert (
        inside(
            "try:",
            "    with open('/tmp/x', 'wb') as file:",
            "        for _ in range(40): file.write(bytes(1 << 20))",
            "except OSError as error: print(error.errno)",
        )
        == "27"
    )


def test_printing_for_ever_is_stopped():
    assert stdio("while True: print('x' * 1000)", ("", "x")) == ["printed more than 4 MB"]
    assert "took more than" in checks("def f(x):\n    while True: print('x' * 1000)")[0]


@pytest.mark.parametrize(("line", "how"), [("time.sleep(9999)", "waiting"), ("\n    while True: pass", "computing")])
def test_running_for_ever_is_stopped_and_costs_the_other_tests_nothing(line, how):
    code = (
        f"import time\ndef f(x):\n    if x == 1: {line.strip() if how == 'waiting' else 'loop()'}\n    return x\n"
        "def loop():\n    while True: pass"
    )
    began = time.monotonic()
    assert checks(code, ["assert f(0) == 0", "assert f(1) == 1", "assert f(2) == 2"], seconds=1) == [
        None,
        f"took more than 1 s ({how})",
        None,
    ]
    assert time.monotonic() - began < 10


def test_the_clock_of_the_whole_run_ends_it():
    found = checks("import time\ndef f(x): time.sleep(9)", ["f(1)"] * 30, seconds=0.5, total=2)
    assert len(found) == 30 and "took more than 0.5 s" in found[0] and "the whole run" in found[-1]


def test_threads_that_wait_for_each_other_are_no_busy_machine():
    code = (
        "import hashlib, threading\nB = bytes(1 << 24)\ndef work():\n    while True: hashlib.sha256(B)\ndef f(x):\n"
        "    threading.stack_size(1 << 16)\n    for _ in range(40): threading.Thread(target=work, daemon=True).start()\n    work()"
    )
    assert "took more than" in checks(code, seconds=1, total=6, memory=1024)[0]


def test_a_time_out_while_loading_fails_every_test():
    found = checks("while True: pass", ["assert True", "assert True"], seconds=0.5, total=9)
    assert len(found) == 2 and all("took more than" in why for why in found)


def test_signals_that_are_ignored_end_it_all_the_same():
    code = """
import signal, sys
for s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    try: signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError): pass
def f(x):
    while True:
        try:
            while True: pass
        except BaseException: pass
"""
    assert "took more than" in checks(code, seconds=1)[0]


# What can be faked ----------------------------------------------------------------------------------------------------

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


@pytest.fixture(scope="module")
def forged():
    """What every forgery came to, by name: as tests, as a call and as a program; all of them run at once."""
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
            ask(code, {"how": "checks", "setup": "", "tests": tests}, **limits),
            ask(code, {"how": "call", "function": "f", "inputs": [[5], [7]], "outputs": [6, 8]}, **limits),
            ask(code + "\nprint(f(5))", {"how": "stdio", "inputs": [""], "outputs": ["6"]}, **limits),
        ]
    engine = SandboxEngine()
    try:
        replies = Asked([[one] for three in asks.values() for one in three]).by(engine)
    finally:
        engine.close()
    return {name: [json.loads(replies[one.key].text)["tests"] for one in three] for name, three in asks.items()}


@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes_a_test_or_a_call_or_prints_what_is_expected(name, forged):
    assert [len(found) for found in forged[name]] == [5, 2, 1]
    assert all(why for found in forged[name] for _, why in found), forged[name]


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


def test_what_a_test_passes_on_is_no_way_into_its_process():
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
    setup = f"import socket\ntry:\n    open({str(target)!r}, 'w')\nexcept OSError: pass\nelse: raise SystemError"
    assert checks("def f(x): return 2", setup=setup) == [None]
    assert "Permission denied" in checks("def f(x): return 2", ["import socket\nsocket.socket(socket.AF_INET)"])[0]
    assert not target.exists()
    assert checks("def f(x): return 2", ["import os\nos._exit(0)", "assert f(1) == 2"])[1] is None


# What stays -----------------------------------------------------------------------------------------------------------


def test_no_process_stays_behind():
    SHARED.close()
    before = children()
    code = (
        "import os, threading, time\nthreading.Thread(target=time.sleep, args=(999,)).start()\ndef f(x):\n"
        "    try: os.fork()\n    except OSError: pass\n    os.setsid()\n    return 2"
    )
    checks(code)
    stdio("import os\ntry:\n    if os.fork() == 0: os.setsid()\nexcept OSError: print('no')", ("", "no"))
    SHARED.close()
    assert children() == before


DRIVER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever this test was started under
import json, sys
from schemas.requests import Sampling, make_request
from curate.verifiers.sandbox.sandbox import identity
from curate.models.clients.sandbox import SandboxEngine
from curate.models.model_ref import ModelRef
from schemas.progress import Progress
asks = [{"kind": "code", "code": "import time\\ndef f():\\n    while True: pass", "seconds": 60, "total": 100 + n,
         "memory": 256, "tests": {"how": "checks", "setup": "", "tests": ["f()"]}} for n in range(4)]
groups = iter([[request("s", json.dumps(ask), None, Sampling(), 0, "run")] for ask in asks])
engine = SandboxEngine()
try:
    engine.answer(lambda: next(groups, None), lambda replies, spent: None)
finally:
    engine.close()
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_no_sandbox_outlives_who_started_it(sign):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        until = time.monotonic() + 20
        while len(started := below(driver.pid) & set(marked(b"sandbox.entrance"))) < 6 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(started) >= 6, "the sandboxes run"
        time.sleep(0.3)
        started |= below(driver.pid)
        os.kill(driver.pid, sign)
        driver.wait(10)
        until = time.monotonic() + 5
        while started & set(marked(b"sandbox.entrance")) and time.monotonic() < until:
            time.sleep(0.05)
        assert not started & set(marked(b"sandbox.entrance"))
    finally:
        driver.kill()
        driver.wait()


# The engine -----------------------------------------------------------------------------------------------------------


def test_the_engine_gives_each_reply_as_soon_as_it_is_there_and_starts_no_more_than_it_took():
    fast = [
        ask("def f(x): return 2", {"how": "checks", "setup": "", "tests": [f"assert f({n}) == 2"]}) for n in range(8)
    ]
    slow = ask("import time\ndef f(): time.sleep(1.2)", SLOW)
    engine = SandboxEngine()
    try:
        replies = Asked([[one] for one in [slow, *fast]], in_flight=4).by(engine)
        again = Asked([[one] for one in fast]).by(engine)
    finally:
        engine.close()
        engine.close()
    assert list(replies)[0] != slow.key and len(replies) == 9
    assert all(json.loads(reply.text) == {"tests": [["0", None]]} for reply in [*replies.values(), *again.values()])


def test_an_interrupted_engine_leaves_nothing_and_can_go_on():
    engine = SandboxEngine()
    before = children()
    slow = [ask("import time\ndef f(): time.sleep(60)", SLOW, seconds=30, total=60 + n) for n in range(4)]
    fast = ask("def f(): return 2", SLOW)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.answer(*interrupted([fast, *slow]))
        assert time.monotonic() - began < 15
        assert list(Asked([[fast]]).by(engine)) == [fast.key]
    finally:
        engine.close()
    assert children() == before


def interrupted(requests):
    asked = Asked([[one] for one in requests], stop_after=1)
    return asked.take, asked.give


def test_a_warm_sandbox_that_was_killed_meanwhile_is_replaced():
    engine = SandboxEngine()
    fast = [ask("def f(): return 2", SLOW, total=20 + n) for n in range(6)]
    try:
        Asked([[one] for one in fast[:4]]).by(engine)
        killed = [one for spares in engine.every for ready in spares.ready.values() for one in ready]
        for one in killed:
            one.process.kill()
            one.process.wait()
        assert killed and all(reply.error is None for reply in Asked([[one] for one in fast[4:]]).by(engine).values())
    finally:
        engine.close()


def test_without_bubblewrap_it_is_refused_in_one_line(tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    for path, said in (
        (str(tmp_path / "none"), "apt install bubblewrap"),
        (f"{tmp_path}:{os.environ['PATH']}", "No permissions to create a new"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", DRIVER], cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True
        )
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode and "running code needs bubblewrap (bwrap)" in last and said in last
    check_task(REF, "run", "r.yaml:1")
    with pytest.raises(UserError, match="can't do this"):
        check_task(REF, "reward", "r.yaml:1")


def test_it_holds_as_an_ordinary_user_too(tmp_path):
    python = shutil.which("python3", path="/usr/bin")
    if os.geteuid() != 0 or python is None or not shutil.which("setpriv"):
        pytest.skip("this is an ordinary user already, or there is no Python that another may use")
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True)
    if version.stdout.strip() != b"True":
        pytest.skip("the system's Python is too old")
    place = Path("/tmp") / f"gristmill-test-{os.getpid()}"
    for name in (
        "curate/__init__.py",
        "schemas/__init__.py",
        "schemas/errors.py",
        "tests/sandboxed.py",
        *(f"curate/verifiers/sandbox/{file.name}" for file in (ROOT / "curate/verifiers/sandbox").glob("*.py")),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    program = """
from tests.sandboxed import checks, stdio
print(checks("def f(x): return x + 1", ["assert f(1) == 2", "assert f(1) == 3"]))
print(checks("import os\\ndef f(x): os.fork()"), checks("def f(x): bytearray(1 << 40)"))
print(checks("import socket\\ndef f(x): socket.socket()"), checks("def f(x): open('/dev/x', 'w')"))
print(stdio("import os; print(os.getuid())", ("", "1000")))
print(stdio("import threading as t, time\\nn = 0\\ntry:\\n    while n < 5000: t.Thread(target=time.sleep, args=(9,), daemon=True).start(); n += 1\\nexcept RuntimeError: print(n < 100)", ("", "True")))
"""  # noqa: E501
    try:
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-B", "-c", program],
            cwd=place,
            capture_output=True,
            text=True,
        )
    finally:
        shutil.rmtree(place)
    assert done.stdout.splitlines() == [
        "[None, 'AssertionError']",
        "['PermissionError: [Errno 1] Operation not permitted'] ['MemoryError']",
        "['PermissionError: [Errno 13] Permission denied'] ['OSError: [Errno 30] Read-only file system']",
        "[None]",
        "[None]",
    ], done.stdout + done.stderr


def test_many_engines_threads_at_once_do_not_mix_up_their_programs():
    found = {}

    def one(number):
        found[number] = checks(f"def f(x): return x + {number}", [f"assert f(1) == {number + 1}", "assert f(1) == 99"])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [None, "AssertionError"] for number in range(4)}
