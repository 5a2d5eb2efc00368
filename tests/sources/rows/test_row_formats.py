"""Each row format is recognised by its keys, and a row of none of them says why."""

import json

import pytest

from curate.sources.rows.row_formats import Row
from curate.sources.rows.row_formats import convert as convert_all
from schemas.call_ids import call_id
from schemas.errors import BadRow


def convert(row: dict) -> Row:
    """Return the one prompt of a row."""
    (found,) = convert_all(row)
    return found


ASK = {"role": "user", "content": "2+2?"}
FOUR = {"role": "assistant", "content": "4"}
FIVE = {"role": "assistant", "content": "5"}
RULES = {"role": "system", "content": "Be brief."}

# (row, row format, prompt messages, [(completion's last text, model, scores)])
FORMATS = [
    ({"prompt": "2+2?"}, "prompt", [ASK], []),
    ({"prompt": "2+2?", "system": "Be brief."}, "prompt", [RULES, ASK], []),
    ({"prompt": [RULES, ASK], "system": "Be brief."}, "prompt", [RULES, ASK], []),
    ({"messages": [ASK]}, "prompt", [ASK], []),
    ({"messages": json.dumps([ASK])}, "prompt", [ASK], []),
    ({"messages": [ASK, FOUR], "label": True}, "messages", [ASK], [("4", "recorded", {"label": 1.0})]),
    ({"messages": [ASK, FOUR, ASK, FIVE]}, "messages", [ASK, FOUR, ASK], [("5", "recorded", {})]),
    (
        {"prompt": "2+2?", "completions": ["4", ""]},
        "prompt with completions",
        [ASK],
        [("4", "recorded", {}), ("", "recorded", {})],
    ),
    (
        {"prompt": "2+2?", "completions": [[FOUR], FIVE]},
        "prompt with completions",
        [ASK],
        [("4", "recorded", {}), ("5", "recorded", {})],
    ),
    (
        {"prompt": "2+2?", "completions": [{"content": "4", "model": "a", "scores": {"ok": True, "failed": None}}]},
        "prompt with completions",
        [ASK],
        [("4", "a", {"ok": 1.0, "failed": None})],
    ),
    (
        {"prompt": "2+2?", "completion": "4", "label": False},
        "prompt-completion",
        [ASK],
        [("4", "recorded", {"label": 0.0})],
    ),
    ({"prompt": [ASK], "completion": [ASK, FOUR]}, "prompt-completion", [ASK], [("4", "recorded", {})]),
    (
        {"prompt": "2+2?", "chosen": "4", "rejected": "5"},
        "preference",
        [ASK],
        [("4", "recorded", {"preference": 1.0}), ("5", "recorded", {"preference": 0.0})],
    ),
    # UltraFeedback binarized: the prompt is repeated on both sides, and messages repeats the chosen side
    (
        {
            "prompt": " 2+2? ",
            "chosen": [ASK, FOUR],
            "rejected": [ASK, FIVE],
            "messages": [ASK, FOUR],
            "score_chosen": 8.5,
            "score_rejected": 3,
        },
        "preference",
        [ASK],
        [("4", "recorded", {"preference": 1.0, "rating": 8.5}), ("5", "recorded", {"preference": 0.0, "rating": 3.0})],
    ),
    (
        {
            "prompt": "2+2?",
            "chosen": [RULES, ASK, FOUR],
            "rejected": [RULES, ASK, FIVE],
            "chosen_model": "a",
            "rejected_model": "b",
            "chosen_rating": "5",
            "rejected_rating": "N/A",
        },
        "preference",
        [RULES, ASK],
        [("4", "a", {"preference": 1.0, "rating": 5.0}), ("5", "b", {"preference": 0.0})],
    ),
    (
        {"prompt": [RULES, ASK], "chosen": [ASK, FOUR], "rejected": FIVE},
        "preference",
        [RULES, ASK],
        [("4", "recorded", {"preference": 1.0}), ("5", "recorded", {"preference": 0.0})],
    ),
    (
        {"chosen": [ASK, FIVE, ASK, FOUR], "rejected": [ASK, FIVE, ASK, FIVE]},
        "preference",
        [ASK, FIVE, ASK],
        [("4", "recorded", {"preference": 1.0}), ("5", "recorded", {"preference": 0.0})],
    ),
    (
        {
            "conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "2+2?"}],
            "chosen": {"from": "gpt", "value": "4"},
            "rejected": {"from": "gpt", "value": "5"},
        },
        "ShareGPT preference",
        [RULES, ASK],
        [("4", "recorded", {"preference": 1.0}), ("5", "recorded", {"preference": 0.0})],
    ),
    ({"instruction": "2+2?", "input": "", "output": "4"}, "Alpaca", [ASK], [("4", "recorded", {})]),
    (
        {"instruction": "Add.", "input": "2+2", "output": "4", "system": "Be brief.", "history": [["2+2?", "5"]]},
        "Alpaca",
        [RULES, ASK, FIVE, {"role": "user", "content": "Add.\n\n2+2"}],
        [("4", "recorded", {})],
    ),
    (
        {"instruction": "2+2?", "completions": [{"response": "4", "model": "a", "overall_score": 9}]},
        "UltraFeedback",
        [ASK],
        [("4", "a", {"overall_score": 9.0})],
    ),
    (
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
        "ShareGPT",
        [ASK],
        [("4", "recorded", {})],
    ),
    ({"question": "2+2?", "answer": "It is 4\n#### 4"}, "question-answer", [ASK], []),
    (
        {
            "question": "2+2?",
            "ground_truth": "4",
            "6b": {"is_correct": False, "solution": "5"},
            "175b": {"is_correct": True, "solution": "4"},
        },
        "recorded solutions",
        [ASK],
        [("5", "6b", {"is_correct": 0.0}), ("4", "175b", {"is_correct": 1.0})],
    ),
]


