"""Clears up after runs that were killed: their records say for ever that they go on, as nobody wrote the end.

A run holds the store's lock from its first record to its last. So once the lock is free, no run goes on.
"""

import json
import shutil
from pathlib import Path

from curate.storage.files import write_whole

ERROR = "the process was killed, or its machine stopped; finished work is kept: run the same command again to continue"

PARTS = "parts-"  # a folder of parts of a stage in the store's folder work


def records_of_running(runs: Path) -> list[Path]:
    """Return the files in the folder of a store's runs whose record says that the run goes on."""
    return [file for file in sorted(runs.glob("[!.]*.json")) if _record(file)]


def close_killed_runs(runs: Path) -> None:
    """Write into the records of runs that go on, by their own account, that they were killed.

    The caller holds the store's lock.
    """
    for file in records_of_running(runs):
        closed = _record(file) | {"status": "killed", "error": ERROR}
        write_whole(file, json.dumps(closed, ensure_ascii=False, indent=1))


def remove_leftovers(store: Path) -> None:
    """Remove the files of a store, in this folder, that a process left when it was killed while it wrote."""
    for folder in (store / "stages").glob(".*"):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (*(store / "runs").glob(".*"), *store.glob(".gristmill.duckdb.*")):
        file.unlink(missing_ok=True)


def remove_parts(store: Path) -> None:
    """Remove the finished parts of stages that no run of a store, in this folder, came to finish."""
    for folder in (store / "work").glob(f"{PARTS}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _record(file: Path) -> dict:
    """Return the record of a run that goes on; an empty one of any other, and of a file that can't be read."""
    try:
        raw = file.read_bytes()
        found = json.loads(raw) if b'"running"' in raw else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("status") == "running" else {}
