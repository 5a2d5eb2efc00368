"""Candidates rewritten, or criticised and revised."""

import polars as pl
import pytest

from curate.generate import critique_revise, rewrite
from curate.generate.critique_revise import PRINCIPLES
from schemas.errors import UserError
from tests.generate.drive_step import asked_texts, drive, strings, talk, user

OLD = "It is, I think, 5."


def rewritten(*replies):
    return drive(rewrite.candidates(strings("Sum?"), strings(OLD), instruction="Be brief."), [replies])[0].to_list()[0]


def revised(replies, **settings):
    return drive(critique_revise.candidates(user("Sum?"), strings(OLD), **settings), replies)


def test_a_response_is_rewritten_as_the_instruction_says():
    new, asks = drive(
        rewrite.candidates(strings("Sum?", None, "Sum?", "x"), strings(OLD, OLD, None, ""), instruction="Be brief."),
        lambda row, *_: f"<rewritten>\n{row}!\n</rewritten> There you are.",
    )
    assert new.to_list() == ["0!", "1!", None, None]
    for part in ("<instruction>\nBe brief.\n</instruction>", "<prompt>\nSum?\n</prompt>", f"<response>\n{OLD}\n</resp"):
        assert part in asked_texts(asks)[0]
    assert asked_texts(asks)[2:] == [None, None]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<rewritten>5.</rewritten>", "5."),
        ("Here is the rewritten response:\n\n5.", "5."),
        ("5.", "5."),
        ('<rewritten>"Five," he said. "5."</rewritten>', '"Five," he said. "5."'),
        ('<rewritten>"5"</rewritten>', '"5"'),
        ("<rewritten>5 but cut", None),
        ("", None),
        (None, None),
        (f"<rewritten> {OLD}\n</rewritten>", None),
        ("I'm sorry, but I can't help with that.", None),
    ],
)
def test_the_text_taken_as_the_new_response(reply, text):
    assert rewritten(reply) == text


def test_an_instruction_that_says_nothing_is_refused():
    with pytest.raises(UserError, match="generate rewrite: instruction: expected how"):
        drive(rewrite.candidates(strings("a"), strings("b"), instruction=" "), [])


def test_a_critique_by_a_principle_and_then_a_revision_of_it():
    new, asks = revised([["It is unsure."], ["<revised>It is 5.</revised>"]], principles=["Be sure."])
    assert new.to_list() == ["It is 5."] and [ask.model for ask in asks] == ["critic_model", "model"]
    assert all(
        part in asked_texts(asks)[0] for part in ("<user>\nSum?\n</user>", OLD, "<principle>\nBe sure.\n</principle>")
    )
    assert "<critique>\nIt is unsure.\n</critique>" in asked_texts(asks, 1)[0] and OLD in asked_texts(asks, 1)[0]


@pytest.mark.parametrize("critique", [None, "", "NONE", "None.", "**NONE**", "It keeps the principle. NONE"])
def test_where_the_critic_objects_to_nothing_nothing_is_revised(critique):
    new, asks = revised([[critique], [None]])
    assert new.to_list() == [None] and asked_texts(asks, 1) == [None]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "",
        "<revised>cut",
        f"<revised>{OLD}</revised>",
        "I can't help with this.",
        "It is 5. I have followed the critique.",
    ],
)
def test_a_revision_that_fails_is_no_candidate(reply):
    assert revised([["None of it is sure."], [reply]])[0].to_list() == [None]


def test_rounds_revise_the_last_revision_by_the_next_principle():
    new, asks = revised([["a"], ["<revised>B</revised>"], ["c"], [None]], rounds=2)
    assert new.to_list() == ["B"] and "<response>\nB\n</response>" in asked_texts(asks, 2)[0]
    used = [[p for p in PRINCIPLES if p in asked_texts(asks, number)[0]] for number in (0, 2)]
    assert used[0] != used[1] and [len(p) for p in used] == [1, 1]


def test_the_principle_is_the_responses_own_and_all_are_used():
    answers = [f"answer {n}" for n in range(100)]

    def used(answers):
        step = critique_revise.candidates(user(*["Sum?"] * 100), strings(*answers))
        texts = asked_texts(drive(step, lambda *_: None)[1])
        return {a: next(p for p in PRINCIPLES if p in text) for a, text in zip(answers, texts, strict=True)}

    there = used(answers)
    assert there == used(answers[::-1]) and set(there.values()) == set(PRINCIPLES)


def test_nothing_to_work_on_asks_nothing():
    messages = pl.Series([None, "[]", talk("a"), talk("a")], dtype=pl.String)
    new, asks = drive(critique_revise.candidates(messages, strings("x", "x", None, " ")), lambda *_: "bad")
    assert new.to_list() == [None] * 4 and all(ask.messages.is_null().all() for ask in asks)
    for settings in ({"principles": []}, {"rounds": 0}):
        with pytest.raises(UserError, match="^generate critique_revise: "):
            revised([], **settings)
