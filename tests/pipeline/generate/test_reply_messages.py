"""Replies with tool calls as candidates: the stored form, calls written as text, and broken ones."""

import json
from collections import Counter

import polars as pl
import pytest

from curate.api.run import run
from curate.models.gateway import replies_frame
from curate.pipeline.generate.reply_messages import CUT, EMPTY, with_messages
from curate.storage.row_history import row_history
from curate.storage.store import Store
from schemas.call_ids import call_id
from schemas.call_links import INEXACT
from schemas.call_text import AS_TEXT
from schemas.finish_reasons import BAD_CALL
from schemas.reply_calls import BROKEN
from schemas.requests import Reply
from tests.jobs import last_run, query
from tests.served import SCORE, served
from tests.stub_server import Stub

SKY = {"name": "sky", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": SKY}]
ROME = {"name": "sky", "arguments": {"city": "Rome"}}
ID = call_id(0, 0, ROME)
CALLED = [{"id": ID, "type": "function", "function": ROME}]
TEXT = '<tool_call>\n{"name": "sky", "arguments": {"city": "Rome"}}\n</tool_call>'
ASKED = '[{"role":"user","content":"?"}]'


def served_calls(*arguments):
    function = [{"name": "sky", "arguments": one} for one in arguments]
    return json.dumps([{"id": f"call_{n}", "type": "function", "function": f} for n, f in enumerate(function)])


def made(reply, tools=True, asked=ASKED):
    """A reply as a candidate: its columns, its message, what is told."""
    counts: Counter[str] = Counter()
    frame = with_messages(replies_frame([reply]), [json.dumps(TOOLS) if tools else None], [asked], counts)
    row = frame.row(0, named=True)
    return row, json.loads(row["completion"] or "[null]")[0], dict(counts)


@pytest.mark.parametrize(
    ("reply", "response", "calls"),
    [
        (Reply("k", "", None, served_calls('{"city": "Rome"}'), "tool_calls"), "", CALLED),
        (Reply("k", "Wait.", "why", served_calls('{"city": "Rome"}'), "tool_calls"), "Wait.", CALLED),
        # a server that leaves calls in the text, as a model on this machine writes them
        (Reply("k", f"Wait.\n{TEXT}", None, None, "stop"), "Wait.", CALLED),
        (Reply("k", '{"name": "sky", "parameters": {"city": "Rome"}}', None, None, "stop"), "", CALLED),
        (Reply("k", "Sunny.", None, None, "stop"), "Sunny.", None),
        (Reply("k", "The tag <tool_call> begins one.", None, None, "stop"), "The tag <tool_call> begins one.", None),
    ],
)
def test_calls_have_the_stored_form(reply, response, calls):
    row, message, counts = made(reply)
    assert (row["response"], row["error"], message["content"], counts) == (response, None, response, {})
    assert message.get("tool_calls") == calls and row["finish_reason"] == ("tool_calls" if calls else "stop")
    assert message.get("reasoning_content") == reply.reasoning_content


@pytest.mark.parametrize("tools", [True, False])
def test_replies_at_the_token_limit_are_counted(tools):
    assert made(Reply("k", "First, we", None, None, "length"), tools)[2] == {CUT: 1}
    assert made(Reply("k", "It is 4.", None, None, "stop"), tools)[2] == {}


def test_text_of_a_prompt_without_tools_stays_text():
    row, message, counts = made(Reply("k", TEXT, None, None, "stop"), tools=False)
    assert row["response"] == message["content"] == TEXT and "tool_calls" not in message
    assert counts == {AS_TEXT: 1}
    broken = made(Reply("k", TEXT[:30], None, None, "stop"), tools=False)
    assert broken[0]["error"] is None and broken[2] == {AS_TEXT: 1}
    assert not made(Reply("k", "Sunny [1] <b>.", None, None, "stop"), tools=False)[2]


@pytest.mark.parametrize("tools", [True, False])
def test_empty_replies_are_counted(tools):
    for text in ("", " \n"):
        assert made(Reply("k", text, None, None, "content_filter"), tools)[2] == {EMPTY: 1}
    assert made(Reply("k", "", None, served_calls("{}"), "tool_calls"), tools)[2] == {}
    assert made(Reply("k", error="HTTP 500"), tools)[2] == {}
    if tools:
        assert made(Reply("k", TEXT, None, None, "stop"))[2] == {}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("k", "", None, served_calls('{"city": '), "length"), "tool call 1 (sky): the arguments are not JSON"),
        (Reply("k", "", None, served_calls("{}", "[1]"), "tool_calls"), "tool call 2 (sky): the arguments are a list"),
        (
            Reply("k", f"{TEXT}\n<tool_call>\n{{", None, None, "length"),
            "tool call 2: its text is no call: '<tool_call>",
        ),
        (Reply("k", TEXT[:40], None, None, "length"), "tool call 1: its text is no call: '<tool_call>"),
        (Reply("k", '{"name": "sky", "parameters": {', None, None, "length"), "tool call 1: its text is no call: '{"),
    ],
)
def test_a_broken_call_is_an_error_and_what_was_written_is_kept(reply, said):
    row, message, counts = made(reply)
    cut = {CUT: 1} if reply.finish_reason == "length" else {}
    assert row["error"].startswith(said) and counts == {BROKEN: 1} | cut
    assert row["finish_reason"] == reply.finish_reason and row["response"] == message["content"]
    written = reply.text or json.loads(reply.tool_calls or "")[-1]["function"]["arguments"]
    assert (
        message["content"] == reply.text
        or message["tool_calls"][-1]["function"]["arguments"] == written
        or (written.endswith(message["content"]))
    )


