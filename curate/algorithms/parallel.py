"""Run independent work on all cores, in threads: for work that releases the GIL, as Polars and compiled loops do."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def each(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Call ``work(item)`` for every item, on all cores; return the results in order."""
    if len(items) < 2:
        return [work(item) for item in items]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(cores) as threads:
        return list(threads.map(work, items))


def in_blocks(rows: int, block: int, work: Callable[[int, int], Any]) -> list[Any]:
    """Call ``work(low, high)`` for every block of at most ``block`` rows, on all cores; return the results in order."""
    return each(lambda low: work(low, min(rows, low + block)), range(0, rows, block))