@pytest.mark.parametrize(
    "row, row_format, messages, answers", FORMATS, ids=[f"{i}-{c[1]}" for i, c in enumerate(FORMATS)]
)
def test_row_format(row, row_format, messages, answers):
    before = json.dumps(row)
    found = convert(row)
    assert (found.row_format, found.messages) == (row_format, messages)
    assert [(c.messages[-1]["content"], c.model, c.scores) for c in found.candidates] == answers
    assert all(c.messages[0]["role"] == "assistant" for c in found.candidates)
    assert json.dumps(row) == before, "the caller's row is left as it was"


def test_function_calls_become_tool_calls():
    call = {"name": "add", "arguments": {"a": 2, "b": None}}
    row = {
        "conversations": [
            {"from": "human", "value": "2+2?"},
            {"from": "function_call", "value": json.dumps(call)},
            {"from": "observation", "value": "4"},
            {"from": "gpt", "value": "It is 4"},
        ],
        "tools": json.dumps([{"name": "add", "parameters": {}}]),
    }
    found = convert(row)
    own = {"id": call_id(0, 0, call), "type": "function", "function": call}
    made = {"role": "assistant", "content": "", "tool_calls": [own]}
    assert found.messages == [ASK, made, {"role": "tool", "content": "4", "tool_call_id": own["id"]}]
    assert json.loads(found.tools or "") == [{"type": "function", "function": {"name": "add", "parameters": {}}}]
    # OpenAI's form, arguments as JSON text, means the same call
    calls = [{"id": "1", "type": "function", "function": {"name": "add", "arguments": json.dumps(call["arguments"])}}]
    found = convert({"messages": [ASK, {"role": "assistant", "content": None, "tool_calls": calls}]})
    assert found.candidates[0].messages[0]["tool_calls"] == [{**own, "id": "1"}]


def test_nothing_vanishes():
    found = convert(
        {
            "prompt": "2+2?",
            "id": 7,
            "metadata": {"level": "easy"},
            "completions": [
                {
                    "response": "4",
                    "critique": "right",
                    "helpful": 5,
                    "reasoning_content": "two twos",
                    "finish_reason": "eos",
                    "completion_tokens": 3,
                }
            ],
        }
    )
    assert json.loads(found.metadata or "") == {"level": "easy", "id": 7, "completions": [{"critique": "right"}]}
    (candidate,) = found.candidates
    assert (candidate.finish_reason, candidate.completion_tokens, candidate.scores) == ("stop", 3, {"helpful": 5.0})
    assert candidate.messages == [{**FOUR, "reasoning_content": "two twos"}]
    kept = convert({"messages": [{**ASK, "name": "Ann"}, FOUR], "prompt": "another text", "model": "m"})
    assert kept.messages[0] == {**ASK, "name": "Ann"}
    assert (json.loads(kept.metadata or ""), kept.candidates[0].model) == ({"prompt": "another text"}, "m")


def test_metadata_may_be_json_text():
    assert json.loads(convert({"prompt": "x", "metadata": '{"a": 1}', "id": 2}).metadata or "") == {"a": 1, "id": 2}
    assert convert({"prompt": "x", "metadata": " "}).metadata is None


def test_a_label_may_be_text():
    for label, value in (("True", 1.0), ("false", 0.0)):
        found = convert({"prompt": "x", "completion": "4", "label": label})
        assert found.candidates[0].scores == {"label": value}


def test_a_truth_that_is_no_text_becomes_json():
    assert convert({"prompt": "x", "ground_truth": {"keys": ["ä"]}}).ground_truth == '{"keys":["ä"]}'
    assert convert({"question": "x", "answer": 4}).ground_truth == "4"
    assert convert({"prompt": "x", "ground_truth": None}).ground_truth is None


