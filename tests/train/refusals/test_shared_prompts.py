"""Held-out prompts that are trained on too: the same, near-duplicates, and those of one template, which are neither."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.refusals.shared_prompts import shared_prompts

ASKED = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many in all?"
)
NEAR = ASKED + " Think well."
WORDS = "river stone bridge seven lamp garden paper clock winter silver horse letter music orange window".split()


def rows(kind: str, *prompts: str | list[tuple[str, str]]) -> pl.DataFrame:
    """Return rows whose prompts are texts, or lists of (role, text)."""
    turns = [[("user", one)] if isinstance(one, str) else one for one in prompts]
    texts = [json.dumps([{"role": role, "content": text} for role, text in one]) for one in turns]
    ids = [f"{kind}{number}" for number in range(len(prompts))]
    return pl.DataFrame({"row_id": ids, "prompt": texts}, {"row_id": pl.String, "prompt": pl.String})


def found(trained: pl.DataFrame, held: pl.DataFrame, near: float = 0.8) -> list[tuple]:
    """Return the held-out rows that are trained on for sure, with the row and whether it is the same prompt."""
    return shared_prompts(trained, held, near).filter("sure").drop("sure").rows()


def test_a_prompt_on_both_sides_is_found_with_its_row():
    trained, held = rows("t", "Name a river.", ASKED), rows("h", "Name a lake.", ASKED.upper() + "  ")
    assert found(trained, held) == found(trained, held, 0) == [("h1", "t1", True)]
    assert found(trained, rows("h", "Name a lake.")) == []


def test_a_near_duplicate_is_found_where_it_is_asked_for():
    trained, held = rows("t", "Name a river.", ASKED), rows("h", NEAR)
    assert found(trained, held) == [("h0", "t1", False)]
    assert found(trained, held, 0) == []


def test_the_row_that_is_named_is_a_near_duplicate_itself():
    far = NEAR + " Then check it twice, please."
    trained = rows("t", ASKED, "Name a river.")
    assert found(trained, rows("h", far)) == []
    assert found(trained, rows("h", far, NEAR)) == [("h1", "t0", False)]  # h0 is like h1 only
    assert found(rows("t", ASKED, NEAR), rows("h", far)) == [("h0", "t1", False)]


def test_a_system_text_makes_no_other_prompt():
    trained = rows("t", [("system", "Be brief."), ("user", ASKED)])
    assert found(trained, rows("h", ASKED)) == [("h0", "t0", True)]


def test_one_opening_is_not_one_conversation():
    trained = rows("t", [("user", "Hi"), ("assistant", "Hello."), ("user", ASKED)])
    assert found(trained, rows("h", [("user", "Hi"), ("assistant", "Hello."), ("user", "Name a river.")])) == []
    assert found(trained, rows("h", [("user", "hi"), ("assistant", "Yes?"), ("user", ASKED)])) == [("h0", "t0", True)]


def test_where_the_question_is_in_the_system_text_that_counts():
    asked = [[("system", f"Say {word} twice."), ("user", "Go on.")] for word in WORDS]
    assert found(rows("t", *asked[:10]), rows("h", *asked[10:])) == []
    assert found(rows("t", *asked[:10]), rows("h", *asked[9:])) == [("h0", "t9", True)]


def test_prompts_of_one_template_are_no_near_duplicates():
    def filled(one: str, other: str) -> str:
        middle = "Rewrite the sentence below in plain words, keep its meaning, and write nothing else than the sentence"
        return (
            f"{middle}: the {one} and the {other} were by the {one}. Do not add a comment and do not repeat the task."
        )

    prompts = [filled(one, other) for one, other in zip(WORDS, WORDS[1:], strict=False)]
    assert found(rows("t", *prompts[:9]), rows("h", *prompts[9:]), 0.7) == []
    copied = prompts[9:] + prompts[:1]
    assert found(rows("t", *prompts[:9]), rows("h", *copied), 0.7) == [("h5", "t0", True)]


INSTRUCTION = (
    "You are an assistant that rewrites questions in formal English. Follow these rules: keep the meaning exactly the "
    "same, add nothing and leave nothing out, use complete sentences and correct punctuation, do not explain what you "
    "did, return the rewritten question only. Here is an example. Question: whats the time in paris rn? Rewritten: "
    "What is the current time in Paris? Now rewrite this one. Question: "
)
QUESTIONS = [
    f"how many {one}s does the {two} by the {three} have?"
    for one, two, three in zip(WORDS, WORDS[3:], WORDS[7:], strict=False)
]


def few_shot(*questions: str) -> list[str]:
    return [INSTRUCTION + question for question in questions]


@pytest.mark.parametrize("others", [0, 60])
def test_questions_behind_one_instruction_are_different_prompts(others):
    mixed = [f"Write {number} lines about the {WORDS[number % 14]}." for number in range(others)]
    trained, held = rows("t", *few_shot(*QUESTIONS[:4]), *mixed), rows("h", *few_shot(*QUESTIONS[4:]))
    assert shared_prompts(trained, held, 0.8).is_empty()
    copied = rows("h", *few_shot(*QUESTIONS[4:], QUESTIONS[1], QUESTIONS[2] + " Really?"))
    shared = shared_prompts(trained, copied, 0.8)
    assert shared.rows() == [("h4", "t1", True, True), ("h5", "t2", False, shared["sure"][1])]


def test_a_small_family_within_a_template_is_no_matter():
    openings = [f"in {word} and in the old harbour there are many of" for word in WORDS]  # each of two prompts
    trained = few_shot(*[f"{opening} them" for opening in openings])
    held = few_shot(*[f"{opening} what a {word} is for" for opening, word in zip(openings, WORDS[3:], strict=False)])
    assert shared_prompts(rows("t", *trained), rows("h", *held), 0.8).is_empty()


def test_where_a_template_is_not_known_there_is_a_warning():
    one, other = few_shot("how many clips did she sell in May?", "when does the train to the old harbour leave?")
    assert shared_prompts(rows("t", one), rows("h", other), 0.7).rows() == [("h0", "t0", False, False)]
    sums = [f"Work out what this comes to and write the number only, with no other word, please: 3 {s} 4" for s in "+-"]
    assert shared_prompts(rows("t", sums[0]), rows("h", sums[1]), 0.7)["sure"].to_list() == [False]


def test_rows_that_can_not_be_read_are_left_to_their_own_check():
    broken = pl.DataFrame({"row_id": ["t0"], "prompt": ["[{"]})
    assert found(broken, rows("h", ASKED)) == []
    assert found(rows("t"), rows("h", ASKED)) == found(rows("t", ASKED), rows("h")) == []


TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join), max_size=8)


@given(TEXTS, TEXTS)
def test_equal_prompts_are_found_and_no_others(trained: list[str], held: list[str]):
    shared = shared_prompts(rows("t", *trained), rows("h", *held), 0)
    assert shared["row_id"].to_list() == [f"h{at}" for at, text in enumerate(held) if text in trained]
    for row_id, other, *_ in shared.iter_rows():
        assert held[int(row_id[1:])] == trained[int(other[1:])]


@given(TEXTS, TEXTS)
def test_what_is_equal_is_found_whatever_is_near(trained: list[str], held: list[str]):
    equal, near = (shared_prompts(rows("t", *trained), rows("h", *held), least) for least in (0, 0.8))
    assert equal.rows() == near.filter("same").rows()
    assert set(near["trained"]) <= {f"t{at}" for at in range(len(trained))}
