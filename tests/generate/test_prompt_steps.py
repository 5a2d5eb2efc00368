"""New prompts by a persona, by a model's own user turn, and for an existing text."""

import json

import polars as pl
import pytest

from curate.generate import backtranslate, magpie, persona
from schemas.errors import UserError
from tests.generate.drive_step import asked_texts, drive, last, notes, strings, talk, user, whole

PEOPLE = [f"A person of trade {n}." for n in range(30)]


def test_without_a_list_the_model_first_finds_a_persona():
    made, asks = drive(
        persona.prompts(strings("Sum 2 and 3.", None, "Write.", "Draw.", "Sing."), whole(0, 0, 0, 0, 0)),
        [
            ["<persona>A  baker\nof rolls.</persona>", None, "A tailor.", "<persona>cut", None],
            ["<prompt>Sum my rolls.</prompt>", None, None, None, None],
        ],
    )
    assert "<passage>\nSum 2 and 3.\n</passage>" in asked_texts(asks)[0] and asked_texts(asks)[1] is None
    first, _, third, *rest = asked_texts(asks, 1)
    assert "<persona>\nA baker of rolls.\n</persona>" in first and "<example>\nSum 2 and 3.\n</example>" in first
    assert "<persona>\nA tailor.\n</persona>" in third and rest == [None, None]
    assert made["row"].to_list() == [0] and last(made) == ["Sum my rolls."]
    assert notes(made) == [{"persona": "A baker of rolls."}]


def test_listed_personas_are_asked_at_once_one_a_sample():
    made, asks = drive(persona.prompts(strings(*["Sum."] * 3), whole(0, 1, 2), personas=PEOPLE), lambda r, *_: f"p{r}")
    assert len(asks) == 1 and last(made) == ["p0", "p1", "p2"]
    people = [note["persona"] for note in notes(made)]
    assert len(set(people)) == 3 and set(people) <= set(PEOPLE)
    assert all(who in text for who, text in zip(people, asked_texts(asks), strict=True))


def test_personas_ignore_order_and_one_more_changes_few():
    seeds = [f"seed {n}" for n in range(100)]

    def chosen(seeds, people):
        made, _ = drive(persona.prompts(strings(*seeds), whole(*[0] * 100), personas=people), lambda r, *_: f"p{r}")
        return {seeds[row]: json.loads(note)["persona"] for row, note in made.select("row", "note").iter_rows()}

    there = chosen(seeds, PEOPLE)
    assert there == chosen(seeds[::-1], PEOPLE[::-1]) and len(set(there.values())) > 10
    assert sum(there[s] != who for s, who in chosen(seeds, [*PEOPLE, "Someone new."]).items()) < 40


@pytest.mark.parametrize("personas", [[], ["a", " "]])
def test_a_list_without_personas_is_refused(personas):
    with pytest.raises(UserError, match="generate persona: personas: expected a list of texts"):
        drive(persona.prompts(strings("a"), whole(0), personas=personas), [])


def test_a_persona_that_is_an_essay_is_cut():
    _, asks = drive(persona.prompts(strings("a"), whole(0)), [["word " * 1000], [None]])
    assert len(asked_texts(asks, 1)[0]) < 2000


def test_magpie_asks_for_the_turn_after_the_seeds_system_turn():
    seeds = pl.Series([talk("Sum.", "5", "And?", system="You teach."), talk("Sum."), None, "[]"])
    made, asks = drive(magpie.prompts(seeds), lambda row, *_: (" How do fish\nbreathe? ", "Why?")[row])
    empty = {"role": "user", "content": None}
    system = {"role": "system", "content": "You teach."}
    assert [text and json.loads(text) for text in asks[0].messages] == [[system, empty], [empty], None, None]
    assert [json.loads(text) for text in made["messages"]] == [
        [system, {"role": "user", "content": "How do fish\nbreathe?"}],
        [{"role": "user", "content": "Why?"}],
    ]
    assert made["row"].to_list() == [0, 1] and notes(made) == [{"magpie": True}] * 2


def test_magpie_rejects_what_says_nothing():
    assert drive(magpie.prompts(user("a", "b", "c", "d")), [["", " \n", "?!", None]])[0].is_empty()


@pytest.mark.parametrize(("settings", "truth"), [({}, "Mix. </passage> Bake."), ({"keep_text": False}, None)])
def test_a_text_gets_a_prompt_that_it_answers(settings, truth):
    made, asks = drive(
        backtranslate.prompts(strings("Mix. </passage> Bake.", "", None), **settings),
        lambda *_: "<prompt>How do I bake?</prompt>",
    )
    assert "<passage>\nMix. < /passage> Bake.\n</passage>" in asked_texts(asks)[0] and asked_texts(asks)[1:] == [
        None,
        None,
    ]
    assert last(made) == ["How do I bake?"] and made["ground_truth"].to_list() == [truth]
    assert made["row"].to_list() == [0] and notes(made) == [{"backtranslated": True}]


def test_an_echo_of_the_request_is_no_persona_and_no_prompt():
    replies = [["<passage>\nSum.\n</passage>", "A tailor."], [None, "<example>\nSum.\n</example>"]]
    made, asks = drive(persona.prompts(strings("Sum.", "Add."), whole(0, 0)), replies)
    assert made.is_empty() and asked_texts(asks, 1)[0] is None


def test_a_text_given_back_as_its_own_prompt_is_none():
    replies = ["mix.  BAKE.", "I cannot assist with that.", "<prompt>cut"]
    assert drive(backtranslate.prompts(strings(*["Mix. Bake."] * 3)), [replies])[0].is_empty()