# (row, words that the message must hold)
BAD = [
    ({}, ["no prompt or messages", "empty"]),
    ({"promt": "x"}, ["no prompt or messages", "'promt'", "did you mean 'prompt'"]),
    ({"body": "x"}, ["no prompt or messages", "'body'", "fields: {prompt: KEY}"]),
    ({"prompt": None}, ["'prompt' is null"]),
    ({"prompt": 5}, ["'prompt' is a number", "expected text or a list of messages"]),
    ({"prompt": " \n"}, ["'prompt' is empty"]),
    ({"text": "Once upon a time"}, ["'text' is plain text without a prompt"]),
    ({"messages": "hello"}, ["'messages' is text", "expected a list"]),
    ({"messages": []}, ["'messages' is empty"]),
    ({"messages": ["hi"]}, ["messages[0] is text", "expected a message"]),
    ({"messages": [{"content": "hi"}]}, ["messages[0] has no role", "'content'"]),
    ({"messages": [{"role": "usr", "content": "hi"}]}, ["no role 'usr'", "did you mean 'user'"]),
    ({"messages": [{"role": "user", "content": None}]}, ["messages[0]: content is null"]),
    ({"messages": [{"role": "user", "content": ""}]}, ["messages[0]: the user turn's content is empty"]),
    ({"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}]}, ["'image'", "only text parts"]),
    ({"messages": [ASK, {**FOUR, "content": ""}, ASK]}, ["messages[1]: the assistant turn's content is empty"]),
    ({"messages": [FOUR]}, ["only assistant turns"]),
    ({"messages": [RULES]}, ["no user turn"]),
    ({"prompt": "x", "completions": "4"}, ["'completions' is text", "expected a list"]),
    ({"prompt": "x", "completions": {"a": 1}}, ["'completions' is a mapping", "expected a list"]),
    ({"prompt": "x", "completions": []}, ["'completions' is empty"]),
    ({"prompt": "x", "completions": [{"respnse": "4"}]}, ["completions[0] has no 'response'", "'respnse'"]),
    ({"prompt": "x", "completions": [{"response": "4", "scores": {"a": "high"}}]}, ["scores['a'] is 'high'", "number"]),
    ({"prompt": "x", "completions": [{"response": "4", "scores": {"a": 10**400}}]}, ["expected a finite number"]),
    ({"prompt": "x", "completion": ""}, ["'completion' is empty"]),
    ({"prompt": "x", "completion": [ASK, FOUR]}, ["does not continue the prompt", "user turn"]),
    ({"prompt": "x", "chosen": "4"}, ["'chosen' without 'rejected'"]),
    ({"prompt": "x", "chosen": "4", "rejected": "4"}, ["'chosen' and 'rejected' are the same"]),
    ({"chosen": [FOUR], "rejected": [FIVE]}, ["without a prompt"]),
    ({"chosen": [RULES, FOUR], "rejected": [ASK, FIVE]}, ["share no turn"]),
    ({"chosen": "Human: 2+2? Assistant: 4", "rejected": "Human: 2+2? Assistant: 5"}, ["without a prompt"]),
    ({"prompt": "x", "tools": "add"}, ["'tools' is text", "expected a list"]),
    ({"prompt": "x", "tools": ["add"]}, ["tools[0] is text"]),
    ({"prompt": "x", "completions": [{"response": "4", "scores": [1]}]}, [".scores is a list", "names to numbers"]),
    ({"prompt": "x", "completion": [FOUR, {"role": "tool", "content": "5"}]}, ["ends with a tool turn"]),
    ({"prompt": "x", "completion": [{"role": "tool", "content": "5"}, FOUR]}, ["begins", "with a tool turn"]),
    ({"prompt": "x", "ground_truth": "\ud83d"}, ["\\ud83d", "half of a surrogate pair"]),
    ({"instruction": "x", "output": "4", "history": [["a"]]}, ["history[0]", "expected [question, answer]"]),
    (
        {"conversations": [{"from": "human", "value": "x"}, {"from": "function_call", "value": "add(2)"}]},
        ["conversations[1]", "not JSON", "'add(2)'"],
    ),
    (
        {"conversations": [{"from": "human", "value": "x"}, {"from": "function_call", "value": '{"fn": "add"}'}]},
        ["conversations[1]", "without a name"],
    ),
]


@pytest.mark.parametrize("row, words", BAD, ids=[f"{i}-{case[1][0]}" for i, case in enumerate(BAD)])
def test_bad_row_says_what_and_what_instead(row, words):
    with pytest.raises(BadRow) as caught:
        convert(row)
    text = str(caught.value)
    assert [word for word in words if word not in text] == [], text
    assert "\n" not in text and len(text) < 400
    text.encode()


def test_verdicts_of_listed_answers_may_be_words():
    answers = [{"text": "a", "is_correct": "true", "finish_reason": "MAX_TOKENS"}, {"text": "b", "is_correct": "no"}]
    found = convert({"prompt": "q", "completions": answers}).candidates
    assert [one.scores for one in found] == [{"is_correct": 1.0}, {"is_correct": 0.0}]
    assert found[0].finish_reason == "length"
    beside = convert({"prompt": "q", "completions": ["a", "b"], "finish_reasons": ["eos", None]}).candidates
    assert [one.finish_reason for one in beside] == ["stop", None]
