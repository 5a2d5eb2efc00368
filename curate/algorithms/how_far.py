"""How far a long loop is: told to the display of the run, so that no algorithm has to be handed one.

What is told changes no result. Where nobody listens, as in a test or in Python, it goes nowhere.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from curate.algorithms.parallel import each
from schemas.progress import Progress


class _Loops:
    """Shows loops on a display, one after another, each as a part of the same label."""

    def __init__(self, progress: Progress, label: str) -> None:
        self.progress, self.label, self.done = progress, label, 0

    def tell(self, done: int, total: int) -> None:
        """Show that a loop has done so many rows of all; with 0 a loop begins."""
        if done:
            self.progress.advance(done - self.done)
        else:
            self.progress.begin(self.label, total)
        self.done = done


AT_ONCE = 8  # parts between two words on how far it is
_loops: ContextVar[_Loops] = ContextVar("_loops", default=_Loops(Progress(), ""))  # noqa: B039 (it shows nothing)


@contextmanager
def shown_on(progress: Progress, label: str) -> Generator[None]:
    """Show on a display how far the loops are that run in the body of a ``with``, in its thread."""
    token = _loops.set(_Loops(progress, label))
    try:
        yield
    finally:
        _loops.reset(token)


def how_far(done: int, total: int) -> None:
    """Tell how many rows of a loop are done, of all; 0 before the first. To be called in the thread of the step."""
    _loops.get().tell(done, total)


def each_told(work: Callable[[Any], Any], items: Sequence[Any], rows: int) -> list[Any]:
    """Do as ``parallel.each``, and tell how far it is; the items are parts of so many rows."""
    how_far(0, rows)
    results: list[Any] = []
    for low in range(0, len(items), AT_ONCE):
        results += each(work, items[low : low + AT_ONCE])
        how_far(rows * len(results) // len(items), rows)
    return results
