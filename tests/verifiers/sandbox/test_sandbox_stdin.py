"""Programs that read their input in the ways of contests' solutions, each fed several inputs."""

import shutil

import pytest

from tests.sandboxed import stdio

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
FAST_IO = """
import os, sys
from io import BytesIO, IOBase
class FastIO(IOBase):
    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
        self.write = self.buffer.write if self.writable else None
    def readline(self):
        while b := os.read(self._fd, max(os.fstat(self._fd).st_size, 8192)):
            at = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(at)
        return self.buffer.readline()
    def flush(self):
        if self.writable:
            os.write(self._fd, self.buffer.getvalue())
            self.buffer.truncate(0), self.buffer.seek(0)
class IOWrapper(IOBase):
    def __init__(self, file):
        self.buffer = FastIO(file)
        self.flush = self.buffer.flush
        self.write = lambda s: self.buffer.write(s.encode("ascii"))
        self.readline = lambda: self.buffer.readline().decode("ascii")
sys.stdin, sys.stdout = IOWrapper(sys.stdin), IOWrapper(sys.stdout)
input = lambda: sys.stdin.readline().rstrip()
print(int(input()) + int(input()))
"""
PROGRAMS = {
    "Codeforces' fast input": FAST_IO,
    "fileinput, left in the middle": "import fileinput\nf = fileinput.input()\nprint(int(next(f)) + int(next(f)))",
    "a file if there is one": "import sys\nif len(sys.argv) > 1: sys.stdin = open(sys.argv[1])\n"
    "a, b = map(int, sys.stdin.buffer.read().split())\nprint(a + b)",
    "arguments": "import argparse\nargparse.ArgumentParser().parse_args()\nprint(int(input()) + int(input()))",
    "the device": "assert __file__\nprint(sum(map(int, open('/dev/stdin'))))",
    "the first stream": "import sys\nsys.__stdout__.write(str(sum(map(int, sys.__stdin__))))\nsys.__stdout__.flush()",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_read_as_in_contests(name):
    assert stdio(PROGRAMS[name], ("1\n2\n", "3"), ("-5\n3\n", "-2"), ("7\n8", "15")) == [None] * 3
