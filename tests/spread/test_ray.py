"""Ray makes the same files as this process, whatever dies meanwhile, and leaves nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from cli.ray_option import with_address
from curate.pipeline.source_parts import write_parts
from curate.sources import source_parts as reading
from curate.sources.files import spans
from curate.sources.read_source import SourceOptions
from curate.spread.ray_node import about_here, unfit
from curate.spread.ray_tasks import RayTasks, ray_tasks
from curate.spread.spread import run_by, spread
from curate.spread.worker_processes import WorkerProcesses
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from tests.command import ROOT, call, mistake
from tests.optional import needs
from tests.spread.ray_cluster import busy_workers, cluster, descendants, living
from tests.spread.tasks import Number, doubled, evens

RECIPE = """
name: parts
prompts:
  - source: rows.jsonl
completions:
  - score: length
datasets:
  sft: {type: sft, select: best_of_n, by: length}
"""
SIZES = {"BYTES": 4000, "ROWS": 40, "SMALL": 10}
# gristmill, with small parts, killed before it looks for the answer of a late one
KILLED = """
import os, signal, sys
from curate.sources import source_parts
from curate.sources.files import spans
for name, size in {sizes}.items():
    for module in (spans, source_parts):
        if hasattr(module, name):
            setattr(module, name, size)
def kill(event, arguments):
    if event == "open" and str(arguments[0]).endswith({late!r}):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
from cli.main import main
main()
"""


@pytest.fixture(scope="module")
def address():
    with cluster() as there:
        yield there


@pytest.fixture
def small(monkeypatch):
    """Let parts have some ten rows."""
    for name, size in SIZES.items():
        for module in (spans, reading):
            monkeypatch.setattr(module, name, size, raising=False)


def write(folder, rows=1500):
    """Write a recipe and its rows; some prompts are in two parts."""
    lines = [{"prompt": f"q{n % (rows - 9)}", "completions": [f"{'a ' * (n % 50)}{n}", "b"]} for n in range(rows)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "r.yaml").write_text(RECIPE)
    return folder


def files(store):
    """Return the tables of a store's stages by their names."""
    found = Path(store).glob("stages/*/*.parquet")
    return {str(file.relative_to(store)): file.read_bytes() for file in found}


def test_an_address_may_follow_the_option():
    for given in (["r.yaml", "--ray"], ["--ray", "r.yaml"], ["--ray", "-q", "r.yaml"]):
        place = given.index("--ray") + 1
        assert with_address(given) == [*given[:place], "here", *given[place:]]
    for said in ("auto", "here", "head:6379", "ray://head:10001"):
        assert with_address(["r.yaml", "--ray", said]) == ["r.yaml", "--ray", said]


@needs("ray")
def test_what_is_no_address_is_refused(tmp_path):
    line = mistake(call(write(tmp_path, 3), "run", "r.yaml", "--ray", "ray://head:10001"))
    assert "expected auto or host:port, found 'ray://head:10001'" in line and "--ray" in line
    with pytest.raises(UserError, match=r"auto or host:port, found 'head'"):
        RayTasks("head")


@needs("ray")
def test_a_small_run_starts_no_cluster(tmp_path):
    before = descendants(os.getpid())
    with ray_tasks() as runner, run_by(runner):
        assert list(spread(doubled, [Number(1), Number(2), Number(3)])) == [Number(2), Number(4), Number(6)]
        assert not living(descendants(os.getpid()) - before)


def test_a_machine_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert unfit(about_here(), str(tmp_path)) == ""
    assert f"has {about_here()}, and this machine gristmill 9" in unfit("gristmill 9", str(tmp_path))
    assert "does not have the current folder /no/such (No such file" in unfit(about_here(), "/no/such")


@needs("ray")
@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(tmp_path, small):
    line = mistake(call(write(tmp_path), "run", "r.yaml", "--ray", "127.0.0.1:1"))
    assert "--ray 127.0.0.1:1: " in line and "refused" in line


@needs("ray")
@pytest.mark.slow
def test_a_cluster_makes_the_same_files(address, tmp_path, small):
    write(tmp_path)
    (tmp_path / "curate").mkdir()
    (tmp_path / "curate" / "__init__.py").write_text("raise SystemExit")  # a stranger's
    assert call(tmp_path, "run", "r.yaml", "--store", "plain").code == 0
    done = call(tmp_path, "run", "r.yaml", "--store", "other", "--ray", address)
    assert done.code == 0 and "ray" not in (done.err + done.out).lower()
    wanted = files(tmp_path / "plain")
    assert len(wanted) > 20 and files(tmp_path / "other") == wanted
    assert list((tmp_path / "other" / "work").iterdir()) == []


