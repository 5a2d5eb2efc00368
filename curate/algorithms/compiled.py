"""Loops that NumPy cannot say, compiled by Numba the first time they run and kept beside the source after that.

Importing this costs as much as importing NumPy four times over, so that steps import their loops only when they have
rows to run them on: the loops of ``curate/dedup/minhash.py`` are in a module of their own.
"""

from collections.abc import Callable

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
