"""The disk of a sandbox: how much it holds and how many files, and that no right to change that is left."""
# ruff: noqa: E501 (programs in texts, a line each)

import os
import shutil
from pathlib import Path

import pytest

from tests.sandboxed import checks, stdio
from tests.verifiers.sandbox.programs import inside

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
FILLING = """
import os
{before}
n = 0
try:
    while n < 200_000: {make}; n += 1
except OSError as error: print(error.errno, n < 4096)
else: print("all were made")
"""


def test_the_disk_is_a_small_one_in_memory():
    printed = inside(
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
    assert printed == "28 True"
    assert (
        inside(
            "try:",
            "    with open('/tmp/x', 'wb') as file:",
            "        for _ in range(40): file.write(bytes(1 << 20))",
            "except OSError as error: print(error.errno)",
        )
        == "27"
    )


@pytest.mark.parametrize("make", ["open(f'{n}', 'w').close()", "os.mkdir(f'{n}')", "os.symlink('x', f'{n}')"])
def test_the_number_of_files_is_limited(make):
    assert stdio(FILLING.format(before="os.chdir('/tmp')", make=make), ("", "28 True")) == [None]


def test_no_other_place_takes_files():
    hidden = str(Path(os.__file__).with_name("site-packages"))
    before = f"os.chmod({hidden!r}, 0o755); os.chdir({hidden!r})"
    (why,) = stdio(FILLING.format(before=before, make="open(f'{n}', 'w').close()"), ("", ""))
    assert why and "Error" in why


def test_a_full_disk_fails_the_test_and_no_other():
    making = "import os\ndef f(x):\n    n = 0\n    while x == 1: open(f'/tmp/{n}', 'w').close(); n += 1\n    return x"
    tests = ["assert f(0) == 0", "assert f(1) == 1", "assert f(2) == 2"]
    assert checks(making, tests) == [None, "OSError: [Errno 28] No space left on device", None]
    assert checks("def f(x):\n    open('/tmp/x', 'w').write('x')\n    return 2") == [None]


def test_no_mount_is_made_or_changed():
    printed = inside(
        "import ctypes, os",
        "libc = ctypes.CDLL(None, use_errno=True)",
        "for flags, options in ((38, b'nr_inodes=0'), (38, b'size=1g'), (0, b'')):",
        "    print(libc.mount(b'tmpfs', b'/tmp', b'tmpfs', ctypes.c_ulong(flags), options), ctypes.get_errno(), end=' ')",
        "print(os.statvfs('/tmp').f_files)",
    )
    assert printed == "-1 1 -1 1 -1 1 4096"


def test_it_has_no_capability():
    printed = inside(
        "import ctypes",
        "libc, found = ctypes.CDLL(None), (ctypes.c_uint32 * 6)()",
        "print(libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), found), any(found))",
    )
    assert printed == "0 False"