@needs("ray")
@pytest.mark.slow
def test_what_a_worker_cannot_do_is_done_here_and_said(address):
    with ray_tasks(address) as runner:
        assert list(spread(evens, [Number(n) for n in range(4)], runner=runner)) == [Number(n) for n in range(4)]
        assert sum(runner.failed.values()) == 2 and all("ValueError: odd" in reason for reason in runner.failed)


@needs("ray")
@pytest.mark.slow
def test_killed_workers_change_nothing(address, tmp_path, small):
    write(tmp_path, 2500)
    wanted, kills, tried = in_parts(tmp_path, "plain", WorkerProcesses(1)), 0, 0
    with ray_tasks(address) as runner:
        while kills < 20 and tried < 10:
            over, counted = Event(), []
            killer = Thread(target=kill_workers, args=(tmp_path / f"store{tried}", over, counted, 20 - kills))
            killer.start()
            try:
                assert in_parts(tmp_path, f"store{tried}", runner) == wanted
            finally:
                over.set()
                killer.join()
            kills, tried = kills + len(counted), tried + 1
            assert list((tmp_path / f"store{tried - 1}" / "work").iterdir()) == []
    assert kills == 20 and not runner.failed


def in_parts(folder, name, runner):
    """Write the source in parts into a new store; return its files."""
    store = Store(folder / name, durable=False)
    with run_by(runner), store.new_stage("0123456789ab", "x") as writer:
        write_parts(writer, SourceOptions(folder / "rows.jsonl"), "x", Progress())
    return files(folder / name)


def kill_workers(store, over, counted, most):
    """Kill a worker at random moments, each after a part was made since the last."""
    chance, made = random.Random(1), -1
    while len(counted) < most and not over.wait(chance.uniform(0.02, 0.3)):
        answers, busy = len(list(store.glob("work/*/*.answer"))), busy_workers()
        if answers > made and busy:
            made = answers
            try:
                os.kill(chance.choice(busy), signal.SIGKILL)
                counted.append(answers)
            except ProcessLookupError:
                pass


@needs("ray")
@pytest.mark.slow
def test_a_killed_run_goes_on_with_its_parts(address, tmp_path, small):
    write(tmp_path)
    assert call(tmp_path, "run", "r.yaml", "--store", "plain").code == 0
    killed = subprocess.Popen(
        [sys.executable, "-P", "-c", KILLED.format(sizes=SIZES, late="000020.answer")]
        + ["run", "r.yaml", "--store", "rayed", "--ray", address],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    _, said = killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL, said
    finished = {answer.name.split(".")[0] for answer in (tmp_path / "rayed").glob("work/*/store/work/*/*.answer")}
    made = (tmp_path / "rayed").glob("work/*/store/work/*/*-prompts-0000.parquet")
    kept = {file.stat().st_ino for file in made if file.name.split("-")[0] in finished}
    assert len(kept) > 10
    done = call(tmp_path, "run", "r.yaml", "--store", "rayed", "--ray", address)
    assert done.code == 0, done.err
    assert files(tmp_path / "rayed") == files(tmp_path / "plain")
    there = {file.stat().st_ino for file in (tmp_path / "rayed").glob("stages/*/prompts-*.parquet")}
    assert len(kept - there) <= 2  # the first part and the last share prompts, and are read again at the end
    assert list((tmp_path / "rayed" / "work").iterdir()) == []
    assert gone(killed.pid)


def modes(process):
    """Return the rights to the folder of the Ray of a process, in the system's folder for temporary files."""
    found = set()
    for folder in Path("/tmp").glob(f"gristmill-ray-{process}-*"):
        with suppress(FileNotFoundError):  # it is removed meanwhile
            found.add(folder.lstat().st_mode & 0o777)
    return found


def gone(process):
    """Wait until the folder of a process's Ray is removed; return whether it is."""
    for _ in range(150):
        if not modes(process):
            return True
        time.sleep(0.2)
    return False


@needs("ray")
@pytest.mark.slow
def test_ctrl_c_ends_ray_and_all_its_processes(tmp_path):
    write(tmp_path)
    code = KILLED.format(sizes=SIZES, late="000020.answer").replace("SIGKILL", "SIGINT")
    code = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n" + code
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code, "run", "r.yaml", "--store", "rayed", "--ray"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    below, rights = set(), set()
    while child.poll() is None:
        below |= descendants(child.pid)
        rights |= modes(child.pid)
        time.sleep(0.2)
    assert child.returncode == 130 and "finished work is kept" in child.communicate()[1]
    assert len(below) > 5 and rights == {0o700} and not modes(child.pid)
    for _ in range(50):
        if not living(below):
            break
        time.sleep(0.2)
    assert not living(below)
