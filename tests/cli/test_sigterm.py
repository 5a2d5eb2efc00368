"""A run that is ended by SIGTERM says so at once; one that is killed is closed by whoever looks at the store next."""

import json
import signal
import time

import pytest

from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from tests.command import call
from tests.jobs import last_run
from tests.killed import started
from tests.stub_server import Stub

pytestmark = pytest.mark.slow
RECIPE = """
name: hangs
models: {{t: {{model: stub-1, engine: openai, base_url: {url}}}}}
prompts: [{{source: rows.jsonl}}]
completions: [{{generate: {{use: sample, model: t}}}}]
datasets: {{sft: {{type: sft, select: all}}}}
"""


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_no_run_goes_on_for_ever(tmp_path, kind):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "name a river"}\n')
    store = Store(tmp_path / "store")
    with Stub(faults={"hang": {"times": 0}}) as stub:
        (tmp_path / "hangs.yaml").write_text(RECIPE.format(url=stub.url))
        child = started(load_recipe(tmp_path / "hangs.yaml"), store)
        while not stub.stats()["faults"]:
            assert child.poll() is None, child.communicate()[1]
            time.sleep(0.1)
        assert last_run(store)["status"] == "running"
        child.send_signal(kind)
        _, errors = child.communicate(timeout=300)
    if kind == signal.SIGTERM:
        assert child.returncode == 143 and errors.count("error:") == 1 and "Traceback" not in errors, errors
        assert errors.splitlines()[-1].startswith("error: stopped; finished work is kept")
        assert last_run(store)["status"] == "killed"
    else:
        assert child.returncode == -signal.SIGKILL and last_run(store)["status"] == "running"
    done = call(tmp_path, "sql", "SELECT status, error FROM runs", "--format", "jsonl")
    assert json.loads(done.out)["status"] == "killed" and "run the same command again" in done.out
    assert last_run(store)["status"] == "killed"
