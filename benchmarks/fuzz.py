"""Runs the fuzz tests at random for a time, one surface after the other, and prints how many examples each took.

``python -P benchmarks/fuzz.py --seconds 3600 wire stores``. Without names it runs all. A process is limited to 8 GB,
and one that hangs in an example for two minutes ends and says where. A failure is printed with its input, for an
``@example`` in the test.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SURFACES = sorted(file.stem.removeprefix("test_") for file in (ROOT / "tests" / "fuzz").glob("test_*.py"))
MEMORY = 8 << 30  # bytes of a process
FIRST, MOST = 50, 20_000  # examples a test of the first process, and of the longest


class Ran(NamedTuple):
    """The result of a process: its examples, the seconds of the slowest, its memory in MB, its output if it failed."""

    examples: int
    slowest: float
    memory: int
    failed: str


def run_once(surface: str, examples: int, seconds: float) -> Ran:
    """Run the tests of a surface in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        more = {"GRISTMILL_FUZZ_EXAMPLES": str(examples), "GRISTMILL_FUZZ_COUNTS": str(counts), "PYTHONPATH": str(ROOT)}
        seed = str(random.SystemRandom().randrange(1 << 32))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
        process = subprocess.Popen(
            [*command, f"tests/fuzz/test_{surface}.py"],
            cwd=ROOT,
            env=os.environ | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:  # the time is up
            process.kill()
            said, _ = process.communicate()
            failed = ""
        else:
            failed = f"seed {seed}\n{said}" if process.returncode else ""
        found = [json.loads(file.read_text()) for file in Path(folder).glob(f"{surface}.*")]
        count, slowest, memory = found[0] if found else (0, 0.0, 0)
        return Ran(count, slowest, memory, failed)


def main() -> None:
    """Run the surfaces; exit with 1 if any example failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("surfaces", nargs="*", metavar="SURFACE", help=f"of {', '.join(SURFACES)}")
    parser.add_argument("--seconds", type=float, default=60, help="for each surface")
    given = parser.parse_args()
    failures = 0
    print(f"{'surface':<12}{'examples':>10}{'seconds':>9}{'slowest':>9}{'memory':>9}  failures")
    for surface in given.surfaces or SURFACES:
        began, examples, total, slowest, memory, failed = time.monotonic(), FIRST, 0, 0.0, 0, 0
        while (left := given.seconds - (time.monotonic() - began)) > 1:
            started = time.monotonic()
            ran = run_once(surface, examples, left)
            total, slowest, memory = total + ran.examples, max(slowest, ran.slowest), max(memory, ran.memory)
            if ran.failed:
                failed += 1
                print(ran.failed)
            if time.monotonic() - started < 60:
                examples = min(examples * 2, MOST)
        failures += failed
        took = time.monotonic() - began
        print(f"{surface:<12}{total:>10,}{took:>9.0f}{slowest:>8.1f}s{memory:>7,}MB  {failed}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
