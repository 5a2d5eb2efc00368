"""Kills runs of many rows at random moments, while others read the store, and compares the tables byte for byte.

    python -m benchmarks.faults --prompts 500000 --kills 20 --seed 0

The recipe and the rows are those of ``benchmarks.scale``. A run that nothing disturbs comes first. Then the same
command is started in another store, its process group is killed with SIGKILL at a random moment, and it is started
again. A store whose run ends before it is killed is compared with the undisturbed one, and the kills go on in a new
store. All the while one process after another reads the store with ``gristmill sql``, some of them slowly. Last, a row
is added to the source while it is read: the run must refuse that in a line, and make the same tables without the row.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.scale import RECIPE, SAMPLES, write_candidates

# As the console script is started: DuckDB shows a progress bar on stdout where there is no main file (``python -c``).
GRISTMILL = (sys.executable, "-m", "cli.main")
READ_ROWS = 20_000  # by a slow reader: no part of a table, so that it gets all of them or none
PIECE, PAUSE = 65_536, 0.1  # bytes that a slow reader takes at a time, and the seconds that it waits then
QUERIES = (
    "SELECT scorer, count(*), avg(value) FROM scores GROUP BY 1",
    "SELECT reason, count(*) FROM decisions GROUP BY 1",
    f"SELECT completion_id, response FROM completions LIMIT {READ_ROWS}",
)
ADDED = b'{"prompt": "added", "completions": ["while it was read"]}\n'
Tables = dict[tuple[str, str], str]


class Readers:
    """Reads a store over and over, in a thread; notes what a reader was told that it should not be.

    Attributes:
        read: How many queries were answered.
        refused: How many were refused in a line, as there was no store yet.
        wrong: What was wrong with others.
    """

    def __init__(self) -> None:
        """Begin with no store to read."""
        self.read = self.refused = 0
        self.wrong: list[str] = []
        self.store: Path | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read_on)

    def __enter__(self) -> "Readers":
        """Start reading."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop after the query that is being answered."""
        self._ended.set()
        self._thread.join()

    def _read_on(self) -> None:
        number = 0
        while not self._ended.wait(0.5):
            if self.store is not None:
                self._read_once(self.store, QUERIES[number % len(QUERIES)])
                number += 1

    def _read_once(self, store: Path, query: str) -> None:
        command = [*GRISTMILL, "sql", query, "--format", "jsonl", "--store", str(store)]
        with tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(
                command, env=environment(store.parent), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors
            )
            lines = 0
            while child.stdout is not None and (piece := child.stdout.read(PIECE)):
                lines += piece.count(b"\n")
                time.sleep(PAUSE)
            code = child.wait()
            errors.seek(0)
            said = errors.read().decode().strip()
        self.read += code == 0
        self.refused += code == 2 and "no store here" in said
        whole = "LIMIT" not in query or lines in (0, READ_ROWS)
        if code not in (0, 2) or (code and "no store here" not in said) or "Traceback" in said or not whole:
            self.wrong.append(f"{query}: exit {code}, {lines} lines: {said[-300:]}")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the processes, whose temporary files are in a folder."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "TMPDIR": str(temporary)}


