"""Agreement is the share of a prompt's answers that are the same; a table lists which answers are the same."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.score.agreement import score
from curate.verifiers.math.final_answers.answer_spelling import answers
from curate.verifiers.math.final_answers.final_answer import marked

pytestmark = pytest.mark.slow  # seconds for the file


def agree(prompts, responses, **settings):
    columns = pl.Series("prompt_id", prompts, dtype=pl.String), pl.Series("response", responses, dtype=pl.String)
    return score(*columns, **settings)


def test_the_share_is_of_a_prompts_candidates_with_an_answer():
    found = agree(
        ["p", "q", "p", "p", "q", "p", "p"],
        ["#### 18", "#### 18", "The answer is $18.00", "so 19", "A: 3", "I do not know", None],
    )
    assert found["value"].to_list() == pytest.approx([2 / 3, 0.5, 2 / 3, 1 / 3, 0.5, None, None])
    assert found["detail"].to_list() == ["18", "18", "18", "19", "3", None, None]
    assert found["error"].to_list() == [None] * 5 + ["no answer found", "no response"]


def test_texts_are_the_same_but_for_case_space_and_end_marks():
    found = agree(["p"] * 5, ["Paris.", " paris", "PARIS \n", "Paris, France", " . "], answer="text")
    assert found["value"].to_list() == [0.75, 0.75, 0.75, 0.25, None]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\\boxed{\\dfrac{1}{2}}", "the answer is $\\frac{1}{2}$."),
        ("\\boxed{\\frac12}", "Answer: 1/2"),
        ("\\boxed{18\\text{ dollars}}", "18.0"),
        ("#### 1,200", "It is 1200"),
        ("The answer is (B).", "\\boxed{B}"),
        ("\\boxed{\\left( 1, 2 \\right)}", "answer: (1,2)"),
        ("The answer is below:\n\n7", "#### 7"),
        ("$x = 5$ so the answer is $x = 5$", "A: 5"),
        ("\\boxed{90^\\circ}", "90"),
        ("A: 8\nA: 7", "7!"),
        ("\\boxed{\\text{No}}", "The answer is no"),
        ("\\boxed{\\{1, \\{2\\}\\}}", "\\boxed{\\{1,\\{2\\}\\}}. Done {1}."),
    ],
)
def test_the_same_answer_in_other_words(one, other):
    a, b = answers(pl.Series([one, other]))
    assert a == b and a is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("answer: (1,2)", "answer: 12"),
        ("\\boxed{1/2}", "0.5"),
        ("\\boxed{x}", "\\boxed{y}"),
        ("A: -5", "A: 5"),
        ("\\boxed{A}", "\\boxed{B}"),
        ("The answer is 5x", "The answer is 5"),
        ("\\boxed{2*3}", "\\boxed{23}"),
        ("\\boxed{5!}", "\\boxed{5}"),
        ("\\boxed{2 1/2}", "\\boxed{21/2}"),
        ("\\boxed{1 2}", "\\boxed{12}"),
        ("\\boxed{f'}", "\\boxed{f}"),
        ("\\boxed{€5}", "\\boxed{$5}"),
        ("\\boxed{AB}", "\\boxed{ab}"),
    ],
)
def test_other_answers(one, other):
    a, b = answers(pl.Series([one, other]))
    assert a != b and a is not None and b is not None


def test_marks_that_the_search_uses_itself_are_nothing_in_a_text():
    assert marked(pl.Series(["a \x1e 5", "The answer is \x1e 5"])).to_list() == [None, "5"]


ROWS = st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from(["A: 1", "1.0", "A: 2", "none", None])), max_size=12)


@given(ROWS, st.randoms(use_true_random=False))
def test_row_order_does_not_matter_and_the_shares_add_up_to_one(rows, random):
    shuffled = random.sample(range(len(rows)), len(rows))
    found = agree([p for p, _ in rows], [r for _, r in rows])
    other = agree([rows[i][0] for i in shuffled], [rows[i][1] for i in shuffled])
    assert [found.row(i) for i in shuffled] == other.rows()
    for prompt in "pq":
        shares = {a: v for (p, _), (v, a, _) in zip(rows, found.rows(), strict=True) if p == prompt and v is not None}
        assert not shares or sum(shares.values()) == pytest.approx(1)


def test_a_fraction_is_no_whole_number():
    rows = score(pl.Series(["p"] * 3), pl.Series(["it is 1/2", "so 2", "2"]))
    assert rows["value"].to_list() == [pytest.approx(1 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3)]
