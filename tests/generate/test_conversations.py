"""Conversations that are continued, and conversations whose assistant turns are regenerated."""

import importlib
import json

import polars as pl
import pytest

from curate.generate import regenerate
from schemas.errors import UserError
from tests.generate.drive_step import asked_texts, drive, notes, talk, user

go_on = importlib.import_module("curate.generate.continue").prompts


def contents(made):
    return [[turn["content"] for turn in json.loads(text)] for text in made["messages"]]


def test_the_model_answers_and_then_a_simulated_user_goes_on():
    made, asks = drive(
        go_on(pl.Series([talk("Sum?", system="Be brief.")]), turns=2, user_model="other"),
        [[" 5. "], ["<message>And times 2?</message>"], ["10."], ["User: Why?"]],
    )
    assert contents(made) == [["Be brief.", "Sum?", "5.", "And times 2?", "10.", "Why?"]]
    assert [turn["role"] for turn in json.loads(made["messages"][0])] == ["system", *["user", "assistant"] * 2, "user"]
    assert [ask.model for ask in asks] == ["model", "user_model"] * 2 and notes(made) == [{"continued": 2}]
    assert json.loads(asks[2].messages[0]) == json.loads(made["messages"][0])[:4]
    assert "<assistant>\n5.\n</assistant>" in asked_texts(asks, 1)[0] and "Be brief." not in asked_texts(asks, 1)[0]


@pytest.mark.parametrize(
    "reply",
    ["[DONE]", "Thanks! [Done]", None, "", "<message>cut", "<message>...</message>", "I'm sorry, but I can't do that."],
)
def test_a_conversation_that_ends_is_taken_as_far_as_it_came(reply):
    made, asks = drive(go_on(user("a", "b"), turns=2), [["1", "1"], [reply, "more"], [None, "2"], [None, reply]])
    assert made["row"].to_list() == [1] and contents(made) == [["b", "1", "more"]]
    assert notes(made) == [{"continued": 1}] and asked_texts(asks, 2)[0] is None


def test_without_an_answer_the_user_is_not_asked():
    made, asks = drive(go_on(user("a", "b")), [[None, " "], [None, None]])
    assert made.is_empty() and asked_texts(asks, 1) == [None, None]


def test_only_conversations_ending_with_a_user_are_continued():
    made, asks = drive(go_on(pl.Series([talk("a", "b"), None, "[]"])), lambda *_: "x")
    assert made.is_empty() and asked_texts(asks) == [None] * 3
    with pytest.raises(UserError, match="generate continue: turns: expected a whole number from 1 to 10,000, found 0"):
        drive(go_on(user("a"), turns=0), [])


def test_each_assistant_turn_is_requested_after_the_new_turns():
    messages = pl.Series([talk("a", "old 1", "b", "old 2", "c", system="s"), talk("x", "old", "y")])
    made, asks = drive(regenerate.prompts(messages), [["1", " X\n"], ["2", None]])
    assert contents(made) == [["s", "a", "1", "b", "2", "c"], ["x", "X", "y"]]
    assert [[t["content"] for t in json.loads(text)] for text in asks[0].messages] == [["s", "a"], ["x"]]
    assert [t["content"] for t in json.loads(asks[1].messages[0])] == ["s", "a", "1", "b"]
    assert asks[1].messages[1] is None and made["row"].to_list() == [0, 1]
    assert notes(made) == [{"regenerated": 2}, {"regenerated": 1}]


@pytest.mark.parametrize("reply", [None, "", " \n"])
def test_a_failed_turn_ends_the_conversation_and_the_requests(reply):
    made, asks = drive(regenerate.prompts(pl.Series([talk("a", "b", "c", "d", "e")])), [[reply], [None]])
    assert made.is_empty() and asked_texts(asks, 1) == [None]


def test_an_opening_is_kept_and_turns_in_a_row_become_one():
    roles = [("assistant", "Hello!"), ("user", "a"), ("assistant", "b"), ("assistant", "c"), ("user", "d")]
    messages = json.dumps([{"role": role, "content": text} for role, text in roles])
    made, _ = drive(regenerate.prompts(pl.Series([messages])), [["new"]])
    assert contents(made) == [["Hello!", "a", "new", "d"]]
    assert drive(regenerate.prompts(pl.Series([json.dumps(json.loads(messages)[:2])])), [])[0].is_empty()


def test_tools_and_prompts_with_no_assistant_are_left_alone():
    called = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "", "tool_calls": [{}]},
        {"role": "tool", "content": "7"},
        {"role": "user", "content": "b"},
    ]
    result = [called[0], {"role": "assistant", "content": "x"}, called[2], called[3]]
    messages = [json.dumps(called), json.dumps(result), talk("a"), talk("a", "b"), None, "[]"]
    made, asks = drive(regenerate.prompts(pl.Series(messages)), [])
    assert made.is_empty() and asks == []
