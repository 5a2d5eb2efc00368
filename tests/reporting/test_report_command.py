"""``gristmill report`` and ``--report``: what is written, of which run, and what is said where it can't be."""

import json
import shutil
import sys

import pytest

from tests.command import call, mistake
from tests.optional import needs
from tests.reporting.full_store import fill

VIEW = needs("altair", "jinja2")
RECIPE = """
name: a
prompts: [{source: rows.jsonl}]
completions: [{score: length}]
datasets: {sft: {type: sft, where: length > 3}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a recipe, its rows, and the report that its run wrote at the end."""
    made = tmp_path_factory.mktemp("reported")
    rows = [{"prompt": f"question {n}", "completion": "x " * n} for n in range(1, 9)]
    (made / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (made / "a.yaml").write_text(RECIPE)
    return made


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    from curate.storage.store import Store

    made = tmp_path_factory.mktemp("full")
    fill(Store(made / "store"))
    return made


@pytest.fixture
def copied(full, tmp_path):
    """A store of a test's own, to damage."""
    shutil.copytree(full / "store", tmp_path / "store")
    return tmp_path


@VIEW
def test_a_run_writes_its_report_at_the_end(folder):
    done = call(folder, "run", "a.yaml", "--report", "out.html", "--quiet")
    assert done.code == 0 and "report: out.html" in done.out
    assert "3 of 8" not in done.err and "<h1>a</h1>" in (folder / "out.html").read_text()


@VIEW
def test_a_run_that_a_budget_stops_writes_its_report(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "one", "completion": "two"}\n')
    asking = (
        "name: a\nprompts: [{source: rows.jsonl}]\nbudget: {max_requests: 0}\n"
        "models: {m: {engine: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}}\n"
        "completions: [{generate: {use: sample, model: m, n: 1}}]\ndatasets: {sft: {type: sft, select: all}}\n"
    )
    (tmp_path / "a.yaml").write_text(asking)
    done = call(tmp_path, "run", "a.yaml", "--report", "out.html", "--quiet")
    assert done.code == 3 and "budget" in done.err and "(run, stopped)" in (tmp_path / "out.html").read_text()


@VIEW
def test_a_report_that_cannot_be_written_is_refused_first(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "own", ignore=shutil.ignore_patterns("store", "out.html"))
    said = mistake(call(tmp_path / "own", "run", "a.yaml", "--report", "nowhere/out.html"))
    assert "--report nowhere/out.html: there is no folder nowhere" in said and not (tmp_path / "own/store").exists()


@VIEW
def test_the_report_is_of_the_latest_run(full):
    done = call(full, "report", "-o", "r.html")
    assert done.code == 0 and "report: r.html" in done.out and done.err == ""
    assert "As of the run 20260105-a" in (full / "r.html").read_text()


@VIEW
def test_a_run_that_is_named_has_the_store_as_it_was_then(full):
    assert call(full, "report", "--run", "20260102", "-o", "early.html").code == 0
    text = (full / "early.html").read_text()
    assert "As of the run 20260102-a" in text and 'id="training_curves"' not in text and 'id="funnel"' in text


@VIEW
def test_an_unknown_run_is_one_line_with_the_nearest(full):
    assert "20260105-a" in mistake(call(full, "report", "--run", "20260105-b"))


def test_a_missing_extra_is_one_line(full, monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    done = call(full, "report", "-o", "never.html")
    assert done.code == 2 and "pip install 'gristmill[view]'" in done.err and done.err.count("\n") == 1
    assert not (full / "never.html").exists()


def test_a_folder_that_is_no_store_is_one_line(tmp_path):
    assert "no store here" in mistake(call(tmp_path, "report"))


@VIEW
def test_a_damaged_table_leaves_a_line_and_the_rest(copied):
    (file,) = (copied / "store/stages").glob("completions.score.judge-*/scores-0000.parquet")
    file.write_bytes(b"PAR1 not parquet")
    done = call(copied, "report", "-o", "r.html")
    text = (copied / "r.html").read_text()
    assert done.code == 0 and "scores can't be read" in done.err
    assert "scores can&#39;t be read" in text and 'id="scores"' not in text and 'id="training_curves"' in text


@VIEW
def test_a_manifest_that_is_gone_leaves_the_rest(copied):
    (manifest,) = (copied / "store/stages").glob("train-sft-*/stage.json")
    manifest.unlink()
    done = call(copied, "report", "-o", "r.html")
    assert done.code == 0 and "training can't be read" in done.err and 'id="funnel"' in (copied / "r.html").read_text()


@VIEW
def test_records_of_an_earlier_version_are_shown(copied):
    for file in (copied / "store/runs").glob("*.json"):
        old = {key: value for key, value in json.loads(file.read_text()).items() if key in KEYS_OF_OLD}
        file.write_text(json.dumps(old))
    done = call(copied, "report", "-o", "r.html")
    assert done.code == 0 and 'id="funnel"' in (copied / "r.html").read_text()


KEYS_OF_OLD = ("run_id", "recipe", "command", "status", "stages")
