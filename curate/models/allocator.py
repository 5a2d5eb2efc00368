"""Keeps the memory that tensors free in the process, for the next ones, where a model runs on a CPU with glibc.

A step of a training takes and frees blocks of many megabytes. By default glibc maps such a block for itself and gives
it back to the kernel when it is freed, so that the kernel clears every page of the next one anew: 10 to 20% of a step's
processor time on a model of 135 million parameters (docs/benchmarks.md). Only where memory comes from changes: results
are the same to the last bit.
"""

import ctypes
import os

# Parameters of ``mallopt`` (glibc's malloc.h), and values of ours.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
NEVER_TRIM, NO_BLOCK_OF_ITS_OWN = -1, 0
OWN_SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_")

_keeping = False


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; return whether it does now.

    Nothing changes where the C library is not glibc (musl, macOS, Windows), or where the user has set one of glibc's
    own settings: ``GLIBC_TUNABLES`` with ``glibc.malloc.``, or ``MALLOC_TRIM_THRESHOLD_`` and its like.
    """
    global _keeping
    if not _keeping and _is_glibc() and not _set_by_user():
        malloc = ctypes.CDLL(None)
        _keeping = bool(malloc.mallopt(MMAP_MAX, NO_BLOCK_OF_ITS_OWN) & malloc.mallopt(TRIM_THRESHOLD, NEVER_TRIM))
    return _keeping


def give_back_freed_memory() -> None:
    """Give the kernel back what a model that is gone has left, if the process keeps such memory."""
    if _keeping:
        ctypes.CDLL(None).malloc_trim(0)


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError):  # no such function on Windows, no such name in other libraries
        return False


def _set_by_user() -> bool:
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    return "glibc.malloc." in tunables or any(name in os.environ for name in OWN_SETTINGS)
