"""A power cut at any write of a run leaves a store that opens and goes on; what has counted is there.

The moves of files and the syncs are traced. After each, the folder is rebuilt as a cut could leave it: a file that was
not synced is empty; of a folder that was not synced the names are the old ones, or the new ones, as the disk likes.
"""

import os
import stat
from pathlib import Path

import pytest

from curate.api.run import run
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.load_recipe import load_recipe

pytestmark = pytest.mark.slow  # a run for each write
RECIPE = """
name: a
prompts: [{source: rows.jsonl}]
completions: [{score: length}]
datasets: {sft: {type: sft, dedup: exact}}
"""


def job(folder, recipe):
    """Run the recipe on the store in a folder, and return the store."""
    store = Store(folder)
    store.damaged = pytest.fail
    run(recipe, store)
    return store


@pytest.fixture
def recipe(tmp_path):
    """A recipe whose run writes a source, a scorer's and a dataset's stage."""
    (tmp_path / "rows.jsonl").write_text(
        "".join(f'{{"prompt": "q{n}", "completion": "answer {n}"}}\n' for n in range(3))
    )
    (tmp_path / "a.yaml").write_text(RECIPE)
    return load_recipe(tmp_path / "a.yaml")


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


def counts(store):
    """Return how many rows the tables sft and scores have."""
    with connect(store) as con:
        return con.execute("SELECT (SELECT count(*) FROM sft), (SELECT count(*) FROM scores)").fetchall()[0]


def test_a_cut_at_any_write_leaves_a_store_that_goes_on(tmp_path, recipe):
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(tmp_path / "store", patch)
        job(tmp_path / "store", recipe)
    states = []
    for cut in disk.cuts:
        states += [files for files in cut if files not in states]
    assert len(states) > 30
    for number, files in enumerate(states):
        store = Store(write(files, tmp_path / f"cut{number}"))
        store.damaged = pytest.fail
        found = len(store.whole_stages())
        assert found <= 3 and {*counts(store)} <= {0, 3}
        store = job(store.path, recipe)
        assert counts(store) == (3, 3) and store.runs()[-1]["status"] == "finished"
        made = [stage for stage in store.runs()[-1]["stages"] if not stage["reused"]]
        assert len(made) == 3 - found, "what was there is used"
    after = Store(write(disk.cuts[-1][0], tmp_path / "end"))
    assert counts(after) == (3, 3) and [run["status"] for run in after.runs()] == ["finished"]
