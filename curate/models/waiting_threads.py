"""Lets threads of torch that wait for one another sleep, instead of looking again and again whether they may go on.

On a CPU torch divides an operation among the threads of an OpenMP library, and there are some hundred operations in a
step of a model. By default a thread that has done its share runs in a loop for milliseconds until there is more to do.
While other processes want the same core, it takes the core from the very thread that it waits for: two threads on two
busy cores took 5 times the processor time of threads that sleep, and longer than one thread (docs/benchmarks.md).
Results are the same to the last bit.
"""

import os
import sys

POLICY = "OMP_WAIT_POLICY"  # of the OpenMP specification; read once, when the library is loaded with torch
OWN_SETTINGS = (POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")  # of GNU's library, and of LLVM's and Intel's


_set_here: tuple[str, ...] = ()


def let_waiting_threads_sleep() -> None:
    """Set ``OMP_WAIT_POLICY`` for this process, and for the processes of a training, which inherit it.

    Nothing changes once torch is loaded, or where the user has set one of the variables by which OpenMP's libraries
    choose how a thread waits.
    """
    global _set_here
    if "torch" not in sys.modules and not any(name in os.environ for name in OWN_SETTINGS):
        os.environ[POLICY] = "passive"
        _set_here = (POLICY,)


def set_here() -> tuple[str, ...]:
    """Return the environment variables that are not the user's: a program that is not ours should not inherit them."""
    return _set_here
