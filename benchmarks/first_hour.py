"""Time of the ten commonest jobs (docs/first-hour.md) from an empty home directory: wall clock, and of the processors.

Each job is started by ``gristmill init``, and run on the first ``LIMIT`` rows of each of its sources. The first use of
the built-in model unpacks it; that is a line of its own.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import GRISTMILL, Row, wall

LIMIT = "20"
OF_TEACHERS = ("--set", "models.strong=smollm2-135m", "--set", "models.cheap=smollm2-135m")  # in place of servers
JOBS: dict[str, tuple[str, ...]] = {
    "pairs": (),
    "thumbs": (),
    "instructions": (),
    "conversations": (),
    "tools": (),
    "sums": (),
    "best_of_k": (),
    "distill": OF_TEACHERS,
    "demo": (),
}


def measure() -> Iterator[Row]:
    """Yield a row for each command of each job; the figure beside it is the processor time."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"HOME": home, "XDG_CACHE_HOME": f"{home}/.cache"}
        folder = Path(home) / "work"
        folder.mkdir()
        turns = [{"prompt": f"What is {i} + {i}?", "completion": f"{i} + {i} = {2 * i}."} for i in range(100)]
        (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turns))
        yield timed("init train, which unpacks the model", folder, "init", "train", "mine.jsonl", "--force")
        yield timed("init train, 100 rows", folder, "init", "train", "mine.jsonl", "--force")
        timed("", folder, "init", "pile", "--folder", "pile")
        yield timed("pile: run, all 500 rows", folder / "pile", "run", "pile.yaml", "--quiet")
        for name, flags in JOBS.items():
            timed("", folder, "init", name, "--folder", name)
            for command in ("run", "train", "evaluate"):
                arguments = (command, f"{name}.yaml", "--limit", LIMIT, "--quiet", *flags)
                yield timed(f"{name}: {command}", folder / name, *arguments)


def timed(name: str, folder: Path, *arguments: str) -> Row:
    """Run a command; return its seconds, and those of the processors."""
    before = os.times()
    seconds = wall(*GRISTMILL, *arguments, folder=folder)
    after = os.times()
    spent = sum(after[2:4]) - sum(before[2:4])
    return Row(name, seconds, "s", peer="processors", peer_figure=spent)
