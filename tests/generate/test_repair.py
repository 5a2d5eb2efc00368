"""Repairs: what a program can edit until the constraints hold, what it leaves alone, and that it never lies."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.generate.repair import write
from curate.score.constraints import score
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.repairs import REPAIRS

RAIN = "Rain is water that falls from clouds, which form in cold air. It helps 3 kinds of plants. Many like it."
LIST = "Here are some:\n* one cat\n* two dogs\n* a bird"


def repaired(text: str | None, *constraints: dict, end: str | None = "stop") -> str | None:
    truths = pl.Series([json.dumps(constraints)])
    return write(pl.Series([text], dtype=pl.String), truths, pl.Series([end], dtype=pl.String))[0]


@pytest.mark.parametrize(
    ("text", "constraint", "wanted"),
    [
        (RAIN, {"kind": "max_words", "n": 8}, "Rain is water that falls from clouds."),
        (RAIN, {"kind": "max_words", "n": 18}, RAIN.removesuffix(" Many like it.")),
        (RAIN, {"kind": "n_words", "n": 7}, "Rain is water that falls from clouds."),
        (RAIN, {"kind": "max_chars", "n": 40}, "Rain is water that falls from clouds."),
        (RAIN, {"kind": "n_sentences", "n": 1}, "Rain is water that falls from clouds, which form in cold air."),
        (RAIN, {"kind": "max_sentence_words", "n": 6}, "It helps 3 kinds of plants. Many like it."),
        (RAIN, {"kind": "no_commas"}, RAIN.replace(",", "")),
        (RAIN, {"kind": "no_digits"}, RAIN.replace("3", "three")),
        (RAIN, {"kind": "lowercase"}, RAIN.lower()),
        (RAIN, {"kind": "uppercase"}, RAIN.upper()),
        (RAIN, {"kind": "title_case"}, " ".join(word[0].upper() + word[1:] for word in RAIN.split())),
        (RAIN, {"kind": "starts_with", "phrase": "Well"}, "Well, " + RAIN),
        ("It rains.", {"kind": "starts_with", "phrase": "Well"}, "Well, it rains."),
        (RAIN, {"kind": "ends_with", "phrase": "take care"}, RAIN + " Take care."),
        (RAIN, {"kind": "quotation"}, f'"{RAIN}"'),
        (RAIN, {"kind": "n_lines", "n": 2}, "\n".join(RAIN.split(". ")[:2]).replace("air", "air.") + "."),
        (LIST, {"kind": "n_bullets", "n": 2}, "- one cat\n- two dogs"),
        (LIST, {"kind": "numbered_list", "n": 3}, "1. one cat\n2. two dogs\n3. a bird"),
        (LIST, {"kind": "single_line"}, "Here are some: one cat two dogs a bird"),
        ("“Café”", {"kind": "ascii_only"}, '"Cafe"'),
    ],
)
def test_a_repair_edits_the_text_as_little_as_it_has_to(text, constraint, wanted):
    assert repaired(text, constraint) == wanted


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        (RAIN, {"kind": "keywords", "words": ["sea"]}),
        (RAIN, {"kind": "min_words", "n": 90}),
        (RAIN, {"kind": "n_bullets", "n": 9}),
        ("A long sentence without any place to cut it in time.", {"kind": "max_words", "n": 5}),
        ("In 1999 it rained.", {"kind": "no_digits"}),
        ("", {"kind": "lowercase"}),
        (None, {"kind": "lowercase"}),
        ("Ü", {"kind": "ascii_only"}),
        (RAIN, {"kind": "max_words", "n": 99}),
    ],
)
def test_what_has_no_repair_or_needs_none_gives_no_candidate(text, constraint):
    wrong = text == "Ü"  # it becomes U, which keeps the constraint
    assert repaired(text, constraint) == ("U" if wrong else None)


def test_several_constraints_are_all_kept():
    both = ({"kind": "n_bullets", "n": 2}, {"kind": "lowercase"}, {"kind": "no_commas"})
    assert repaired(LIST.replace("cat", "Cat, grey"), *both) == "- one cat grey\n- two dogs"


def test_of_an_answer_that_was_cut_off_the_end_is_left_out():
    text = "A dog barks. It runs after the"
    assert repaired(text, {"kind": "lowercase"}, end="length") == "a dog barks."
    assert repaired(LIST, {"kind": "uppercase"}, end="length") == "HERE ARE SOME:\n* ONE CAT\n* TWO DOGS"
    assert repaired("It runs after the", {"kind": "lowercase"}, end="length") is None


def test_a_ground_truth_that_is_no_constraints_gives_nothing():
    truths = pl.Series(["12", None, "[]"], dtype=pl.String)
    assert write(pl.Series(["a"] * 3), truths, pl.Series(["stop"] * 3)).to_list() == [None] * 3


def test_every_repair_is_of_a_kind_that_exists():
    assert set(REPAIRS) <= set(KINDS)


CONSTRAINTS = st.lists(
    st.one_of(
        st.sampled_from(["lowercase", "uppercase", "title_case", "no_commas", "no_digits", "ascii_only",
                         "quotation"]).map(lambda kind: {"kind": kind}),
        st.tuples(st.sampled_from(["max_words", "n_words", "max_chars", "n_sentences", "n_lines", "n_bullets",
                                   "numbered_list", "n_paragraphs", "max_sentence_words"]), st.integers(0, 6)).map(
            lambda two: {"kind": two[0], "n": two[1]}
        ),
        st.tuples(st.sampled_from(["starts_with", "ends_with"]), st.sampled_from(["Well", "C#", "so it is"])).map(
            lambda two: {"kind": two[0], "phrase": two[1]}
        ),
    ),
    min_size=1,
    max_size=3,
)  # fmt: skip
TEXTS = st.text() | st.text("aB c.,!?\n-*1\u2029\u0130") | st.just(RAIN) | st.just(LIST)


@given(TEXTS, CONSTRAINTS, st.sampled_from(["stop", "length", None]))
def test_a_repaired_text_always_keeps_its_constraints(text, constraints, end):
    new = repaired(text, *constraints, end=end)
    assert new is None or score(pl.Series([new]), pl.Series([json.dumps(constraints)]))["value"][0] == 1.0
