"""Whole rows of conversations with tools and reasoning, from the file to the tables."""

import json

from curate.sources.read_source import read_source
from curate.sources.source_summary import source_summary, source_warnings
from schemas.call_ids import call_id

ASK = {"role": "user", "content": "Weather?"}
CALLED = {"name": "sky", "arguments": {}}
SKY = {"type": "function", "function": CALLED}
ID = call_id(0, 0, CALLED)  # of a call that the file gives none
SCHEMA = {"type": "object", "properties": {}}
TOOL = {"type": "function", "function": {"name": "sky", "parameters": SCHEMA}}


def read(tmp_path, *rows):
    """The tables of a file with these rows."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_source(path)


def test_legacy_calls_with_functions_beside_them(tmp_path):
    called = {"role": "assistant", "content": None, "function_call": {"name": "sky", "arguments": "{}"}}
    result = {"role": "function", "name": "sky", "content": "sunny"}
    row = {
        "messages": [ASK, called, result, {"role": "assistant", "content": "Sunny."}],
        "functions": [{"name": "sky", "parameters": json.dumps(SCHEMA)}],
    }
    found = read(tmp_path, row)
    (prompt,) = found.prompts.rows(named=True)
    made = {"role": "assistant", "content": "", "tool_calls": [{"id": ID, **SKY}]}
    assert json.loads(prompt["messages"]) == [ASK, made, {**result, "role": "tool", "tool_call_id": ID}]
    assert (json.loads(prompt["tools"]), prompt["metadata"]) == ([TOOL], None)
    assert found.completions["response"].to_list() == ["Sunny."]
    ends = read(tmp_path, {"messages": [ASK, called]})
    assert json.loads(ends.completions["messages"][0]) == [made]


def test_tool_results_of_any_kind_do_not_make_a_file_unreadable(tmp_path):
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", **SKY}]}
    results = [None, {"text": "abc"}, ["a"], "abc", 5]
    end = {"role": "assistant", "content": "Done."}
    rows = [{"messages": [ASK, called, {"role": "tool", "tool_call_id": "1", "content": r}, end]} for r in results]
    found = read(tmp_path, *rows)
    texts = [json.loads(messages)[2]["content"] for messages in found.prompts["messages"]]
    assert texts == ["", '{"text":"abc"}', '["a"]', "abc", "5"]
    assert found.completions.height == len(results) and found.decisions.height == 0


def test_traces_of_messages_and_of_texts_are_kept_apart(tmp_path):
    answers = [
        {"messages": [ASK, {"role": "assistant", "content": "<think>\nwhy\n</think>\n\nso"}]},
        {"messages": [ASK, {"role": "assistant", "content": "so", "reasoning": "why"}]},
        {"prompt": "Weather?", "completion": "<think>why</think>so"},
        {"instruction": "Weather?", "output": "[THINK]why[/THINK]so"},
        {"prompt": "Weather?", "completions": ["<thinking>why</thinking>so"]},
        {"prompt": "Weather?", "completions": [{"response": "so", "reasoning_content": "why"}]},
        {"prompt": "Weather?", "completions": [{"response": "<think>why</think>so", "reasoning_content": "why"}]},
        {"prompt": "Weather?", "completions": [[{"role": "assistant", "content": "why</think>so"}]]},
    ]
    for row in answers:
        found = read(tmp_path, row).completions.row(0, named=True)
        assert (found["response"], found["reasoning_content"]) == ("so", "why"), row
        assert json.loads(found["messages"]) == [{"role": "assistant", "content": "so", "reasoning_content": "why"}]
    pair = {"prompt": "Weather?", "chosen": "<think>why</think>so", "rejected": "<think>why</think>no"}
    found = read(tmp_path, pair).completions
    assert found.select("response", "reasoning_content").rows() == [("so", "why"), ("no", "why")]


def test_a_trace_that_the_text_says_again_is_none(tmp_path):
    call = {"id": "1", "type": "function", "function": CALLED}
    text = "Let me look."
    for content, thought in ((text, text), (f"{text}\n", f" {text}"), (f"{text}\n\n```\nls\n```", text)):
        turn = {"role": "assistant", "content": content, "thought": thought}
        for row in ({"messages": [ASK, {**turn, "tool_calls": [call]}]}, {"messages": [ASK, turn]}):
            found = read(tmp_path, row).completions.row(0, named=True)
            assert (found["response"], found["reasoning_content"]) == (content, None), row
    rows = [
        {"prompt": "q", "completion": "4", "reasoning": "4"},
        {"prompt": "q", "completions": [{"response": "4", "thinking": "4"}]},
    ]
    for row in rows:
        assert read(tmp_path, row).completions["reasoning_content"].to_list() == [None]
    other = {"messages": [ASK, {"role": "assistant", "content": "42 it is", "thought": "42"}]}
    assert read(tmp_path, other).completions["reasoning_content"].to_list() == ["42"]


def test_an_answer_without_a_text_has_its_trace(tmp_path):
    refuses = {"role": "assistant", "content": "", "reasoning_content": "I should refuse."}
    found = read(tmp_path, {"messages": [ASK, refuses]}, {"prompt": "x", "completion": "<think>cut"}).completions
    assert found.select("response", "reasoning_content").rows() == [("", "I should refuse."), ("", "cut")]


def test_a_mention_of_a_tag_is_no_trace(tmp_path):
    text = "To close it write </think> after the trace, as in <think>x</think>."
    found = read(tmp_path, {"prompt": "How?", "completion": text}).completions.row(0, named=True)
    assert (found["response"], found["reasoning_content"]) == (text, None)


def test_calls_that_arrow_writes_as_nulls_leave_a_file_readable(tmp_path):
    no_call = {"name": None, "arguments": None}
    row = {
        "messages": [
            {**ASK, "function_call": no_call},
            {"role": "assistant", "content": "so", "function_call": no_call},
        ],
        "tools": "None",
    }
    found = read(tmp_path, row)
    assert json.loads(found.prompts["messages"][0]) == [ASK] and found.prompts["tools"][0] is None
    assert json.loads(found.completions["messages"][0]) == [{"role": "assistant", "content": "so"}]


def test_parallel_calls_in_turns_of_their_own_are_one_turn(tmp_path):
    called = {"role": "tool_call", "content": '{"name": "sky", "arguments": {}}'}
    result = {"role": "tool_response", "content": "sunny"}
    end = {"role": "assistant", "content": "Sunny."}
    (prompt,) = read(tmp_path, {"messages": [ASK, called, called, result, result, end]}).prompts.rows(named=True)
    roles = [message["role"] for message in json.loads(prompt["messages"])]
    assert roles == ["user", "assistant", "tool", "tool"]
    ends = read(tmp_path, {"messages": [ASK, called, called]})
    other = call_id(0, 1, CALLED)
    assert json.loads(ends.completions["messages"][0]) == [
        {"role": "assistant", "content": "", "tool_calls": [{"id": ID, **SKY}, {"id": other, **SKY}]}
    ]


def test_marks_of_turns_are_read_into_one_form(tmp_path):
    def talk(**marks):
        return {"conversations": [{"from": "human", "value": "Weather?"}, {"from": "gpt", "value": "Sunny.", **marks}]}

    marked = [
        {"weight": 0},
        {"weight": 0, "name": "bot"},
        {"train": False},
        {"training": "false"},
        {"loss": False},
        {"masked": True},
    ]
    called = {"from": "function_call", "value": '{"name": "sky", "arguments": {}}', "loss": False}
    calls = [{"conversations": [{"from": "human", "value": "Weather?"}, called]}]
    spoken = [
        {"messages": [ASK, {"role": "assistant", "content": "<think>why</think>so", "reasoning": "r", "train": 0}]}
    ]
    for row in [*(talk(**one) for one in marked), *calls, *spoken]:
        found = read(tmp_path, row)
        (turn,) = json.loads(found.completions["messages"].item())
        assert turn["weight"] == 0 and turn.keys().isdisjoint(("train", "training", "loss", "masked")), row
        assert found.facts.marks == {}
    learnt = read(tmp_path, talk(weight=1, loss=None))
    assert json.loads(learnt.completions["messages"].item()) == [{"role": "assistant", "content": "Sunny."}]
    same = [talk(), talk(weight=1), talk(train=True, loss=True), talk(masked=False)]
    for row in same:
        row["conversations"] = [row["conversations"][0], row["conversations"][1], *talk()["conversations"]]
    found = read(tmp_path, *same)
    assert (found.prompts.height, found.completions.height) == (1, 1), "true marks make no other prompt"
    half = talk(weight=0.5)
    half["conversations"][0]["train"] = True
    odd = read(tmp_path, half, talk(mask=True, weight=0.1))
    assert odd.facts.marks == {"weight": 2, "train": 1, "mask": 1}
    assert "; marks not understood: 'weight' (2 turns), 'train' (1 turn), 'mask' (1 turn)" in source_summary(odd.facts)
    (warning,) = source_warnings(odd.facts, None)
    assert warning.startswith("marks not understood: 'weight' (2 turns)") and "learnt or not as a whole" in warning
