"""A power cut at any write of a small job leaves a store that opens and goes on; what has counted is there.

The moves of files and the syncs are traced. After each, the folder is rebuilt as a cut could leave it: a file that was
not synced is empty; of a folder that was not synced the names are the old ones, or the new ones, as the disk likes.
"""

import os
import stat
from pathlib import Path

import polars as pl
import pytest

from curate.storage.sql_views import connect, publish
from curate.storage.store import Store

pytestmark = pytest.mark.slow  # a small job for each write
LABELS = ("prompts.source.s", "completions.score.x", "completions.score.y")


def job(store):
    """Make three stages, those that are not there, and record them as a run does."""
    run = {"run_id": f"run{len(store.runs())}", "recipe": "a", "command": "run", "stages": [], "number": 1}
    run["number"] = max((one["number"] for one in store.runs()), default=0) + 1
    with store.lock():
        store.save_run(run | {"status": "running"})
        for number, label in enumerate(LABELS):
            if store.stage(f"{number}a") is None:
                with store.new_stage(f"{number}a", label, what={}, result="") as writer:
                    writer.write("scores", pl.DataFrame({"row_id": ["c_1"], "scorer": label[-1], "value": 1.0}))
            made = store.stage(f"{number}a")
            run["stages"].append({"path": made.path.name, "stage_id": made.stage_id, "stage": label, "position": 0})
            store.save_run(run | {"status": "running"})
        store.save_run(run | {"status": "finished"})
        publish(store)


class Disk:
    """What a disk surely has of a folder: the content of files and the names in folders, as they were last synced."""

    def __init__(self, root, monkeypatch):
        self.root, self.contents, self.names, self.cuts = root, {}, {}, []
        for name in ("fsync", "rename", "replace"):
            monkeypatch.setattr(os, name, self.traced(name, getattr(os, name)))

    def traced(self, name, real):
        def call(*arguments):
            real(*arguments)
            if name == "fsync":
                self.sync(arguments[0])
            self.cuts.append((self.rebuilt(self.root, old=True), self.rebuilt(self.root, old=False)))

        return call

    def sync(self, number):
        path, held = Path(os.readlink(f"/proc/self/fd/{number}")), os.fstat(number)
        if stat.S_ISDIR(held.st_mode):
            self.names[held.st_ino] = {one.name: (one.inode(), one.is_dir()) for one in os.scandir(path)}
        else:
            self.contents[held.st_ino] = path.read_bytes()

    def rebuilt(self, folder, *, old):
        """Return the files below a folder, by path, as they are after a cut; a folder is None."""
        now = {}
        for path in sorted(folder.rglob("*")):
            held = path.stat()
            now[held.st_ino] = (
                {one.name: (one.inode(), one.is_dir()) for one in os.scandir(path)} if path.is_dir() else {}
            )
        names = self.names if old else now
        top = {one.name: (one.inode(), one.is_dir()) for one in os.scandir(folder)}
        found, pending = {}, [("", self.names.get(folder.stat().st_ino, {}) if old else top)]
        while pending:
            start, held = pending.pop()
            for name, (inode, is_folder) in held.items():
                found[start + name] = None if is_folder else self.contents.get(inode, b"")
                if is_folder:
                    pending.append((f"{start}{name}/", names.get(inode, {})))
        return found


def write(files, folder):
    for name, content in sorted(files.items()):
        if content is None:
            (folder / name).mkdir(parents=True, exist_ok=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return folder


def count(store):
    with connect(store) as con:
        return con.execute("SELECT count(*) FROM scores").fetchall()[0][0]


def test_a_cut_at_any_write_leaves_a_store_that_goes_on(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(tmp_path / "store", patch)
        job(Store(tmp_path / "store"))
    states = []
    for cut in disk.cuts:
        states += [files for files in cut if files not in states]
    assert len(states) > 20
    for number, files in enumerate(states):
        store = Store(write(files, tmp_path / f"cut{number}"))
        store.damaged = pytest.fail
        assert count(store) <= len(store.whole_stages()) <= 3
        job(store)
        assert count(store) == 3 and store.runs()[-1]["status"] == "finished"
    after = Store(write(disk.cuts[-1][0], tmp_path / "end"))
    assert count(after) == 3 and [run["status"] for run in after.runs()] == ["finished"]
