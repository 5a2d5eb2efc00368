"""Families of prompts: what belongs together is in one split, and no opening makes all prompts one family."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.pipeline.split import SplitRules, assign

pytestmark = pytest.mark.slow

LAWS = settings(max_examples=60, deadline=None)
WORDS = st.lists(
    st.sampled_from("which river flows through town a b c 1 2 - + über 川".split()), min_size=1, max_size=9
)
TURNS = st.lists(WORDS.map(" ".join), min_size=1, max_size=3)
HELP = "You are a helpful assistant. Read the question of the student with care and think about each step, then answer:"


def talk(*turns, system=None):
    """Return the messages of a conversation: the user's turn, the assistant's, the user's ..."""
    roles = ("user", "assistant")
    said = [{"role": roles[number % 2], "content": text} for number, text in enumerate(turns)]
    return [{"role": "system", "content": system}, *said] if system is not None else said


def asked(*turns, system=None):
    """Return a conversation with these turns of the user."""
    return talk(*[text for turn in turns for text in (turn, "Well.")][:-1], system=system)


def split(talks, share=0.3, *, seed=3, near=0.8, by=None, early=None, **columns):
    """Return the splits and the families of prompts."""
    last = [[m["content"] for m in one if m["role"] == "user"] for one in talks]
    rows = pl.DataFrame(
        {
            "messages": [json.dumps(one, ensure_ascii=False) for one in talks],
            "prompt": [texts[-1] if texts else None for texts in last],
            "family": columns.pop("family", [None] * len(talks)),
            **columns,
        },
        schema_overrides={"family": pl.String, "messages": pl.String, "prompt": pl.String},
    )
    splits: dict[str, float | str] = share if isinstance(share, dict) else {"test": share}
    rules = SplitRules(splits, by, near, seed, "r.yaml:1")
    return assign(lambda: rows.iter_slices(7), rules, len(talks) if early is None else early)


def one_side(found, rows):
    return found.split.gather(rows).n_unique() == 1


@pytest.mark.parametrize("near", [0.0, 0.8])
def test_no_town_is_on_both_sides(near):
    """Case 40: copies in other white space or case, under a system text, and later turns of the conversation."""
    talks = []
    for town in range(30):
        first = f"Which river flows through town {town}?"
        talks += [asked(first), asked(f"{first} "), asked(first.lower()), asked(first, system="Be brief.")]
        talks += [asked(first, "How long is it?"), asked(first, "How long is it?", "Thanks. And the Rhine?")]
    found = split(talks, near=near)
    assert all(one_side(found, range(6 * town, 6 * town + 6)) for town in range(30))
    assert found.counts() == {"test": 54, "train": 126}
    assert len(set(found.families.label.tolist())) == 30


@LAWS
@given(st.lists(TURNS, min_size=1, max_size=12), st.randoms(), st.integers(0, 99))
def test_neither_looks_nor_order_change_a_side(talks, random, seed):
    def look(text):
        text = "  ".join(random.choice([str.upper, str.lower, str.title])(word) for word in text.split(" "))
        return random.choice(["", " ", "\n"]) + text + random.choice(["", "\t", "\u3000"])

    plain = split([asked(*turns) for turns in talks], seed=seed)
    order = random.sample(range(len(talks)), len(talks))
    looks = [asked(*map(look, talks[n]), system=random.choice([None, "Be brief."])) for n in order]
    assert split(looks, seed=seed).split.to_list() == [plain.split[n] for n in order]


@LAWS
@given(st.lists(TURNS, min_size=1, max_size=12), st.data(), st.floats(0.05, 0.6))
def test_no_family_is_on_two_sides(talks, data, share):
    copies = [data.draw(st.sampled_from(talks)) for _ in talks]
    grown = [[*turns, "And then?"] for turns in copies]
    found = split([asked(*turns) for turns in [*talks, *copies, *grown]], share)
    table = pl.DataFrame({"family": found.families.label, "split": found.split})
    assert table.group_by("family").agg(pl.col("split").n_unique())["split"].max() == 1
    largest = table["family"].value_counts()["count"].max()
    assert isinstance(largest, int)
    assert abs(found.counts().get("test", 0) - share * len(found.split)) <= largest
    if not found.families.openings and not found.families.template:
        for turns, place in zip(copies, range(len(talks), len(talks) * 2), strict=True):
            assert one_side(found, [talks.index(turns), place, place + len(talks)])


