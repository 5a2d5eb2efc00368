"""Compile loops that NumPy cannot express, with Numba, at their first call; the machine code is kept on disk.

Importing Numba takes four times as long as importing NumPy. Loops therefore stand in modules of their own, named
``..._loops``, which are imported only when there are rows to run them on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numba

if TYPE_CHECKING:
    from numba.core.dispatcher import Dispatcher  # generic in its types only

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> "Dispatcher[Function]":
    """Compile a function when it is first called; it releases the GIL, so that threads run it side by side.

    The machine code is kept in ``__pycache__``, or in the user's cache folder where that cannot be written, or, where
    neither can, for this process only.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder that Numba may write to
        return numba.njit(nogil=True)(function)


def inlined(function: Function) -> "Dispatcher[Function]":
    """Compile a function into the compiled loops that call it. It makes no arrays.

    It does not count references to its arrays (Numba's ``_nrt``), as a loop that calls it holds them: counting takes
    longer than a call for a character.
    """
    try:
        return numba.njit(nogil=True, cache=True, forceinline=True, _nrt=False)(function)
    except RuntimeError:  # no folder that Numba may write to
        return numba.njit(nogil=True, forceinline=True, _nrt=False)(function)
