"""A run that was killed says so as soon as anybody looks, and one that goes on is left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.api.open_store import open_store
from curate.storage.store import Store

ROOT = Path(__file__).parents[2]
HOLDS = """
import sys
from curate.storage.store import Store

with Store(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


def record(store, status, **more):
    """Write the record of a run with this status; return its file."""
    made = {"run_id": f"run-{status}", "recipe": "job", "command": "run", "status": status, "stages": []} | more
    store.save_run(made)
    return store.path / "runs" / f"{made['run_id']}.json"


def status(file):
    return json.loads(file.read_text())["status"]


def test_the_next_run_closes_what_was_killed(store):
    files = [record(store, one) for one in ("running", "finished", "failed", "interrupted")]
    with store.lock():
        assert [status(file) for file in files] == ["killed", "finished", "failed", "interrupted"]
    assert "killed" in json.loads(files[0].read_text())["error"]


def test_a_record_that_cannot_be_read_stops_nothing(store):
    torn = store.path / "runs" / "torn.json"
    torn.write_text('{"status": "running"')
    listed = store.path / "runs" / "listed.json"
    listed.write_text('["running"]')
    file = record(store, "running")
    with store.lock():
        assert status(file) == "killed"
    assert torn.read_text() == '{"status": "running"' and listed.read_text() == '["running"]'


@pytest.mark.slow
def test_who_only_looks_closes_it_but_not_while_a_run_goes_on(store):
    with store.lock():
        pass
    file = record(store, "running")
    command = [sys.executable, "-c", HOLDS, str(store.path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    holder = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    file = record(store, "running")  # the holder's, as it were
    assert open_store(store.path) and status(file) == "running"
    holder.kill()
    holder.communicate()
    assert open_store(store.path) and status(file) == "killed"


def test_nothing_is_made_where_nothing_ran(tmp_path):
    store = Store(tmp_path / "store")
    store.note_killed_runs()
    assert not (store.path / "lock").exists()
