"""Run independent work on all cores, in threads: for work that releases the GIL, as Polars and compiled loops do."""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


def each(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Call ``work(item)`` for every item, on all cores; return the results in order."""
    if len(items) < 2:
        return [work(item) for item in items]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(cores) as threads:
        return list(threads.map(work, items))


@contextmanager
def one_thread_each() -> Generator[None]:
    """Let a matrix product use one thread, for a body that runs products in threads of its own.

    NumPy's BLAS has threads of its own, which look for work in a loop for a while after each product and take the time
    of the loops that run then: a third of the time of ``neighbour_graph``. They are told so by threadpoolctl, where it
    is installed (with scikit-learn, which ``gristmill[local]`` brings); elsewhere nothing changes but the time.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(1, user_api="blas"):
        yield


def in_blocks(rows: int, block: int, work: Callable[[int, int], Any]) -> list[Any]:
    """Call ``work(low, high)`` for every block of at most ``block`` rows, on all cores; return the results in order."""
    return each(lambda low: work(low, min(rows, low + block)), range(0, rows, block))
