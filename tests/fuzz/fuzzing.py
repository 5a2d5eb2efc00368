"""Runs fuzz tests: bounded and the same each time in ``make test``; longer, and at random, in ``make fuzz``.

``benchmarks/fuzz.py`` sets the variables below for its own processes.
"""

import faulthandler
import json
import os
import resource
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings

from schemas.errors import OneLine

EXAMPLES = "GRISTMILL_FUZZ_EXAMPLES"  # so many examples, at random
COUNTS = "GRISTMILL_FUZZ_COUNTS"  # a file that whose folder gets a file: examples, seconds of the slowest, memory in MB
HANGS = 120  # seconds after which a long run says where it hangs, and ends
_done: dict[str, list[float]] = {}


def fuzz(examples: int) -> settings:
    """Return the settings of a fuzz test that takes so many examples in ``make test``."""
    long = os.environ.get(EXAMPLES)
    return settings(
        max_examples=int(long) if long else examples,
        derandomize=not long,
        database=None,
        deadline=None,  # timings never decide a test
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def works_or_says_why(surface: str, *others: type[Exception]) -> Generator[None]:
    """Run one example: its body works, or raises an error of one line; any other error is a bug.

    Args:
        surface: What is fuzzed; the examples of each are counted.
        *others: Further errors that the surface may raise.
    """
    long, started = os.environ.get(COUNTS), time.monotonic()
    if long:
        faulthandler.dump_traceback_later(HANGS, exit=True)
    try:
        yield
    except OneLine as error:
        text = str(error)
        assert text.strip() and text.isprintable(), ascii(text)
    except others as error:
        assert str(error).strip(), error
    finally:
        if long:
            faulthandler.cancel_dump_traceback_later()
            _count(surface, time.monotonic() - started, Path(long))


def _count(surface: str, seconds: float, file: Path) -> None:
    held = _done.setdefault(surface, [0, 0.0])
    held[0], held[1] = held[0] + 1, max(held[1], seconds)
    if seconds > 1 or held[0] % 20 < 2:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        file.with_name(f"{surface}.{os.getpid()}").write_text(json.dumps([held[0], round(held[1], 2), memory]))
