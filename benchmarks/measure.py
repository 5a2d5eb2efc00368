"""Helpers of the benchmarks: rows of results, medians of alternating runs, and the command line in a fresh process."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRISTMILL = (sys.executable, "-c", "from cli.main import main; main()")  # what the console script does


@dataclass(frozen=True)
class Row:
    """One line of results: ``figure`` in ``unit``, beside its bar and, where there is one, a peer's figure."""

    name: str
    figure: float
    unit: str
    target: str = ""
    peer: str = ""
    peer_figure: float | None = None

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of the peer's."""
        return None if self.peer_figure is None else self.figure / self.peer_figure


def wall(*command: str, folder: Path | None = None) -> float:
    """Seconds that a command takes in a fresh process, start and end included; raises if it fails."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {done.returncode}: {done.stderr[-500:]}")
    return seconds


def medians(*runs: Callable[[], float], times: int, warm: bool = True) -> list[float]:
    """Run each of ``runs`` in turn, ``times`` times round, and return the median of what each returned.

    Taking turns spreads what else the machine does over all of them. With ``warm`` a first round, which fills the
    caches, is not counted.
    """
    rounds = [[run() for run in runs] for _ in range(times + warm)][int(warm) :]
    return [statistics.median(figures) for figures in zip(*rounds, strict=True)]
