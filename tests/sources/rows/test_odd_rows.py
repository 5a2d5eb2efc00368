"""Rows that look like a known layout and are not, and rows with an odd value: nothing is taken for what it is not."""

import json

import pytest

from curate.sources.rows.row_formats import Row, convert
from schemas.errors import BadRow

ASK = {"role": "user", "content": "2+2?"}
FOUR = {"role": "assistant", "content": "4"}
FIVE = {"role": "assistant", "content": "5"}


def only(row: dict) -> Row:
    """Return the one prompt of a row."""
    (found,) = convert(row)
    return found


def texts(row: Row) -> list[str]:
    """Return the texts of a row's candidates."""
    return [candidate.messages[-1]["content"] for candidate in row.candidates]


# (row, the candidates' texts, the ground truth, unused keys, keys that were not understood)
NO_ANSWERS: list[tuple[dict, list[str], str | None, tuple, tuple]] = [
    ({"question": "q", "answer": "4", "requires_completion": "no"}, [], "4", ("requires_completion",), ()),
    ({"question": "q", "answer": "4", "content": "a web page"}, [], "4", (), ()),
    ({"question": "q", "answer": "4", "extra_info": {"solution": "gold", "index": 3}}, [], "4", (), ()),
    ({"question": "q", "answer": "4", "candidates": ["3", "4"]}, [], "4", ("candidates",), ()),
    ({"problem": "q", "inputs": ["1"], "outputs": ["2"], "solution": "code"}, ["code"], "code", ("outputs",), ()),
    (
        {"problem": "q", "sample_output": "5", "test_output": "7", "solution": "code"},
        ["code"],
        "code",
        ("sample_output", "test_output"),
        (),
    ),
    ({"prompt": "q", "samples": ["ex1", "ex2"], "response": "4"}, ["4"], None, ("samples",), ()),
    ({"prompt": "q", "response": "4", "accepted": "yes", "rejected": "no"}, ["4"], None, ("rejected",), ()),
    ({"instruction": "q", "text": "Below is an instruction"}, [], None, (), ()),
    ({"prompt": "q", "response": "4", "label": 7}, ["4"], None, (), ("label",)),
    ({"prompt": "q", "output": "negative", "label": "negative"}, ["negative"], None, (), ()),
    ({"title": "x", "items": ["milk", "eggs"], "response": "4", "inputs": "q"}, ["4"], None, (), ()),
    ({"prompt": "q", "responses": ["4"], "year": [2020], "response_ids": [3]}, ["4"], None, (), ()),
    ({"instruction": "Be brief", "input": [ASK], "output": "4"}, ["4"], None, (), ("input",)),
    ({"question": "q", "choices": ["3", None], "answer": "3"}, [], "3", (), ("choices",)),
    ({"prompt": "q", "response_0": "4", "response_1": "5", "labels": 1}, ["4", "5"], None, (), ("labels",)),
    ({"prompt": "q", "response_a": "4", "response_b": "5", "winner": "not b"}, ["4", "5"], None, (), ("winner",)),
    ({"prompt": "q", "responses": ["4", "5"], "winner": 0}, ["4", "5"], None, (), ("winner",)),
    ({"prompt": "q", "responses": ["4", None]}, ["4"], None, (), ("responses",)),
    ({"prompt": "q", "response_a": "4", "response_b": None}, ["4"], None, (), ()),
    ({"prompt": "q", "draft_response": "5", "final_response": "4"}, [], None, ("draft_response", "final_response"), ()),
    ({"query": "q", "api_response": "{}", "answer": "4"}, ["4"], None, ("api_response",), ()),
    ({"question": "q", "student_answer": "5", "answer": "4"}, [], "4", ("student_answer",), ()),
    ({"prompt": "q", "response": "", "answer": "4"}, [], "4", (), ()),
    ({"prompt": "q", "response": None, "answer": "4"}, [], "4", (), ()),
    ({"question": "q", "context": {"t": ["a"]}, "answer": "4"}, [], "4", (), ("context",)),
    ({"prompt": "q", "response": "4", "rating": "5/5"}, ["4"], None, (), ("rating",)),
    ({"prompt": "q", "image": "a.jpg", "response": "4"}, ["4"], None, (), ("image",)),
    ({"messages": [{"role": "system", "content": "s"}, ASK, FOUR], "system": "t"}, ["4"], None, (), ("system",)),
]


