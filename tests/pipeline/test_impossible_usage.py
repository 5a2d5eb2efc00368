"""A run whose server counts tokens as no server can: every reply is kept, and the store answers afterwards."""

import json

import pytest

from curate.api.run import run
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from tests.stub_server import Stub

RECIPE = """
name: n
models: {{t: {{model: stub-1, engine: openai, base_url: {url}}}}}
prompts: [{{source: rows.jsonl}}]
completions: [{{generate: {{use: sample, model: t}}}}]
datasets: {{sft: {{type: sft, select: all}}}}
"""
TEXTS = ["name a river", "name a town", "name a hill"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2**62, 10**30, "5", 5.0, -3, None], ids=str)
def test_the_replies_of_such_a_server_are_kept(tmp_path, count):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in TEXTS))
    message = {"role": "assistant", "content": "hello"}
    usage = {} if count is None else {"usage": {"prompt_tokens": count, "completion_tokens": count}}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **usage}
    store = Store(tmp_path / "store")
    with Stub(faults={"raw": {"body": answer, "times": 0}}) as stub:
        (tmp_path / "n.yaml").write_text(RECIPE.format(url=stub.url))
        run(load_recipe(tmp_path / "n.yaml"), store)
    with connect(store) as con:
        rows = con.execute("SELECT response, completion_tokens FROM completions").fetchall()
        spent = con.execute("SELECT sum(prompt_tokens) FROM costs").fetchall()[0][0]
    assert rows == [("hello", 5 if count in ("5", 5.0) else None)] * 3
    assert 0 < spent < 1000
