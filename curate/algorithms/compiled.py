"""Compile loops that NumPy cannot express, with Numba, at their first call; the machine code is kept on disk.

Importing Numba takes four times as long as importing NumPy. Loops therefore stand in modules of their own, named
``..._loops``, which are imported only when there are rows to run them on.

Numba comes with the extra ``fast``, because it takes half as much disk as all else. Without it the same loops run in
Python, some thousand times slower, with the same results; ``slow_loops`` says so.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numba.core.dispatcher import Dispatcher  # generic in its types only

Function = TypeVar("Function", bound=Callable[..., object])


def slow_loops() -> str:
    """Return what to tell a user whose environment has no Numba, or the empty text."""
    if find_spec("numba") is not None:
        return ""
    return (
        "Numba is not installed, so loops over texts and vectors run in Python, a thousand times slower: seconds for a "
        "hundred rows, minutes for ten thousand; install it with: pip install 'gristmill[fast]'"
    )


def compiled(function: Function) -> "Dispatcher[Function]":
    """Compile a function when it is first called; it releases the GIL, so that threads run it side by side.

    The machine code is kept in ``__pycache__``, or in the user's cache folder where that cannot be written, or, where
    neither can, for this process only.
    """
    return _compiled(function, nogil=True, cache=True)


def inlined(function: Function) -> "Dispatcher[Function]":
    """Compile a function into the compiled loops that call it. It makes no arrays.

    It does not count references to its arrays (Numba's ``_nrt``), as a loop that calls it holds them: counting takes
    longer than a call for a character.
    """
    return _compiled(function, nogil=True, cache=True, forceinline=True, _nrt=False)


def helper(function: Function) -> "Dispatcher[Function]":
    """Compile a function that compiled loops call; its machine code is kept with theirs."""
    return _compiled(function)


def summing(function: Function) -> "Dispatcher[Function]":
    """Compile a function as ``helper`` does; it adds up in any order, so in wide registers, and NaN stays NaN."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def _compiled(function: Function, *, cache: bool = False, **options: Any) -> "Dispatcher[Function]":
    try:
        import numba
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        # Numbers of 64 bits overflow on purpose, which machine code does not report and NumPy's numbers do.
        plain: Any = np.errstate(over="ignore")(function)
        return plain
    try:
        return numba.njit(cache=cache, **options)(function)
    except RuntimeError:  # no folder that Numba may write to
        return numba.njit(**options)(function)