def test_what_is_no_answer_is_not_taken_for_one():
    for row, answers, truth, unused, unclear in NO_ANSWERS:
        found = only(row)
        assert (texts(found), found.ground_truth) == (answers, truth), row
        assert (found.unused, found.unclear) == (unused, unclear), row
        left = json.dumps(json.loads(found.metadata or "{}"))
        assert all(json.dumps(key) in left for key in (*unused, *unclear)), row


# Rows that are read as the same row: empty values count as absent.
SAME: list[tuple[dict, dict]] = [
    ({"system": "", "system_prompt": "s", "prompt": "q"}, {"system": "s", "prompt": "q"}),
    ({"prompt": "q", "response": "", "output": "4"}, {"prompt": "q", "output": "4"}),
    ({"prompt": "q", "response": "4", "reasoning": " ", "thinking": "t"},
     {"prompt": "q", "response": "4", "thinking": "t"}),
    ({"prompt": "q", "tools": [], "functions": [{"name": "f"}]}, {"prompt": "q", "tools": [{"name": "f"}]}),
    ({"prompt": "q", "messages": [], "response": "4"}, {"prompt": "q", "response": "4"}),
    ({"instruction": "q", "input": "", "context": "c", "output": "4"},
     {"instruction": "q", "context": "c", "output": "4"}),
    ({"instruction": "q", "input": "<noinput>", "output": "4"}, {"instruction": "q", "output": "4"}),
    ({"prompt": "q", "system": [{"type": "text", "text": "s"}]}, {"prompt": "q", "system": "s"}),
    ({"prompt": "q", "system": "None"}, {"prompt": "q"}),
    ({"prompt": "q", "functions": '[{"name": "f"}]'}, {"prompt": "q", "tools": [{"name": "f"}]}),
    ({"prompt": "q", "history": ["Hi", "Hello."]}, {"prompt": "q", "history": [["Hi", "Hello."]]}),
    ({"prompt": "q", "good_response": "4", "bad_answer": "x", "bad_response": "5"},
     {"prompt": "q", "chosen": "4", "rejected": "5", "bad_answer": "x"}),
    ({"prompt": "q", "response_a": "4", "response_b": "5", "chosen": "response_a", "rejected": "response_b"},
     {"prompt": "q", "completion_chosen": "4", "completion_rejected": "5"}),
    ({"prompt": "q", "chosen_messages": '[{"role": "assistant", "content": "4"}]', "rejected_messages": "5"},
     {"prompt": "q", "chosen": "4", "rejected": "5"}),
    ({"prompt": "q", "chosen": "[{'role': 'assistant', 'content': '4'}]", "rejected": "5"},
     {"prompt": "q", "chosen": "4", "rejected": "5"}),
    ({"question": "q", "reasoning": ["a", "b"], "answer": "4"},
     {"question": "q", "reasoning": "a\n\nb", "answer": "4"}),
    ({"instruction": "q", "output": 4}, {"instruction": "q", "output": "4"}),
    ({"prompt": "q", "completions": '["4"]', "scores": "[1]"}, {"prompt": "q", "completions": ["4"], "scores": [1]}),
    ({"conversation": "Human: q\nAssistant: 4"}, {"conversation": [{"human": "q", "assistant": "4"}]}),
    ({"prompt": "q", "response": "<think>a</think>4", "reasoning": "b"},
     {"prompt": "q", "response": "4", "reasoning": "b\n\na"}),
]  # fmt: skip


def test_rows_that_say_the_same_are_read_the_same():
    for row, other in SAME:
        one, same = only(row), only(other)
        assert (one.messages, one.candidates, one.tools) == (same.messages, same.candidates, same.tools), row


def test_a_side_that_is_a_mapping_keeps_all_that_is_in_it():
    chosen = {"response": "4", "model": "a", "score": 9, "reasoning": "t", "note": "n"}
    found = only({"prompt": "q", "chosen": chosen, "rejected": {"text": "5"}})
    best, worst = found.candidates
    assert (best.model, best.scores) == ("a", {"preference": 1.0, "score": 9.0})
    assert best.messages == [{**FOUR, "reasoning_content": "t"}] and worst.scores == {"preference": 0.0}
    assert json.loads(found.metadata or "") == {"chosen": {"note": "n"}}
    nested = only({"chosen": {"messages": [ASK, FOUR]}, "rejected": {"messages": [ASK, FIVE]}})
    assert nested.messages == [ASK] and texts(nested) == ["4", "5"]


