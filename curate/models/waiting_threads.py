"""Lets threads of torch that wait for one another sleep soon, instead of looking on and on whether they may go on.

On a CPU torch divides an operation among the threads of an OpenMP library, and there are some hundred operations in a
step of a model. By default a thread that has done its share runs in a loop for milliseconds until there is more to do.
While other processes want the same core, it takes the core from the very thread that it waits for: two threads on two
busy cores took 5 times the processor time of threads that sleep, and longer than one thread (docs/benchmarks.md).
On a machine with nothing else to do it saves time to wait awake, above all with a small model, so it is left as it is
there. Results are the same to the last bit.
"""

import os
import sys

ROUNDS = "GOMP_SPINCOUNT"  # of GNU's OpenMP, which torch has on Linux; read once, when the library is loaded with torch
FEW = "1000"  # some microseconds: a thread that has to be woken for every small operation is slower than one that waits
OWN_SETTINGS = (ROUNDS, "OMP_WAIT_POLICY", "KMP_BLOCKTIME", "KMP_LIBRARY")  # also of LLVM's and Intel's

_set_here: tuple[str, ...] = ()


def let_waiting_threads_sleep() -> None:
    """On a busy machine set ``GOMP_SPINCOUNT`` for this process, and for the processes of a training, which inherit it.

    Nothing changes once torch is loaded, or where the user has set one of the variables by which OpenMP's libraries
    choose how a thread waits.
    """
    global _set_here
    if "torch" not in sys.modules and _is_busy() and not any(name in os.environ for name in OWN_SETTINGS):
        os.environ[ROUNDS] = FEW
        _set_here = (ROUNDS,)


def _is_busy() -> bool:
    """Return whether there was work for all cores in the last minute (the load average)."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] >= (os.cpu_count() or 1)


def set_here() -> tuple[str, ...]:
    """Return the environment variables that are not the user's: a program that is not ours should not inherit them."""
    return _set_here
