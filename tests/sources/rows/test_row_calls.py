"""Tool calls of recorded rows: ids over the prompt and its answers, calls that are written as text, what is told."""

import json

import polars as pl
import pytest

from curate.sources.read_source import read_source
from curate.sources.rows.row_calls import AS_TEXT, DESCRIBED_TWICE, UNREAD
from curate.sources.rows.row_formats import convert
from curate.sources.source_summary import source_summary
from schemas.call_ids import call_id
from schemas.call_links import INEXACT, UNASKED
from schemas.reply_calls import BROKEN as CALL_BROKEN

ASK = {"role": "user", "content": "Weather?"}
END = {"role": "assistant", "content": "Sunny."}
TOOLS = [{"type": "function", "function": {"name": "sky", "parameters": {"type": "object", "properties": {}}}}]
SKY = {"name": "sky", "arguments": {}}
ID, NEXT = call_id(0, 0, SKY), call_id(1, 0, SKY)
CALLED = {"role": "assistant", "content": "", "tool_calls": [{"id": ID, "type": "function", "function": SKY}]}
AGAIN = {"role": "assistant", "content": "", "tool_calls": [{"id": NEXT, "type": "function", "function": SKY}]}
RESULT = {"role": "tool", "content": "sunny", "tool_call_id": ID}
TEXT = '<tool_call>\n{"name": "sky", "arguments": {}}\n</tool_call>'
WRITTEN = {"role": "assistant", "content": TEXT}
TOLD = {"role": "user", "content": "<tool_response>\nsunny\n</tool_response>"}


def bare(turn):
    """A turn without the ids of its calls."""
    calls = {"tool_calls": [SKY for _ in turn["tool_calls"]]} if "tool_calls" in turn else {}
    return {k: v for k, v in turn.items() if k not in ("tool_call_id", "tool_calls")} | calls


def only(row):
    (found,) = convert(row)
    return found


def told(row):
    return {what: count for what, count in row.calls.items() if count}


@pytest.mark.parametrize(
    ("row", "messages", "answers"),
    [
        ({"messages": [ASK, bare(CALLED), bare(RESULT), END]}, [ASK, CALLED, RESULT], [[END]]),
        ({"messages": [ASK, bare(CALLED)]}, [ASK], [[CALLED]]),
        # an answer that calls again after a call in the prompt, and each of several answers for itself
        ({"messages": [ASK, bare(CALLED), bare(RESULT), bare(AGAIN)]}, [ASK, CALLED, RESULT], [[AGAIN]]),
        (
            {"prompt": [ASK, bare(CALLED), bare(RESULT)], "completions": [[END], [bare(AGAIN)], [bare(AGAIN)]]},
            [ASK, CALLED, RESULT],
            [[END], [AGAIN], [AGAIN]],
        ),
        # a trajectory as one answer
        ({"prompt": [ASK], "completion": [bare(CALLED), bare(RESULT), END]}, [ASK], [[CALLED, RESULT, END]]),
        # the sides of a pair, alone and with their prompt
        (
            {"prompt": [ASK, bare(CALLED), bare(RESULT)], "chosen": [END], "rejected": [bare(AGAIN)]},
            [ASK, CALLED, RESULT],
            [[END], [AGAIN]],
        ),
        (
            {
                "chosen": [ASK, bare(CALLED), bare(RESULT), END],
                "rejected": [ASK, bare(CALLED), bare(RESULT), bare(AGAIN)],
            },
            [ASK, CALLED, RESULT],
            [[END], [AGAIN]],
        ),
        # the list of calls that is an answer
        ({"query": "Weather?", "answers": json.dumps([SKY]), "tools": json.dumps(TOOLS)}, [ASK], [[CALLED]]),
    ],
)
def test_ids_are_those_of_the_conversation(row, messages, answers):
    found = only(row)
    assert found.messages == messages and [one.messages for one in found.candidates] == answers
    assert told(found) == {}


def test_sides_whose_calls_differ_in_ids_share_a_prompt():
    def side(name, end):
        called = {"role": "assistant", "content": "", "tool_calls": [{"id": name, **SKY}]}
        return [ASK, called, {**bare(RESULT), "tool_call_id": name}, end]

    found = only({"chosen": side("a", END), "rejected": side("b", {**END, "content": "Rain."})})
    assert len(found.messages) == 3 and [len(one.messages) for one in found.candidates] == [1, 1]


@pytest.mark.parametrize(
    ("row", "messages", "answer"),
    [
        ({"messages": [ASK, WRITTEN, TOLD, END], "tools": TOOLS}, [ASK, CALLED, RESULT], END),
        ({"messages": [ASK, WRITTEN, {**TOLD, "role": "tool"}, END], "tools": TOOLS}, [ASK, CALLED, RESULT], END),
        ({"messages": [ASK, WRITTEN, bare(RESULT), END], "tools": TOOLS}, [ASK, CALLED, RESULT], END),
        ({"messages": [ASK, WRITTEN], "tools": TOOLS}, [ASK], CALLED),
        ({"prompt": "Weather?", "response": TEXT, "tools": TOOLS}, [ASK], CALLED),
        (
            {"prompt": "Weather?", "response": f"I look.\n{TEXT}", "tools": TOOLS},
            [ASK],
            {**CALLED, "content": "I look."},
        ),
        (
            {"prompt": "Weather?", "response": f"<think>hm</think>{TEXT}", "tools": TOOLS},
            [ASK],
            {**CALLED, "reasoning_content": "hm"},
        ),
        ({"messages": [ASK, {**WRITTEN, "weight": 0}], "tools": TOOLS}, [ASK], {**CALLED, "weight": 0}),
        # in the middle of a text, the tags are no result
        (
            {"messages": [ASK, WRITTEN, {"role": "user", "content": f"So {TOLD['content']}?"}, END], "tools": TOOLS},
            [ASK, CALLED, {"role": "user", "content": f"So {TOLD['content']}?"}],
            END,
        ),
        # the row describes its tools in the system text only: it is its own convention
        ({"messages": [ASK, WRITTEN, TOLD, END]}, [ASK, WRITTEN, TOLD], END),
    ],
)
def test_calls_that_are_written_as_text(row, messages, answer):
    found = only(row)
    assert found.messages == messages and [one.messages for one in found.candidates] == [[answer]]


