"""Run a coroutine to its end from code that is not asynchronous, also inside a running event loop (a notebook's)."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any


def run_async(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end; Ctrl-C cancels it.

    A thread has one running loop at most, so where the caller's thread has one, the coroutine gets a thread of its own
    while the caller waits.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)
    failed: list[BaseException] = []

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except BaseException as error:  # raised again where the caller waits
            failed.append(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name="gristmill requests")
    thread.start()
    try:
        thread.join()
    except BaseException:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    for error in failed:
        raise error
