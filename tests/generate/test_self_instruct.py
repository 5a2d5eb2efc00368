"""New prompts from several seeds shown together."""

import re

import polars as pl
import pytest

from curate.generate.self_instruct import prompts
from schemas.errors import UserError
from tests.generate.drive_step import asked_texts, drive, last, notes, strings, whole

SEEDS = [f"Task number {n}: do it." for n in range(40)]


def shown(asks):
    """The seeds shown in each request."""
    return [text and re.findall(r"<example>\n(.*?)\n</example>", text, re.DOTALL) for text in asked_texts(asks)]


def requests(seeds, indices, **settings):
    _, asks = drive(prompts(strings(*seeds), whole(*indices), **settings), lambda *_: None)
    return dict(zip(zip(seeds, indices, strict=True), shown(asks), strict=True))


def test_new_prompts_have_the_seed_and_others_shown_as_parents():
    seeds = ["Sum 2 and 3.", "Write a poem.", "Name a river.", None, " "]
    made, asks = drive(prompts(strings(*seeds), whole(0, 0, 0, 0, 0)), lambda *_: "1. Draw a cat.\n2. Sing a song.")
    groups = shown(asks)
    assert [len(set(group)) if group else 0 for group in groups] == [3, 3, 3, 0, 0]
    assert [group[0] for group in groups[:3]] == seeds[:3]
    assert "1 to 4" in asked_texts(asks)[0]
    assert made["row"].to_list() == [0, 0, 1, 1, 2, 2] and last(made) == ["Draw a cat.", "Sing a song."] * 3
    for row, parents in made.select("row", "parents").iter_rows():
        assert [seeds[row], *(seeds[p] for p in parents)] == groups[row]
    assert notes(made) == [{"self_instruct": True}] * 6


def test_a_repeated_seed_or_prompt_or_a_refusal_is_no_prompt():
    reply = "1. write a  POEM.\n2. Draw a cat.\n3. Draw a cat.\n4. I'm sorry, but I can't write more.\n5. ...\n6. Sing."
    made, _ = drive(prompts(strings("Write a poem."), whole(0), per_request=9), lambda *_: reply)
    assert last(made) == ["Draw a cat.", "Sing."]


def test_fewer_seeds_than_shots_are_all_shown():
    groups = requests(["a", "b"], [0, 0], shots=5)
    assert {key[0]: set(group) for key, group in groups.items()} == {"a": {"a", "b"}, "b": {"a", "b"}}
    assert requests(["a"], [0], shots=1) == {("a", 0): ["a"]}


def test_seeds_shown_ignore_row_order_and_vary_by_sample():
    seeds, indices = SEEDS * 3, [n for n in range(3) for _ in SEEDS]
    there = requests(seeds, indices)
    assert there == requests(seeds[::-1], indices[::-1])
    assert sum(set(there[s, 0]) != set(there[s, 1]) for s in SEEDS) > 30
    assert there != requests(seeds, indices, seed=1)


def test_a_seed_more_changes_few_requests():
    before, after = requests(SEEDS, [0] * 40), requests([*SEEDS, "One more."], [0] * 41)
    changed = [key for key, group in before.items() if after[key] != group]
    assert len(changed) < 12, "two of its three seeds are drawn, from 41: about 2 rows are expected to change"
    assert all("One more." in after[key] for key in changed)


def test_a_failed_request_gives_nothing():
    made, _ = drive(prompts(strings("a", "b"), whole(0, 0)), [[None, "1. Draw a cat."]])
    assert made["row"].to_list() == [1] and made.schema["parents"] == pl.List(pl.Int64)


@pytest.mark.parametrize("name", ["shots", "per_request"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(UserError, match=f"self_instruct: {name}: expected a whole number from 1 to 10,000, found 0"):
        drive(prompts(strings("a"), whole(0), **{name: 0}), [])
