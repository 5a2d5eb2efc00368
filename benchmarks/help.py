"""``gristmill --help`` in a fresh process, beside a Python that does nothing."""

import sys

from benchmarks.measure import GRISTMILL, Row, medians, wall


def measure() -> list[Row]:
    """Medians of 7."""
    ours, bare = medians(lambda: wall(*GRISTMILL, "--help"), lambda: wall(sys.executable, "-c", "pass"), times=7)
    return [Row("gristmill --help", ours, "s", "0.3 s", "python -c pass", bare)]
