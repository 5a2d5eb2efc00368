"""The sandbox holds where an ordinary user starts it, in a user namespace, as it does for root."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.verifiers.sandbox.programs import ROOT

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@pytest.mark.slow
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
print(stdio("n = 0\\ntry:\\n    while n < 9999: open(f'/tmp/{n}', 'w').close(); n += 1\\nexcept OSError as e: print(e.errno)", ("", "28")))
print(stdio("import ctypes\\nc = (ctypes.c_uint32 * 6)()\\nprint(ctypes.CDLL(None).capget((ctypes.c_uint32 * 2)(0x20080522, 0), c), any(c))", ("", "0 False")))
import os
place = str(os.__file__).replace("os.py", "dist-packages")
if os.path.isdir(place):
    print(stdio(f"import os\\ntry: os.chmod({place!r}, 0o755)\\nexcept OSError as e: print(e.errno)", ("", "30")))
else:
    print([None])
print(stdio("import threading as t, time\\nn = 0\\ntry:\\n    while n < 5000: t.Thread(target=time.sleep, args=(9,), daemon=True).start(); n += 1\\nexcept RuntimeError: print(n < 100)", ("", "True")))
"""  # noqa: E501
    try:
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-B", "-c", program],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
        )
    finally:
        shutil.rmtree(place)
    assert done.stdout.splitlines() == [
        "[None, 'AssertionError']",
        "['PermissionError: [Errno 1] Operation not permitted'] ['MemoryError']",
        "['PermissionError: [Errno 13] Permission denied'] ['OSError: [Errno 30] Read-only file system']",
        *["[None]"] * 5,
    ], done.stdout + done.stderr
