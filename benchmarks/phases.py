"""The phases of a step that is made in parts: how long each takes, and what it leaves on disk."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Row
from schemas.progress import Progress


def processor_time() -> float:
    """Return the processor time of this process, and of the workers that have ended, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Phases(Progress):
    """Notes how long each phase takes, and what it leaves on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seconds, self.cpu = folder, dict[str, float](), dict[str, float]()
        self.name, self.since, self.used = "", 0.0, 0.0

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        """End a phase, and start one."""
        self.close()
        self.name, self.since, self.used = label.rsplit(": ", 1)[-1], time.perf_counter(), processor_time()

    def close(self) -> None:
        """End a phase."""
        if self.name:
            self.seconds[self.name] = self.seconds.get(self.name, 0.0) + time.perf_counter() - self.since
            self.cpu[self.name] = self.cpu.get(self.name, 0.0) + processor_time() - self.used

    def bytes(self) -> dict[str, int]:
        """Return the bytes that each phase has left so far."""
        folders = [folder for folder in self.folder.glob("work/parts-*/*") if folder.is_dir()]
        return {one.name: sum(f.stat().st_size for f in one.rglob("*") if f.is_file()) for one in folders}


def figures() -> dict[str, float]:
    """Return the processor time and the peak memory of this process and its workers: seconds and megabytes.

    ``peak`` is of the largest process; pages of mapped files count.
    """
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "cpu": processor_time(),
        "own_cpu": time.process_time(),
        "peak": max(own.ru_maxrss, workers.ru_maxrss) / 1024,
        "own_peak": own.ru_maxrss / 1024,
    }


def fresh(module: str, way: str, folder: str, rows: int, processes: int) -> dict[str, Any]:
    """Return the figures that a benchmark's module prints for one way, in a process of its own."""
    command = [sys.executable, "-m", module, "--way", way, "--folder", folder]
    command += ["--rows", str(rows), "--processes", str(processes)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return json.loads(done.stdout)


def beside(name: str, one: dict[str, Any], parts: dict[str, Any]) -> list[Row]:
    """Return the rows of a step in parts beside one machine, which must have decided the same."""
    if one["content"] != parts["content"]:
        raise RuntimeError("the two ways decide differently")
    return [
        Row(name, parts["seconds"], "s", "", "one machine", one["seconds"]),
        Row("  processor time", parts["cpu"], "s", "", "one machine", one["cpu"]),
        Row("  peak memory of the largest process", parts["peak"], "MB", "", "one machine", one["peak"]),
    ]
