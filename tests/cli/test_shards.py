"""``gristmill run --shards`` with workers as processes: the stages of one process, whatever is killed or fails."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import ROOT

pytestmark = pytest.mark.slow  # many processes

# The run has small parts; its calls say where each is, so that workers need not know. A worker that is to be killed is
# just before it gives its n-th answer, one with little room writes no file of more bytes, one with a copy of the rows
# sees that in their place.
START = """
import os, resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.argv[1] == "run":
    from curate.sources import source_parts
    from curate.sources.files import spans
    spans.BYTES = source_parts.BYTES = 20_000
    spans.SMALL = 0
    from curate.pipeline import score
    score.FEWEST = 0
room, left = int(os.environ["ROOM"]), [None] * int(os.environ["KILLED_AT"])
if room:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

def kill(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith(".answer"):
        left.pop()
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

if left:
    sys.addaudithook(kill)
copy = os.environ.get("COPY")
if copy:
    from pathlib import Path
    opened = Path.open
    Path.open = lambda self, *given, **more: opened(Path(copy) if self.name == "rows.jsonl" else self, *given, **more)
from cli.main import main
main()
"""
RECIPE = """\
name: small
prompts:
  - source: rows.jsonl
completions:
  - score: {use: length, as: words}
datasets:
  sft: {type: sft, select: best_of_n, by: words}
"""
ROWS = [{"prompt": f"Thing {n}", "completions": [f"thing {n} " * 10, f"a thing {n}"]} for n in range(1200)]
PARTS = 10


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a recipe and its rows."""
    return with_recipe(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables that a run in one process writes."""
    place = with_recipe(tmp_path_factory.mktemp("undisturbed"))
    assert end(run(place, "one"))[0] == 0
    return tables(place / "one")


def with_recipe(place: Path) -> Path:
    (place / "r.yaml").write_text(RECIPE)
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return place


def start(place: Path, *arguments: str, room: int = 0, killed_at: int = 0, copy: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COPY": copy}
    environment |= {"ROOM": str(room), "KILLED_AT": str(killed_at)}
    command = [sys.executable, "-c", START, *arguments]
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(place: Path, store: str, *arguments: str) -> subprocess.Popen[str]:
    return start(place, "run", "r.yaml", "--store", store, *arguments)


def worker(place: Path, shard: str, room: int = 0, killed_at: int = 0, store: str = "spread") -> subprocess.Popen[str]:
    return start(place, "worker", store, "--shard", shard, "--wait", "30", room=room, killed_at=killed_at)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def calls(process: subprocess.Popen[str]) -> int:
    """Return how many calls a worker made, by what it says as it ends."""
    code, errors = end(process)
    assert code == 0, errors
    return int(errors.split("calls that were made here: ")[1])  # 0 of one that came too late


def tables(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.glob("stages/*/*.parquet"))}


def check_same(place: Path, undisturbed: dict[str, bytes]) -> None:
    """Compare the tables with those of one process, and look for what is left."""
    assert len(undisturbed) >= 2 * PARTS and tables(place / "spread") == undisturbed
    work = place / "spread" / "work"
    assert {path.name for path in work.iterdir()} == {"shards", "shards.lock"}
    assert {path.name for path in (work / "shards").rglob("*")} <= {"run", "sign", "0", "1"}


def test_two_workers_write_what_one_process_does(place, undisturbed):
    workers = [worker(place, shard) for shard in ("0/2", "1/2", "1/2")]  # one is started twice
    code, errors = end(run(place, "spread", "--shards", "2"))
    assert code == 0, errors
    assert sum(calls(one) for one in workers) >= 2 * PARTS  # to read, and to score
    check_same(place, undisturbed)


def test_a_worker_in_another_folder_reads_the_files_of_the_run(place, undisturbed):
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "rows.jsonl").write_text((place / "rows.jsonl").read_text().replace("Thing", "OTHER"))
    one = worker(elsewhere, "0/1", store=str(place / "spread"))
    code, errors = end(run(place, "spread", "--shards", "1"))
    assert code == 0 and "failed" not in errors and calls(one) >= 2 * PARTS
    check_same(place, undisturbed)


def test_a_copy_of_the_rows_on_another_machine_is_not_read(place, undisturbed):
    """It has the same size; the run reads what the worker can't, and says so under --quiet, too."""
    copy = place / "copy.jsonl"
    copy.write_text((place / "rows.jsonl").read_text().replace("Thing", "OTHER"))
    one = start(place, "worker", "spread", "--shard", "0/1", "--wait", "30", copy=str(copy))
    code, errors = end(run(place, "spread", "--shards", "1", "--quiet"))
    assert code == 0 and errors.count("warning: shards: shard 0/1 failed, so it is done here: UserError: ") == PARTS
    assert errors.count("rows.jsonl: on") == errors.count("it is not the file that the run found") == PARTS
    assert calls(one) == PARTS  # to score
    check_same(place, undisturbed)


def test_killed_processes_are_started_again(place, undisturbed):
    """A worker and the run are killed: what is finished is not made again, and the other worker carries on."""
    killed = run(place, "spread", "--shards", "2")
    one, other = worker(place, "0/2", killed_at=3), worker(place, "1/2")
    assert end(one)[0] == -signal.SIGKILL
    killed.kill()
    end(killed)
    again = run(place, "spread", "--shards", "2")
    errors = iter(again.stderr or ())
    assert any("waiting for shard 0/2, which has not come yet; start it: " in line for line in errors)
    one = worker(place, "0/2")
    assert any("shard 0/2 has come: process" in line for line in errors)
    assert end(again)[0] == 0
    made = calls(one) + calls(other)
    assert 2 * PARTS - 2 <= made <= 2 * PARTS - 1  # one may have been in work as the run was killed
    check_same(place, undisturbed)


def test_a_run_waits_for_workers_that_stop(place, undisturbed):
    """One finds the disk full, one ends on Ctrl-C; another run in the same store is refused meanwhile."""
    going = run(place, "spread", "--shards", "2")
    code, errors = end(worker(place, "0/2", room=2000))
    assert code == 1 and "error: nothing more can be written: " in errors and "Traceback" not in errors
    stopped = worker(place, "0/2")
    while not list(place.glob("spread/work/*/store/work/parts-*/[0-9]*.answer")):
        time.sleep(0.01)
    stopped.send_signal(signal.SIGINT)
    code, errors = end(stopped)
    assert code == 130 and errors.splitlines()[-1].startswith("error: stopped; finished work is kept")
    code, errors = end(run(place, "spread", "--shards", "2"))
    assert code == 2 and "another run with --shards works in this store" in errors
    workers = [worker(place, shard) for shard in ("0/2", "1/2")]
    code, errors = end(going)
    assert code == 0, errors
    assert calls(workers[0]) < calls(workers[1]) == PARTS
    check_same(place, undisturbed)


def test_a_mistake_in_the_rows_is_said_by_the_run(place):
    with (place / "rows.jsonl").open("a") as file:
        file.write('{"prompt": 7}\n')
    workers = [worker(place, shard) for shard in ("0/2", "1/2")]
    code, errors = end(run(place, "spread", "--shards", "2"))
    assert (code, errors.splitlines()[-1]) == (2, end(run(place, "one"))[1].splitlines()[-1])
    assert [end(one)[0] for one in workers] == [0, 0]
