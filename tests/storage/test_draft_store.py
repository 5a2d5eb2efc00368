"""The store of a plan: removed after it, also where its process was killed; in a store it is gone on with."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from curate.api.run import run
from curate.storage.draft_store import draft_store
from curate.storage.store import Store
from tests.command import ROOT

HOLDS = """
import sys
from curate.storage.draft_store import draft_store
with draft_store() as store:
    print(store.path, flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_killed_plans_store_is_removed_a_live_ones_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def process() -> tuple[subprocess.Popen, Path]:
        made = subprocess.Popen(
            [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert made.stdout
        return made, Path(made.stdout.readline().strip())

    (killed, left), (alive, held) = process(), process()
    killed.kill()
    killed.wait()
    with draft_store() as store:
        assert (held.exists(), left.exists(), store.path.exists()) == (True, False, True)
    alive.communicate("")
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_plan_is_removed_after_its_store(tmp_path, monkeypatch):
    """So a process that is killed meanwhile leaves a lock, by which the next plan knows that nobody is there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, removed, remove = tmp_path / "gristmill-plan-left", [], shutil.rmtree
    (left / "store").mkdir(parents=True)
    (left / "lock").touch()

    def watched(folder, **options):
        removed.append((Path(folder).name, (left / "lock").exists()))
        remove(folder, **options)

    monkeypatch.setattr("curate.storage.draft_store.shutil.rmtree", watched)
    with draft_store():
        assert removed == [("store", True), (left.name, True)]
    assert [name for name, _ in removed[2:]][0] == "store" and list(tmp_path.iterdir()) == []


def test_a_failed_plan_in_a_store_is_gone_on_with(tmp_path):
    store = Store(tmp_path / "store")
    with pytest.raises(ZeroDivisionError), draft_store(store) as left:
        with left.new_stage("0123456789ab", "x"):
            pass
        raise ZeroDivisionError
    with draft_store(store) as again, draft_store(store) as another:
        assert again.path == left.path != another.path
        assert again.stage("0123456789ab") and not another.stage("0123456789ab")
        assert left.path.is_relative_to(store.path / "work")
    assert list((store.path / "work").iterdir()) == []


def test_a_run_removes_the_plan_that_a_failed_one_left(tmp_path):
    store = Store(tmp_path / "store")
    with pytest.raises(ZeroDivisionError), draft_store(store):
        raise ZeroDivisionError
    (tmp_path / "rows.jsonl").write_text('{"prompt": "q"}\n')
    with draft_store(Store(store.path)) as held:
        run({"name": "r", "prompts": [{"source": {"path": str(tmp_path / "rows.jsonl")}}]}, store)
        assert [path.name for path in (store.path / "work").iterdir()] == [held.path.parent.name]