def started(folder: Path, store: Path, recipe: str = "scale.yaml") -> subprocess.Popen[bytes]:
    """Start the run in a process group of its own; what it says goes to a file beside the store."""
    with store.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [*GRISTMILL, "run", recipe, "--store", str(store)],
            cwd=folder,
            env=environment(folder),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def tables(store: Path) -> Tables:
    """Return a hash of each table's file, by the folder of its stage and its name."""
    found = {}
    for path in sorted(store.glob("stages/*/*.parquet")):
        with path.open("rb") as file:
            found[path.parent.name, path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def differences(store: Path, whole: Tables) -> list[str]:
    """Return what is not as in the undisturbed store: tables, and what a run should not leave."""
    held = tables(store)
    found = [f"{stage}/{name}" for stage, name in sorted(held.keys() ^ whole.keys())]
    found += [
        f"{stage}/{name} differs" for stage, name in sorted(held) if whole.get((stage, name), "") != held[stage, name]
    ]
    left = [*store.glob("work/*"), *store.rglob(".*"), *store.parent.glob("tmp/gristmill-*")]
    return found + [f"left: {path}" for path in left]


def kill_at(folder: Path, store: Path, moment: float) -> bool:
    """Start the run, and kill it after ``moment`` seconds; return whether it was still there.

    Raises:
        RuntimeError: It failed by itself.
    """
    child = started(folder, store)
    try:
        code = child.wait(moment)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return True
    finish(code, store)
    return False


def finish(code: int, store: Path) -> None:
    """Raise ``RuntimeError`` where a run failed."""
    if code:
        raise RuntimeError(f"a run ended with {code}: {store.with_suffix('.log').read_text()[-1_000:]}")


def soak(folder: Path, whole: Tables, seconds: float, kills: int, draw: random.Random, readers: Readers) -> list[str]:
    """Kill runs at so many moments, finish them, and return what differs in their stores."""
    done, number, wrong = 0, 0, []
    while done < kills:
        store, here = folder / f"killed{number}", 0
        readers.store, ended = store, False
        while done < kills and not ended:
            moment = draw.uniform(0, seconds)
            ended = not kill_at(folder, store, moment)
            if not ended:
                done, here = done + 1, here + 1
                stages = len(list(store.glob("stages/[!.]*")))
                print(f"  kill {done}: after {moment:.1f} s, {stages} stages there", flush=True)
        if not ended:
            finish(started(folder, store).wait(), store)
        found = differences(store, whole)
        wrong += found
        print(f"  store {number}: {here} kills: {'; '.join(found[:5]) or 'the same'}", flush=True)
        readers.store, number = None, number + 1
        time.sleep(1)  # a reader may be at it
        shutil.rmtree(store, ignore_errors=True)
    return wrong


def change_while_read(folder: Path, whole: Tables) -> list[str]:
    """Add a row to the source while it is read; return what is wrong: it is not refused, or the tables are others."""
    store, rows = folder / "changed", folder / "rows.jsonl"
    size = rows.stat().st_size
    child = started(folder, store)
    wait_for(lambda: any(folder.glob("tmp/gristmill-plan-*/store/work/parts-*/*")) or child.poll() is not None)
    with rows.open("ab") as file:
        file.write(ADDED)
    code = child.wait()
    said = store.with_suffix(".log").read_text()
    os.truncate(rows, size)
    line = next((line for line in said.splitlines() if "changed while it was read" in line), "")
    print(f"  a source that changes: exit {code}: {line or said[-300:]}", flush=True)
    wrong = [] if code == 2 and line and "Traceback" not in said else [f"not refused in a line: exit {code}"]
    wrong += [f"a stage is there: {path.name}" for path in store.glob("stages/[!.]*")]
    finish(started(folder, store).wait(), store)
    found = differences(store, whole)
    print(f"  and as it was again: {'; '.join(found[:5]) or 'the same'}", flush=True)
    return wrong + found


def wait_for(there: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not there():
        time.sleep(0.005)


def main() -> None:
    """Run, kill and compare; print the differences, and exit with 1 where there are some."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=500_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_candidates(folder / "rows.jsonl", given.prompts)
        (folder / "scale.yaml").write_text(RECIPE)
        write_candidates(folder / "few.jsonl", 250)
        (folder / "warm.yaml").write_text(RECIPE.replace("rows.jsonl", "few.jsonl"))
        finish(started(folder, folder / "warm", "warm.yaml").wait(), folder / "warm")  # its loops are compiled now
        before = time.monotonic()
        finish(started(folder, folder / "whole").wait(), folder / "whole")
        seconds, whole = time.monotonic() - before, tables(folder / "whole")
        shutil.rmtree(folder / "whole")
        size = (
            f"{given.prompts * SAMPLES:,} candidates, {len(whole)} files of {len({stage for stage, _ in whole})} stages"
        )
        print(f"{size}: undisturbed {seconds:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
        with Readers() as readers:
            wrong = soak(folder, whole, seconds, given.kills, random.Random(given.seed), readers)
        wrong += readers.wrong
        print(
            f"  readers: {readers.read} answered, {readers.refused} refused, {readers.wrong or 'none wrong'}",
            flush=True,
        )
        wrong += change_while_read(folder, whole)
    print(f"{given.kills} kills: {f'{len(wrong)} differences' if wrong else 'the same tables'}")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
