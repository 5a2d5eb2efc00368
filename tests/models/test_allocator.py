"""Memory that is freed stays in the process, comes back on request, and the user's own settings of glibc win."""

import json
import os
import subprocess
import sys

import pytest

from curate.models.allocator import _is_glibc

# Page faults of the second of two equal blocks, and the resident MB while it is there and after it is given back.
BLOCKS = """
import json, resource
from curate.models.allocator import give_back_freed_memory, keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 20

kept = keep_freed_memory()
block = bytearray(64 << 20)
del block
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
block = bytearray(64 << 20)
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
del block
held = resident()
give_back_freed_memory()
print(json.dumps([kept, faults, held - resident()]))
"""
PAGES = (64 << 20) // os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
glibc = pytest.mark.skipif(not _is_glibc(), reason="the C library is not glibc")


def blocks(**variables: str) -> list:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))} | variables
    done = subprocess.run([sys.executable, "-c", BLOCKS], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@glibc
def test_a_freed_block_is_used_again_and_given_back():
    kept, faults, given_back = blocks()
    assert kept
    assert faults < PAGES / 10  # else the kernel would have cleared every page anew
    assert given_back >= 60  # MB


@glibc
@pytest.mark.parametrize(
    "variables",
    [
        {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"},
        {"MALLOC_TRIM_THRESHOLD_": "131072"},
        {"MALLOC_MMAP_THRESHOLD_": "131072"},
    ],
)
def test_the_users_own_settings_win(variables):
    kept, faults, _ = blocks(**variables)
    assert not kept
    assert faults > PAGES / 2 or "MALLOC_MMAP_THRESHOLD_" not in variables


@glibc
def test_other_tunables_of_glibc_are_none_of_its_memory():
    assert blocks(GLIBC_TUNABLES="glibc.rtld.nns=4")[0]


def test_another_c_library_is_left_alone(monkeypatch):
    from curate.models import allocator

    def refuse(name: str) -> str:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(allocator, "_keeping", False)
    monkeypatch.setattr(os, "confstr", refuse, raising=False)
    assert not allocator.keep_freed_memory()
    allocator.give_back_freed_memory()  # does nothing
