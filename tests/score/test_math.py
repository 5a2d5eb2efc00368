"""Final answers: where they are found, which answers are equal, and which are not checked."""

import threading
import time

import polars as pl
import pytest

from curate.score.math import score

SOLUTION = "She sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nShe makes 9 * 2 = $<<9*2=18>>18 a day.\n"


def value(response, truth):
    result = score(pl.Series([response], dtype=pl.String), pl.Series([truth], dtype=pl.String))
    return result["value"][0]


def error(response, truth):
    return score(pl.Series([response], dtype=pl.String), pl.Series([truth], dtype=pl.String))["error"][0]


TRUTHS = ["18", "$18", "18.0", SOLUTION + "#### 18", SOLUTION + "A: 18", "\\boxed{18}"]
RESPONSES = [
    SOLUTION + "#### 18",
    SOLUTION + "A: 18",
    "So we get \\boxed{18}. That is more than 12.",
    "The answer is 18.",
    "**Answer:** $18.00",
    "The final answer is: 18 dollars per day",
    "The answer is below:\n\n18",
    "First 9, then 18",
    "In LaTeX: \\boxed{18\\text{ dollars}}",
    "It comes to 18!",
    "The answer is 18!",
]
# response, ground truth, value
EQUAL = [
    ("1,234,567", "1234567", 1.0),
    ("-5", "5", 0.0),
    ("x = −5", "-5", 1.0),
    ("007.50", "7.5", 1.0),
    ("0.0", "-0", 1.0),
    ("50%", "0.5", 1.0),
    ("50%", "50", 1.0),
    ("51%", "50", 0.0),
    ("\\boxed{\\frac{1}{2}}", "0.5", 1.0),
    ("The answer is 3/4", "0.75", 1.0),
    ("\\boxed{x^2+2x+1}", "(x+1)^2", 1.0),
    ("\\boxed{x^2+2x+2}", "(x+1)^2", 0.0),
    ("\\boxed{\\{2, 1\\}}", "\\{1, 2\\}", 1.0),
    ("The answer is $\\sqrt{8}$", "2\\sqrt{2}", 1.0),
    ("\\boxed{3!}", "6", 1.0),
    ("So the area is **$x+1$**", "1+x", 1.0),
    ("\\boxed{5x}", "5", 0.0),
    ("\\boxed{5 \\pi}", "5", 0.0),
    ("The answer is 5 pi", "5", 0.0),
    ("The answer is clear, 7 of them", "7", 1.0),
    ("I do not know", "7", 0.0),
    ("", "7", 0.0),
    ("\\boxed{}", "7", 0.0),
]


def mistaken(rows):
    """The rows of (response, truth, expected value) that get another value, with that value."""
    responses, truths, _ = (pl.Series(column) for column in zip(*rows, strict=True))
    values = score(responses, truths)["value"]
    return [(*row, value) for row, value in zip(rows, values, strict=True) if value != row[2]]


def test_the_answer_is_found_where_people_put_it():
    assert mistaken([(response, truth, 1.0) for response in RESPONSES for truth in TRUTHS]) == []
    assert mistaken([(response, "19", 0.0) for response in RESPONSES]) == []


def test_equal_answers():
    assert mistaken(EQUAL) == []


def test_the_surest_marker_wins_and_of_its_kind_the_last():
    assert value("\\boxed{3} no, \\boxed{4}\n#### 5\nThe answer is 6, not 7", "4") == 1.0
    assert value("The answer is 6\n#### 5\nor 7", "5") == 1.0
    assert value("The answer is 6. No: the answer is 7.", "7") == 1.0


def test_what_cannot_be_judged_is_null_with_its_reason():
    assert (value("18", None), error("18", None)) == (None, "no ground_truth")
    assert (value("18", ""), error("18", "")) == (None, "no ground_truth")
    assert (value(None, "18"), error(None, "18")) == (None, "no response")
    assert value("\\boxed{10}", "Paris") is None
    assert error("\\boxed{10}", "Paris") == "ground_truth is no mathematical answer: 'Paris'"


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9^{9}}}",
        "9^9^9^9",
        "9**9**9**9",
        "9**(9**9)",
        "9**99999",
        "((9^{99})^{99})^{99}",
        "10^{1000000}",
        "100000!",
        "99!!",
        "(99!)!",
        "\\sum_{n=1}^{100} n^n",
        "\\int_0^1 x dx",
        "(" * 100 + "1" + ")" * 100,
        "1+" * 200 + "1",
    ],
)
def test_hostile_answers_are_not_checked_and_cost_nothing(answer):
    start = time.process_time()
    assert value(f"\\boxed{{{answer}}}", "x+1") is None
    assert error(f"\\boxed{{{answer}}}", "x+1").startswith("answer is ")
    assert time.process_time() - start < 4


def test_a_fraction_at_the_end_is_one_answer():
    assert (value("so it is 1/2", "2"), value("3/2", "2"), value("it is 1/2", "0.5"), value("x = 3/4.", "3/4")) == (
        0.0,
        0.0,
        1.0,
        1.0,
    )


def test_only_the_end_of_a_giant_response_is_read():
    assert value("\\boxed{7}" + "x {" * 1_000_000 + "\n#### 18", "18") == 1.0


def test_detail_is_the_answer_found():
    result = score(pl.Series([SOLUTION + "#### 18", "none", "\\boxed{\\frac12}"]), pl.Series(["18", "18", "18"]))
    assert result["detail"].to_list() == ["18", None, "\\boxed{\\frac12}"[7:-1]]


def test_works_outside_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(value("\\boxed{\\frac{2}{4}}", "\\frac12")))
    thread.start()
    thread.join()
    assert found == [1.0]


def test_no_rows():
    assert score(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String)).height == 0
