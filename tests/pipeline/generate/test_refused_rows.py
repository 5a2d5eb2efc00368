"""Runs whose server refuses some prompts, answers with another model, or lacks a parameter."""

import pytest

from curate.api.run import run
from curate.storage.store import Store
from schemas.errors import Failed
from tests.command import call
from tests.jobs import last_run, query
from tests.served import SCORE, served, server, total
from tests.stub_server import Stub

pytestmark = pytest.mark.slow  # whole runs

FLAGGED = {"message": "Input was flagged by moderation", "times": 0}


def sample(more=""):
    return "\n  - generate: {use: sample, model: a, n: 1, max_tokens: 30" + more + "}" + SCORE


def test_one_flagged_prompt_is_its_rows_error_and_is_asked_once(tmp_path):
    with Stub(faults={"403": {"match": "question 2 please", **FLAGGED}}) as stub:
        recipe = served(tmp_path, stub.url, rows=4, completions=sample())
        done = call(tmp_path, "run", recipe.path)
        assert done.code == 0 and "1 request failed: 1 x big at" in done.err
        store = Store(tmp_path / "store")
        found = query(
            store, "SELECT prompt, error, response FROM completions JOIN prompts USING (prompt_id) ORDER BY prompt"
        ).rows()
        assert [row[1] is None for row in found] == [row[2] is not None for row in found] == [True, True, False, True]
        assert found[2][0].startswith("question 2") and "HTTP 403: Input was flagged" in found[2][1]
        requests = stub.stats()["requests"]
        assert call(tmp_path, "run", recipe.path).code == 0 and stub.stats()["requests"] == requests == 4


@pytest.mark.parametrize("limit", [0.2, 0])
def test_refusals_count_towards_a_max_failed_that_is_set(limit, tmp_path):
    with Stub(faults={"403": {"match": "question 2", **FLAGGED}}) as stub:
        store = Store(tmp_path / "store")
        with pytest.raises(Failed, match=r"allows \(0\); the first asked 'question 2 please please'"):
            run(served(tmp_path, stub.url, rows=4, completions=sample(f", max_failed: {limit}")), store)


def test_a_run_whose_prompts_are_mostly_refused_fails(tmp_path):
    with Stub(faults={"context": {"match": "question"}}) as stub:
        store = Store(tmp_path / "store")
        with pytest.raises(Failed, match=r"more than max_failed allows \(2\)"):
            run(served(tmp_path, stub.url, rows=4, completions=sample()), store)


def test_the_model_that_answered_is_a_column_of_the_candidates(tmp_path):
    body = {"model": "big-2026-01-01", "choices": [{"message": {"content": "hi"}, "finish_reason": "MAX_TOKENS"}]}
    with Stub(faults={"raw": {"match": "question 2", "body": body}}) as stub:
        store = Store(tmp_path / "store")
        run(served(tmp_path, stub.url, rows=4, completions=sample()), store)
    found = query(
        store, "SELECT model, answered_by, finish_reason FROM completions WHERE answered_by IS NOT NULL"
    ).rows()
    assert found == [("big", "big-2026-01-01", "length")]
    held = query(store, "SELECT completion_id FROM completions WHERE answered_by IS NOT NULL").item()
    assert "model big (answered by big-2026-01-01), sample 0" in call(tmp_path, "why", held).out


def test_what_a_server_lacks_is_learnt_once_a_run(tmp_path):
    models = "".join(
        f"\n  {name}: {{{server('URL', model)}, concurrency: 1}}" for name, model in (("a", "x"), ("b", "y"))
    )
    steps = sample() + "  - generate: {use: rewrite, model: b, instruction: shorter}"
    steps += "\n  - generate: {use: rewrite, model: a, instruction: longer}\n"
    with Stub(faults={"lacks": {"names": ["seed"], "status": 422, "shape": "pydantic"}}) as stub:
        recipe = served(tmp_path, stub.url, rows=3, models=models.replace("URL", stub.url) + "\n", completions=steps)
        done = call(tmp_path, "run", recipe.path)
        store = Store(tmp_path / "store")
        assert done.code == 0 and last_run(store)["status"] == "finished", done.err
        assert done.err.count("leaves out seed from now on") == 2, "once for each of the two models"
        assert stub.stats()["requests"] == total(store, "replies") + 2
