"""Time of ``gristmill --help`` in a fresh process, beside a Python process that does nothing."""

import sys

from benchmarks.measure import GRISTMILL, Row, medians, wall


def measure() -> list[Row]:
    """Return medians of 7 runs."""
    ours, bare = medians(lambda: wall(*GRISTMILL, "--help"), lambda: wall(sys.executable, "-c", "pass"), times=7)
    return [Row("gristmill --help", ours, "s", "0.3 s", "python -c pass", bare)]