@pytest.mark.parametrize("tools", [True, False])
def test_a_call_that_the_server_could_not_read_is_broken(tools):
    for text in ("", "I look."):
        row, message, counts = made(Reply("k", text, None, None, BAD_CALL), tools)
        assert "the server could not read" in row["error"] and counts == {BROKEN: 1} and message["content"] == text


def test_names_of_finish_reasons_that_an_older_version_stored():
    old = [Reply("k", "yes", finish_reason=given) for given in ("MAX_TOKENS", "eos", "pause_turn", None)]
    assert replies_frame([*old, None])["finish_reason"].to_list() == ["length", "stop", "pause_turn", None, None]


def test_a_failed_request_stays_one():
    row, _, counts = made(Reply("k", error="HTTP 500"))
    assert (row["error"], row["response"], row["completion"], counts) == ("HTTP 500", None, None, {})


def test_ids_differ_from_those_of_calls_in_the_prompt():
    prompt = json.dumps([{"role": "user", "content": "?"}, {"role": "assistant", "content": "", "tool_calls": CALLED}])
    _, message, _ = made(Reply("k", "", None, served_calls('{"city": "Rome"}')), asked=prompt)
    assert message["tool_calls"] == [{**CALLED[0], "id": call_id(1, 0, ROME)}]


def test_other_digits_are_counted():
    assert made(Reply("k", "", None, served_calls('{"x": 1.10}', '{"x": 1.1}')))[2] == {INEXACT: 1}


def test_no_replies_are_an_empty_table():
    assert with_messages(replies_frame([]), [], []).schema["completion"] == pl.String


def result(store):
    """The result line of the stage that generates."""
    stage = next(s for s in last_run(store)["stages"] if "generate" in s["stage"])
    return store.stage(stage["stage_id"]).manifest["result"]


@pytest.mark.slow
def test_a_run_marks_broken_calls_and_makes_no_rows_of_them(tmp_path):
    texts = ['call exactly: {"city": ', 'call exactly: ["Rome"]', 'call exactly: {"city": "Rome", "at": 1.10}', "call"]
    rows = [{"prompt": text, "tools": TOOLS} for text in texts]
    store = Store(tmp_path / "store")
    datasets = "\n  sft: {type: sft}\n"
    steps = "\n  - generate: {use: sample, model: a, n: 2, max_tokens: 30}" + SCORE
    with Stub() as stub:
        recipe = served(tmp_path, stub.url, rows=rows, completions=steps, datasets=datasets)
        run(recipe, store)
        asked = stub.stats()["requests"]
        run(recipe, store)
        assert stub.stats()["requests"] == asked, "a broken call is not asked for again"
    told = result(store)
    assert told.startswith("4 completions, ") and f"; {BROKEN}: 4; {INEXACT}: 2" in told and "failed" not in told
    broken = query(store, "SELECT * FROM completions WHERE error IS NOT NULL ORDER BY error").rows(named=True)
    assert [row["error"] for row in broken] == [
        *2 * ["tool call 1 (sky): the arguments are a list, expected a mapping: '[\"Rome\"]'"],
        *2 * ["tool call 1 (sky): the arguments are not JSON: '{\"city\": '"],
    ]
    kept = [json.loads(row["messages"])[0]["tool_calls"][0]["function"]["arguments"] for row in broken]
    assert kept == ['["Rome"]', '["Rome"]', '{"city": ', '{"city": '] and {row["response"] for row in broken} == {""}
    said = query(store, "SELECT * FROM decisions WHERE stage = 'completions.generate.sample'").rows(named=True)
    assert {row["row_id"]: row["evidence"] for row in said} == {r["completion_id"]: r["error"] for r in broken}
    assert {(row["kept"], row["reason"]) for row in said} == {(False, "broken tool call")}
    assert query(store, "SELECT count(*) FROM scores").item() == 4, "a broken call has no score"
    rows = query(store, "SELECT completion_id, completion FROM sft").rows(named=True)
    assert len(rows) == 4 and not {row["completion_id"] for row in rows} & {row["completion_id"] for row in broken}
    arguments = [json.loads(row["completion"])[0]["tool_calls"][0]["function"]["arguments"] for row in rows]
    assert all(isinstance(one, dict) for one in arguments)
    equal = [row["completion"] for row in rows if '"at": 1.1' in row["completion"]]
    assert len(equal) == 2 and equal[0] == equal[1], "equal calls have equal ids"
    assert "tool call 1 (sky)" in str(row_history(store, broken[0]["completion_id"]))
