"""Waits for DuckDB so that Ctrl-C and SIGTERM end a query at once.

DuckDB looks for a signal only between the tasks that the waiting thread does itself. Where another of its threads has
the only task, it would wait to the end of the query.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import duckdb

Result = TypeVar("Result")


def interruptible(con: "duckdb.DuckDBPyConnection", work: Callable[[], Result]) -> Result:
    """Return what ``work``, which waits for a query on a connection, returns; what it raises is raised.

    What is raised in the waiting thread meanwhile, such as ``KeyboardInterrupt``, ends the query, and is raised.
    """
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work)
        try:
            return future.result()
        except BaseException:
            while not future.done():  # it may not have begun when it is told the first time
                con.interrupt()
                with suppress(KeyboardInterrupt):  # the key is pressed again
                    wait([future], timeout=0.05)
            raise
