"""Prompts that evolve round by round."""

import json
from collections import Counter
from typing import Any

import polars as pl
import pytest

from curate.generate.evolve import HOW, METHODS, prompts
from schemas.errors import UserError
from tests.generate.drive_step import asked_texts, drive, last, notes, talk, user, whole


def one(reply, text="Write a poem.", **settings):
    return last(drive(prompts(user(text), whole(0), **settings), lambda *_: reply)[0])


def test_each_round_gives_a_prompt_made_from_the_one_before():
    made, asks = drive(
        prompts(user("a 0", None, ""), whole(0, 0, 0), how="deepen", rounds=3),
        [[f"<prompt>a {n}</prompt>", None, None] for n in (1, 2, 3)],
    )
    assert last(made) == ["a 1", "a 2", "a 3"] and made["row"].to_list() == [0, 0, 0]
    assert notes(made) == [{"evolution": "deepen", "round": n} for n in (1, 2, 3)]
    for number in range(3):
        text, *others = asked_texts(asks, number)
        assert f"<given>\na {number}\n</given>" in text and METHODS["deepen"] in text and others == [None, None]


def test_only_the_last_user_turn_evolves_and_context_is_shown():
    messages = talk("Name a river.", "The Nile.", "How long is it?", system="Be brief.")
    made, asks = drive(prompts(pl.Series([messages]), whole(0)), lambda *_: "<prompt>How long, in miles?</prompt>")
    before = json.loads(messages)
    assert json.loads(made["messages"][0]) == [*before[:-1], {"role": "user", "content": "How long, in miles?"}]
    assert "<assistant>\nThe Nile.\n</assistant>" in asked_texts(asks)[0] and "Be brief." in asked_texts(asks)[0]
    assert "conversation" not in asked_texts(drive(prompts(user("a"), whole(0)), lambda *_: None)[1])[0]


def test_a_conversation_ending_otherwise_is_left_alone():
    made, asks = drive(prompts(pl.Series([talk("a", "b"), "[]"]), whole(0, 0)), lambda *_: "c")
    assert made.is_empty() and asked_texts(asks) == [None, None]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "",
        "<prompt></prompt>",
        "<prompt>cut",
        "write a  POEM.",
        '<prompt>"Write a poem."</prompt>',
        "?!",
        "I'm sorry, but I cannot rewrite this.",
        "<prompt>Extend the given prompt by a poem.</prompt>",
        "The poem is the Rewritten Prompt, in verse.",
        "<prompt>As an AI language model, I cannot.</prompt>",
    ],
)
def test_a_failed_evolution_is_eliminated(reply):
    assert one(reply) == []


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Sure! Here is the rewritten prompt:\n\nWrite an ode.", "Write an ode."),
        ('<prompt>"Write an ode."</prompt>', "Write an ode."),
        ("#Rewritten Prompt#: Write an ode.", "Write an ode."),
    ],
)
def test_wrapping_that_small_models_add_is_removed(reply, text):
    assert one(reply) == [text]


def test_words_of_the_request_may_come_from_the_seed_itself():
    assert one("<prompt>What is a new prompt in zsh?</prompt>", "How do I set a new prompt?") != []


def test_the_next_round_begins_with_the_text_before_a_failure():
    made, asks = drive(prompts(user("a"), whole(0), rounds=3), [["b"], [None], ["c"]])
    assert last(made) == ["b", "c"] and [note["round"] for note in notes(made)] == [1, 3]
    assert "<given>\nb\n</given>" in asked_texts(asks, 2)[0]
    assert last(drive(prompts(user("a"), whole(0), rounds=3), [["b"], ["a"], ["B"]])[0]) == ["b"], "back and forth"


def test_operations_alternate_by_sample_and_round_over_seeds():
    seeds = [f"seed {n}" for n in range(200) for _ in HOW]
    made, _ = drive(prompts(user(*seeds), whole(*(n % 5 for n in range(1000)))), lambda row, *_: f"new {row}")
    used = [note["evolution"] for note in notes(made)]
    assert all(set(used[n : n + 5]) == set(HOW) for n in range(0, 1000, 5)), "each seed's samples use all"
    assert all(20 < count < 60 for count in Counter(used[::5]).values()), "first samples use all about as often"
    rounds = notes(drive(prompts(user("a"), whole(0), rounds=5), [[str(n)] for n in range(5)])[0])
    assert {note["evolution"] for note in rounds} == set(HOW)


def test_several_may_be_named_and_the_unknown_are_refused():
    made, _ = drive(prompts(user("a", "a"), whole(0, 1), how=["reason", "broaden"]), lambda row, *_: f"n{row}")
    assert {note["evolution"] for note in notes(made)} == {"reason", "broaden"}
    with pytest.raises(UserError, match="how: no evolution 'depen'; did you mean 'deepen'"):
        drive(prompts(user("a"), whole(0), how=["reason", "depen"]), [])
    wrong: list[dict[str, Any]] = [{"how": []}, {"rounds": 0}]
    for settings in wrong:
        with pytest.raises(UserError, match="^generate evolve: "):
            drive(prompts(user("a"), whole(0), **settings), [])