def test_near_copies_are_on_one_side():
    text = "Tell me in a few words that a child can follow why number {} matters to all who live in the valley of {}"
    talks = [asked(text.format(n, n) + end) for n in range(40) for end in ("", " today", ", please", ".")]
    found = split(talks)
    assert all(one_side(found, range(4 * n, 4 * n + 4)) for n in range(40))
    assert found.counts()["test"] == 48
    assert not all(one_side(split(talks, near=0.0), range(4 * n, 4 * n + 4)) for n in range(40))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: asked("Hi", f"Which river flows through town {n}?"),
        lambda n: asked("Grade the essay that I send you from 1 to 10.", f"Essay {n}: towns", "Why?"),
        lambda n: asked("Go on.", system=f"You tell stories of town {n}."),
        lambda n: asked(f"{HELP} Which river flows through town {n}?"),
        lambda n: asked(f"{HELP}\n\nTown {n}", "Are you sure?"),
    ],
    ids=["greeting", "instructions", "system", "template", "template and turns"],
)
@pytest.mark.parametrize("rows", [12, 200])
def test_no_opening_makes_all_prompts_one_family(make, rows):
    talks = [make(n // 2) for n in range(rows)]
    found = split(talks, 0.25)
    assert all(one_side(found, [n, n + 1]) for n in range(0, rows, 2))
    assert abs(found.counts()["test"] - 0.25 * rows) <= 1
    assert max(found.families.openings, found.families.template) == rows, "it is said"


def test_templates_that_are_no_danger_stay_together():
    """Near-duplicates of a few hundred fit into training: nothing is left out of the comparison."""
    talks = [asked(f"{HELP} Which river flows through town {n}?") for n in range(100)]
    talks += [asked(f"question {n}") for n in range(900)]
    found = split(talks, 0.1)
    assert found.counts()["test"] == 100 and one_side(found, range(100)) and not found.families.template


def test_short_prompts_of_a_template_are_not_one_family():
    found = split([asked(f"Which river flows through town {n}?") for n in range(200)], 0.1)
    assert found.counts()["test"] == 20 and len(set(found.families.label.tolist())) == 200
    assert not found.families.template


def test_made_prompts_are_on_the_side_of_their_parent():
    from curate.pipeline.prompt_keys import family_of

    seeds = [asked(f"question {n}") for n in range(20)]
    made = [asked(f"quite another text {n} {m}") for n in range(20) for m in range(3)]
    family = [None] * 20 + [family_of(json.dumps(seeds[n], ensure_ascii=False)) for n in range(20) for _ in range(3)]
    found = split([*seeds, *made], family=family)
    assert all(one_side(found, [n, *range(20 + 3 * n, 23 + 3 * n)]) for n in range(20))
    assert found.counts()["test"] == 24


@pytest.mark.parametrize("by", ["source", "metadata.talk", "metadata.talk.id", "metadata.a.b"])
def test_by_keeps_its_values_on_one_side(by):
    group = [n // 5 if n < 90 else None for n in range(100)]
    metadata = [
        json.dumps({"talk": {"id": g} if by.endswith("id") else g, "a.b": g} if g is not None else {"talk": None})
        for g in group
    ]
    source = [None if g is None else f"s{g}" for g in group]
    found = split([asked(f"question {n}") for n in range(100)], by=by, metadata=metadata, source=source)
    assert all(one_side(found, range(5 * g, 5 * g + 5)) for g in range(18))
    assert len(set(found.families.label.tolist())) == 28 and (found.groups, found.without) == (18, 10)
    assert abs(found.counts()["test"] - 30) <= 5


def test_equal_numbers_and_blanks_of_by():
    values = [1, 1.0, "1", " 1", "", None, " ", True, [1], {"a": 1}]
    metadata = [json.dumps({"k": value}) for value in values]
    found = split([asked(f"question {n}") for n in range(10)], by="metadata.k", metadata=metadata)
    label = found.families.label
    assert len(set(label[:4].tolist())) == 1 and found.without == 3
    assert len(set(label[4:].tolist())) == 6


@LAWS
@given(st.lists(TURNS, min_size=2, max_size=10), st.lists(TURNS, max_size=10), st.integers(0, 99))
def test_later_prompts_change_no_side(talks, later, seed):
    """Those before a step that makes prompts keep their families and sides; a later one joins one family at most."""
    first = [asked(*turns) for turns in talks]
    alone, both = (
        split(first, seed=seed),
        split([*first, *map(lambda t: asked(*t), later)], seed=seed, early=len(talks)),
    )
    assert both.split[: len(talks)].to_list() == alone.split.to_list()
    assert (both.families.label[: len(talks)] == alone.families.label).all()
    assert (both.draw[: len(talks)] == alone.draw).all()
    table = pl.DataFrame({"family": both.families.label, "split": both.split})
    assert table.group_by("family").agg(pl.col("split").n_unique())["split"].max() == 1


def test_a_made_prompt_like_a_held_out_one_stays_with_its_parent():
    from curate.pipeline.prompt_keys import family_of

    seeds = [asked(f"question {n}") for n in range(20)]
    side = split(seeds).split
    held_out, learnt = side.index_of("test"), side.index_of("train")
    assert held_out is not None and learnt is not None
    made = asked(f"Question {held_out} ")
    family = [None] * 20 + [family_of(json.dumps(seeds[learnt], ensure_ascii=False))]
    found = split([*seeds, made], early=20, family=family)
    assert found.split[20] == "train"
    every = found.families.all
    assert every[20] == every[held_out] == every[learnt], "what leaks is known"


def test_prompts_without_text_are_alike_only_if_equal():
    talks = [[{"role": "user", "content": "", "image": n % 4}] for n in range(8)] + [[], asked("?"), asked("!")]
    label = split(talks).families.label
    assert np.unique(label[:8]).size == 4 and np.unique(label).size == 7


def test_the_family_does_not_depend_on_the_seed():
    talks = [asked(f"question {n // 2}") for n in range(50)]
    one, other = split(talks, seed=1), split(talks, seed=2)
    assert (one.families.label == other.families.label).all() and one.split.to_list() != other.split.to_list()


def test_a_conversation_without_its_first_turns_stays_with_it():
    talks = []
    for n in range(20):
        turns = [f"question {n}", "Thanks.", f"And what of {n}?", "Why?"]
        talks += [asked(*turns), asked(*turns[2:]), asked(f"And What of {n}? ")]
    found = split([*talks, asked("Thanks.")])
    assert all(one_side(found, range(3 * n, 3 * n + 3)) for n in range(20))
    assert len(set(found.families.label.tolist())) == 21, "what ends many conversations joins none"
    greeted = [asked("Hi", f"question {n}") for n in range(20)] + [asked(f"question {n}") for n in range(20)]
    found = split(greeted)
    assert all(one_side(found, [n, n + 20]) for n in range(20)) and found.counts()["test"] == 12