def test_several_results_in_a_turn_are_results_each():
    both = {"role": "user", "content": "<tool_response>a</tool_response>\n<tool_response>b</tool_response>", "at": 1}
    found = only({"messages": [ASK, {**WRITTEN, "content": TEXT + TEXT}, both, END], "tools": TOOLS})
    first, second = (call["id"] for call in found.messages[1]["tool_calls"])
    assert found.messages[2:] == [
        {"role": "tool", "content": "a", "tool_call_id": first, "at": 1},
        {"role": "tool", "content": "b", "tool_call_id": second, "at": 1},
    ]


SYSTEM = {"role": "system", "content": "<tools>[...]</tools> Call them in <tool_call></tool_call>."}
BROKEN = {"role": "assistant", "content": '<tool_call>{"name": "sky", </tool_call>'}


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({"messages": [ASK, END]}, {}),
        ({"messages": [ASK, WRITTEN, TOLD, END]}, {AS_TEXT: 1}),
        ({"messages": [ASK, BROKEN], "tools": TOOLS}, {CALL_BROKEN: 1}),
        ({"messages": [ASK, BROKEN, ASK, END], "tools": TOOLS}, {UNREAD: 1}),
        ({"messages": [ASK, {**BROKEN, "weight": 0}, ASK, END], "tools": TOOLS}, {}),
        ({"prompt": "?", "completions": [BROKEN["content"], "x", "[sky("], "tools": TOOLS}, {CALL_BROKEN: 1}),
        ({"messages": [SYSTEM, ASK, WRITTEN], "tools": TOOLS}, {DESCRIBED_TWICE: 1}),
        ({"messages": [SYSTEM, ASK, WRITTEN]}, {AS_TEXT: 1}),
        ({"messages": [ASK, bare(CALLED), bare(RESULT), bare(RESULT), END]}, {UNASKED: 1}),
        ({"messages": [ASK, {**CALLED, "tool_calls": [{**SKY, "arguments": '{"a": 1.10}'}]}]}, {INEXACT: 1}),
        (
            {"messages": [ASK, {"role": "function_call", "content": '{"name": "sky", "arguments": {"a": 1e5}}'}]},
            {INEXACT: 1},
        ),
    ],
)
def test_what_is_told_of_calls(row, counts):
    assert told(only(row)) == counts


def test_a_call_that_cannot_be_read_is_not_learnt(tmp_path):
    cut = '<tool_call>{"name": "sky", "Ro'
    rows = [
        {"messages": [ASK, {"role": "assistant", "content": cut}], "tools": TOOLS},
        {"prompt": "Rain?", "completions": ["No.", f"{TEXT[:-12]}}}</tool_call>", TEXT], "tools": TOOLS},
        {"messages": [ASK, BROKEN, ASK, END], "tools": TOOLS},
        {"prompt": "Wind?", "completion": [BROKEN, END], "tools": TOOLS},
        {"prompt": "How?", "response": "Write <tool_call>, then a mapping.", "tools": TOOLS},
        {"prompt": "How?", "response": cut},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_source(path)
    broken = found.completions.filter(pl.col("error").is_not_null())
    assert [one.partition(": '")[0] for one in broken["error"]] == 2 * ["tool call 1: its text is no call"]
    assert broken["response"][0] == cut
    assert found.decisions.rows() == [
        (row["completion_id"], False, "broken tool call", row["error"]) for row in broken.rows(named=True)
    ]
    assert found.completions.height == 8 and f"; {CALL_BROKEN}: 2; {UNREAD}: 2; {AS_TEXT}: 1" in source_summary(
        found.facts
    )
    assert "refused" not in source_summary(found.facts)
    turns = [
        turn for table in (found.prompts, found.completions) for text in table["messages"] for turn in json.loads(text)
    ]
    assert [turn["content"] for turn in turns if turn.get("weight") == 0] == 2 * [BROKEN["content"]]


def test_the_line_of_a_source_tells_it(tmp_path):
    rows = [
        {"messages": [ASK, {**CALLED, "tool_calls": [{**SKY, "arguments": '{"a": 1.10}'}]}]},
        {"messages": [ASK, {**CALLED, "tool_calls": [{**SKY, "arguments": '{"a": 1.20}'}]}]},
        {"messages": [{**ASK, "content": "Rain?"}, WRITTEN]},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    line = source_summary(read_source(path).facts)
    assert f"; {INEXACT}: 2; {AS_TEXT}: 1" in line


def test_equal_rows_are_one_prompt_whose_ids_are_the_same(tmp_path):
    rows = [
        {"messages": [ASK, bare(CALLED), bare(RESULT), END]},
        {"conversations": [
            {"from": "human", "value": "Weather?"},
            {"from": "function_call", "value": json.dumps(SKY)},
            {"from": "observation", "value": "sunny"},
            {"from": "gpt", "value": "Rain."},
        ]},
    ]  # fmt: skip
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_source(path)
    assert found.prompts.height == 1 and found.completions.height == 2
