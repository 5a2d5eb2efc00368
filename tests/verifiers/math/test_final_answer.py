"""Which part of a response is its answer: boxes, marks in several languages, numbers as people write them."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.api.call_step import call_step
from curate.score.math import score
from curate.verifiers.math.final_answers.boxed import last_box
from curate.verifiers.math.final_answers.final_answer import marked
from curate.verifiers.math.final_answers.plain_numbers import last_number, number
from schemas.errors import UserError


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("So $\\boxed{\\frac{1}{4}}$. Here $\\int_0^1 x^3 dx$ and {3} were used.", "\\frac{1}{4}"),
        ("\\boxed{1} no, \\boxed{2}", "2"),
        ("\\boxed{\\{1, \\{2\\}\\}}", "\\{1, \\{2\\}\\}"),
        ("\\boxed {x} \\fbox{y}", "y"),
        ("\\boxed 12, as was asked", "12"),
        ("\\boxed\\frac{1}{2}.", "\\frac{1}{2}"),
        ("\\boxed{\\boxed{3}}", "3"),
        ("I will put it in \\boxed{}. \\boxed{7}. See \\boxed{}", "7"),
        ("\\boxed{7} and then \\boxed{8", "7"),
        ("\\boxed{8", None),
        ("\\boxed{}", None),
        ("boxed{8}", None),
    ],
)
def test_the_last_box_that_holds_anything(text, held):
    assert last_box(text) == held


@given(st.text("a{}\\ ", max_size=30))
def test_a_box_holds_what_stands_between_its_own_braces(inside):
    depths = [inside[:n].replace("\\\\", "").replace("\\{", "").replace("\\}", "") for n in range(len(inside) + 1)]
    balanced = all(d.count("{") >= d.count("}") for d in depths) and depths[-1].count("{") == depths[-1].count("}")
    if balanced and not depths[-1].endswith("\\"):
        assert last_box(f"x \\boxed{{{inside}}} y}} z") == (inside.strip() or None)


MARKED = [
    ("The answer is 42.", "42"),
    ("**Answer:** $18.00", "$18.00"),
    ("**Final Answer**\n\n18 dollars", "18 dollars"),
    ("## Answer\n42", "42"),
    ("The answer to the question is $x^2$.", "x^2"),
    ("The answer would be 7, not 8.", "7"),
    ("The answer is not 41 but 42.", "42"),
    ("The answer is 42 (see step 3).", "42"),
    ("The answer is B because A is wrong.", "B"),
    ("The answer is 3.5. I am sure.", "3.5"),
    ("The answer is Dr. Lee. She came.", "Dr. Lee"),
    ('{"answer": "42", "steps": 3}', "42"),
    ("<answer> 42 </answer> or 41", "42"),
    ("The answer is 6. No: the answer is 7.", "7"),
    ("The answer is 7. This is the answer: surely.", "7"),
    ("#### 18", "18"),
    ("#### Step 1: add 3 and 4\nThe answer is 7.", "7"),
    ("#### 1. First\nNothing more", None),
    ("#### Answer: 7", "7"),
    ("答案是 42。", "42"),
    ("Antwort: 42", "42"),
    ("La réponse est 42.", "42"),
    ("Ответ: 42", "42"),
    ("答え：42", "42"),
    ("It has no mark: 42", None),
    ("The answer is 2**3.", "2**3"),
]


@pytest.mark.parametrize(("text", "answer"), MARKED)
def test_marks_of_an_answer(text, answer):
    assert marked(pl.Series([text]))[0] == answer


NUMBERS = [
    ("so 18", "18"),
    ("It is 5 cm^2.", "5"),
    ("I used Python 3.", None),
    ("see version 1.2.3", None),
    ("at 12:30", None),
    ("on 2024-05-14", None),
    ("x2 and H2O and a_1", None),
    ("he runs 20km", "20"),
    ("she came 3rd, 2x", None),
    ("Total:18", "18"),
    ("so \\frac{3}{4}", None),
    ("3 × 10^5", "3 × 10^5"),
    ("x = - 7", "-7"),
    ("12 - 7", "7"),
    ("it costs -$5.", "-$5"),
    ("about 1/2 of it", "1/2"),
    ("一共有42个苹果。", "42"),
    ("3-5 eggs", None),
    ("1,234,567.", "1,234,567"),
    ("it is 42, I think", "42"),
]


@pytest.mark.parametrize(("text", "found"), NUMBERS)
def test_the_last_number_stands_by_itself(text, found):
    assert last_number(pl.Series([text]))[0] == found


@pytest.mark.parametrize(
    ("text", "plain"),
    [("18 eggs", "18"), ("$1,200.50", "1200.5"), ("5 thousand", None), ("5 pi", None), ("3½", None), ("42²", None)],
)
def test_words_that_change_a_number_make_it_no_plain_one(text, plain):
    assert number(pl.Series([text]))[0] == plain


READINGS = {
    "It is 5.\n#### 6\nThe answer is \\boxed{7}, I mean 8": {"auto": 1.0, "boxed": 1.0, "strict": 0.0, "flexible": 0.0},
    "First 5\n#### 7": {"auto": 1.0, "boxed": 0.0, "strict": 1.0, "flexible": 1.0},
    "First 5, then 7": {"auto": 1.0, "boxed": 0.0, "strict": 0.0, "flexible": 1.0},
    "#### 7\nor rather 8": {"auto": 1.0, "boxed": 0.0, "strict": 1.0, "flexible": 0.0},
    "The answer is 7. See page 9": {"auto": 1.0, "boxed": 0.0, "strict": 0.0, "flexible": 0.0},
}


@pytest.mark.parametrize("text", READINGS)
def test_readings(text):
    called = {name: call_step("score", "math", [text], ["7"], reading=name) for name in READINGS[text]}
    found = {name: rows["value"][0] for name, rows in called.items()}
    assert found == READINGS[text]


def test_an_unknown_reading_names_the_known_ones():
    with pytest.raises(UserError, match="strict"):
        call_step("score", "math", ["7"], ["7"], reading="strictly")


def test_the_columns_given_are_not_changed():
    response, truth = pl.Series(["\\boxed{7}", "8"]), pl.Series(["so it is\n#### 7", "\\boxed{8}"])
    score(response, truth)
    assert (response.to_list(), truth.to_list()) == (["\\boxed{7}", "8"], ["so it is\n#### 7", "\\boxed{8}"])


def test_verdicts_on_whole_responses():
    """The responses were written, with their verdicts, by someone who had not seen the code."""
    rows = [json.loads(line) for line in (Path(__file__).parent / "responses.jsonl").open(encoding="utf-8")]
    responses, truths = [row["response"] for row in rows], [row["truth"] for row in rows]
    values = call_step("score", "math", responses, truths)["value"]
    assert [(row, value) for row, value in zip(rows, values, strict=True) if value not in row["want"]] == []
