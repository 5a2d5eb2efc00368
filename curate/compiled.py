"""Loops that NumPy cannot say, compiled by Numba the first time they run and kept beside the source after that.

Importing this costs as much as importing NumPy four times over, so that steps import their loops only when they have
rows to run them on: the loops of ``curate/dedup/minhash.py`` are in a module of their own.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba


def compiled(function: Callable) -> Callable:
    """Compile a function when it is first called; while it runs, other threads do too (it holds no GIL).

    The machine code is kept in ``__pycache__``, or in the user's cache folder where that cannot be written, or, where
    neither can, for this process only.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder that Numba may write to
        return numba.njit(nogil=True)(function)


def in_blocks(rows: int, block: int, work: Callable[[int, int], Any]) -> list[Any]:
    """Call ``work(low, high)`` for every block of at most ``block`` rows, on all cores; the results are in order."""
    lows = range(0, rows, block)
    if len(lows) < 2:
        return [work(low, rows) for low in lows]
    with ThreadPoolExecutor(cores()) as threads:
        return list(threads.map(lambda low: work(low, min(rows, low + block)), lows))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
