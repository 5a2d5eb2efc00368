"""New prompts with constraints: words and ground truth agree, draws depend on the seed prompt, mistakes are told."""

import json

import polars as pl
import pytest

from curate.generate.constrain import write_prompts
from curate.score.constraints import score
from curate.verifiers.constraints.kinds import KINDS
from curate.verifiers.constraints.phrases import GROUPS, PHRASES, clash, in_words
from schemas.errors import UserError

SOME = [
    {"kind": "max_words", "n": [6, 8]},
    {"kind": "lowercase"},
    {"kind": "n_bullets", "n": [1, 3]},
    {"kind": "keywords", "words": [["tea"], ["old", "road"]]},
    {"kind": "starts_with", "phrase": ["Well", "Dear friend"]},
]


def user(*texts: str) -> pl.Series:
    return pl.Series("messages", [json.dumps([{"role": "user", "content": text}]) for text in texts])


def made(texts: list[str], constraints=SOME, metadata=None, **more):
    notes = pl.Series("metadata", metadata or [None] * len(texts), dtype=pl.String)
    return write_prompts(user(*texts), notes, constraints=constraints, **more)


def said(table: pl.DataFrame) -> list[str]:
    return [json.loads(one)[-1]["content"] for one in table["messages"]]


def test_each_prompt_asks_for_what_its_ground_truth_checks():
    table = made([f"Tell me about number {n}. " for n in range(40)], each=2, most=2)
    assert table["row"].to_list() == [n for n in range(40) for _ in range(2)]
    for text, truth, note in zip(said(table), table["ground_truth"], table["note"], strict=True):
        constraints = json.loads(truth)
        assert text.startswith("Tell me about number ") and 1 <= len(constraints) <= 2
        assert json.loads(note) == {"kinds": [one["kind"] for one in constraints]}
        for one in constraints:
            assert any(in_words(phrase, one) in text for phrase in PHRASES[one["kind"]])
            assert "{" not in text and "[s]" not in text
    assert {one["kind"] for truth in table["ground_truth"] for one in json.loads(truth)} == {o["kind"] for o in SOME}
    assert score(pl.Series(["x"] * table.height), table["ground_truth"])["error"].null_count() == table.height


def test_draws_depend_on_the_text_of_the_seed_alone():
    texts = [f"question {n}" for n in range(30)]
    there, back = said(made(texts, most=2)), said(made(texts[::-1], most=2))
    assert there == back[::-1] and there != said(made(texts, most=2, seed=1))


def test_a_prompt_never_asks_for_two_that_clash():
    every = [{"kind": kind} for kind in ("lowercase", "uppercase", "title_case", "single_line", "ends_with_question")]
    table = made([f"q {n}" for n in range(60)], every, most=4)
    for truth in table["ground_truth"]:
        kinds = [one["kind"] for one in json.loads(truth)]
        assert not any(clash(one, other) for place, one in enumerate(kinds) for other in kinds[:place])
        assert len(kinds) <= 3


def test_earlier_turns_and_metadata_stay_other_rows_give_none():
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi."}]
    rows = [json.dumps(turns), json.dumps([*turns, {"role": "assistant", "content": "Hello."}]), None]
    notes = pl.Series(['{"use": "train"}', None, None])
    table = write_prompts(pl.Series(rows), notes, constraints=[{"kind": "lowercase"}])
    assert table["row"].to_list() == [0]
    assert json.loads(table["messages"][0])[0] == turns[0]
    assert json.loads(table["note"][0]) == {"use": "train", "kinds": ["lowercase"]}


def test_own_words_are_used():
    constraints = [{"kind": "max_words", "n": [5], "say": "Five words, no more: {n}."}]
    assert said(made(["Why?"], constraints)) == ["Why? Five words, no more: 5."]


def test_every_kind_with_words_and_every_group_exist():
    assert set(PHRASES) <= set(KINDS) and {kind for group in GROUPS for kind in group} <= set(PHRASES)


@pytest.mark.parametrize(
    ("constraints", "more", "words"),
    [
        ([], {}, "expected a list of constraints, found"),
        ([{"kind": "max_word", "n": 3}], {}, r"constraints\[0\]: no kind of constraint 'max_word'.*'max_words'"),
        ([{"kind": "max_words", "n": [3, "x"]}], {}, r"constraints\[0\]: max_words: 'n' is 'x'"),
        ([{"kind": "max_words", "n": []}], {}, "found an empty list"),
        ([{"kind": "max_words", "n": [*range(1001)]}], {}, "expected 1 to 1,000 values, found more"),
        ([{"kind": "n_hashtags", "n": 2}], {}, "'n_hashtags' has no words of its own; add 'say'"),
        ([{"kind": "lowercase", "say": " "}], {}, "add 'say'"),
        ([{"kind": "lowercase"}], {"each": 0}, "each: expected a whole number from 1 to 10,000"),
        (
            [{"kind": "lowercase"}],
            {"each": 10**9},
            "each: expected a whole number from 1 to 10,000, found 1,000,000,000",
        ),
        ([{"kind": "lowercase"}], {"most": 0}, "most: expected a whole number from 1 to 10,000"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(constraints, more, words):
    with pytest.raises(UserError, match=words):
        made(["q"], constraints, **more)
