"""Waits for DuckDB so that Ctrl-C and SIGTERM end a query at once.

DuckDB looks for a signal only between the tasks that the waiting thread does itself. Where another of its threads has
the only task, it would wait to the end of the query.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import duckdb

Result = TypeVar("Result")
OFTEN = 0.05  # seconds between two looks at signals


def interruptible(con: "duckdb.DuckDBPyConnection", work: Callable[[], Result]) -> Result:
    """Return what ``work``, which waits for a query on a connection, returns; what it raises is raised.

    What is raised in the waiting thread meanwhile, such as ``KeyboardInterrupt``, ends the query, and is raised.
    """
    answers: list[Result] = []
    errors: list[BaseException] = []
    given_up, ended = threading.Event(), threading.Event()

    def run() -> None:
        try:
            if not given_up.is_set():
                answers.append(work())
        except BaseException as error:  # noqa: BLE001 (it is raised in the thread that waits)
            errors.append(error)
        ended.set()

    thread = threading.Thread(target=run, daemon=True)
    try:
        thread.start()
        while not ended.wait(OFTEN):  # a signal may come to another thread, and does not wake this one
            pass
    except BaseException:
        given_up.set()  # for a thread that has not begun
        while thread.ident is not None and not ended.is_set():  # an interrupt before the query begins has no effect
            with suppress(KeyboardInterrupt):  # the key is pressed again
                con.interrupt()
                ended.wait(OFTEN)
        raise
    if errors:
        raise errors[0]
    return answers[0]