def test_the_winner_is_a_number_a_letter_or_a_model():
    row = {"prompt": "q", "response_1": "4", "response_2": "5", "model_1": "llama-2", "model_2": "gpt-4"}
    for winner, better in (("llama-2", 0), ("gpt-4", 1), ("response_2", 1), ("model_1", 0)):
        found = only({**row, "winner": winner})
        assert [one.scores["preference"] for one in found.candidates] == [1.0 - better, float(better)], winner
        assert found.metadata is None and not found.unclear
    for winner in (0, 1, "1"):  # these may be counted from 0 or from 1
        assert only({**row, "winner": winner}).unclear == ("winner",)
    first = only({"prompt": "q", "response_0": "4", "response_1": "5", "winner": 1})
    assert [one.scores["preference"] for one in first.candidates] == [0.0, 1.0]


def test_the_truth_of_a_question_with_choices():
    rows = [
        {"choices": ["a", "b"], "answer": 1},
        {"choices": '["a", "b"]', "answer": "1"},
        {"choices": ["a", "b"], "answer": 1.0},
        {"choices": ["a", "b"], "label": 1},
        {"options": {"A": "a", "B": "b"}, "answer": "B"},
        {"choices": [3, 4], "correct_option": 1},
    ]
    for row in rows:
        found = only({"question": "q", **row})
        assert found.ground_truth == "B" and found.messages[0]["content"].startswith("q\n\nA. "), row
    yes = only({"question": "q", "choices": ["yes", "no"], "answer": True})
    assert yes.ground_truth == "true"


def test_the_answer_beside_another_answer_is_the_truth():
    rows = [
        {"prompt": "q", "response": "4", "answer": "4"},
        {"prompt": "q", "response": "5", "answer": "4"},
        {"prompt": "q", "completions": ["4", "5"], "answer": "4"},
        {"prompt": "q", "solution": "2+2 is 4", "answer": "4"},
        {"question": "q", "ground_truth": "", "answer": "4"},
    ]
    assert [only(row).ground_truth for row in rows] == ["4"] * 5
    named = only({"question": "q", "answer": "four", "ground_truth": "4"})
    assert (texts(named), named.ground_truth) == (["four"], "4")


def test_earlier_turns_may_stand_under_history_or_context():
    before = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    for row in ({"context": before}, {"history": [["Hi", "Hello."]]}, {"history": before}):
        assert only({"prompt": "2+2?", "response": "4", **row}).messages == [*before, ASK]


def test_an_empty_last_turn_is_no_answer_and_is_said():
    found = only({"messages": [ASK, {"role": "assistant", "content": ""}]})
    assert (found.messages, found.candidates) == ([ASK], [])
    assert (found.unclear, found.cut) == ((), [{"role": "assistant", "content": ""}])
    call = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    assert only({"messages": [ASK, call]}).candidates[0].messages[0]["tool_calls"]


def test_answers_and_prompts_that_are_mappings():
    answer = only({"prompt": "q", "response": {"text": "4", "model": "m", "usage": {"n": 1}}})
    assert (texts(answer), answer.candidates[0].model) == (["4"], "m")
    assert json.loads(answer.metadata or "") == {"response": {"usage": {"n": 1}}}
    prompt = only(
        {"question": {"full_text": "q", "id": 1}, "answer_0": "4", "answer_1": "5", "score_0": 1, "score_1": 0}
    )
    assert prompt.messages[0]["content"] == "q" and texts(prompt) == ["4", "5"]
    scored = only({"prompt": "q", "response": "4", "scores": {"style": 1, "length": 0.5}})
    assert scored.candidates[0].scores == {"style": 1.0, "length": 0.5}
    reasons = only(
        {"prompt": "q", "completions": ["4", "5"], "finish_reasons": ["END_TURN", None], "models": ["a", None]}
    )
    assert [(one.finish_reason, one.model) for one in reasons.candidates] == [("stop", "a"), (None, "recorded")]


def test_lists_that_python_wrote():
    turns = "[{'role': 'user', 'content': \"it's\"}, {'role': 'assistant', 'content': '4'}]"
    assert only({"messages": turns}).messages[0]["content"] == "it's"
    for broken in ("[{'role': 'user', 'content': dict()}]", "[{'role': 'user'" + " " * 1_000_001):
        with pytest.raises(BadRow, match="neither JSON nor Python"):
            convert({"messages": broken})


def test_values_of_metadata_at_any_depth():
    deep: list = []
    for _ in range(200):
        deep = [deep]
    found = only(
        {"prompt": "q", "metadata": '{"a": 1}', "odd": [{"b": float("inf")}], "deep": deep, "set": {1}, "half\ud83d": 1}
    )
    kept = json.loads(found.metadata or "")
    assert (kept["a"], kept["odd"], kept["set"]) == (1, [{"b": "inf"}], "{1}") and "half?" in kept
