"""Ground truths of maths that seem broken, and those that only look odd."""

import polars as pl
import pytest

from curate.score._doubtful_truths import doubts
from curate.score.math import score


def doubt(truth):
    (found,) = doubts(pl.Series("truth", [truth], dtype=pl.String))
    return found or ""


@pytest.mark.parametrize("truth", ["####", "#### ", r"\boxed{}", r"\text{}", "$", "$$", "<answer></answer>", "Answer:",
                                   "The final answer is", r"\boxed{\text{ }}", "**Final answer:**"])  # fmt: skip
def test_a_truth_of_marks_alone_judges_no_answer(truth):
    (found,) = score(pl.Series(["5"]), pl.Series([truth])).to_dicts()
    assert (found["value"], found["error"]) == (None, "ground_truth holds no answer")


@pytest.mark.parametrize("truth", ["5", "{}", r"\{\}", "[]", r"\emptyset", r"\text{yes}", "-1", "$5", "x"])
def test_a_truth_that_holds_something_is_judged(truth):
    (found,) = score(pl.Series([f"\\boxed{{{truth}}}"]), pl.Series([truth])).to_dicts()
    assert found["value"] == 1.0, found


@pytest.mark.parametrize("truth", ["(1,2", "[1,2", "1,2)", r"\boxed{5", "{1,2", r"\begin{pmatrix}1\\2", r"\frac{1}{2",
                                   r"\left(1, 2", r"f(x", r"2^{10", r"\sqrt{2}}"])  # fmt: skip
def test_brackets_that_are_not_closed(truth):
    assert "bracket that is not closed" in doubt(truth)


@pytest.mark.parametrize(
    "truth", ["x^", "5 +", r"\sqrt", "x =", r"\frac{1}", r"\frac", r"2 \cdot", "3/", "5 -", "x_", "7\\"]
)
def test_truths_that_end_before_their_end(truth):
    assert "ends before its end" in doubt(truth)


@pytest.mark.parametrize("truth", ["N/A", "nan", "null", "None", "TODO", "tbd", "?", "-", "...", "unknown",
                                   "error: timeout", "https://example.org/x", "see the solution above", "#REF!",
                                   "Traceback (most recent"])  # fmt: skip
def test_what_stands_for_no_answer(truth):
    assert "stands for no answer" in doubt(truth)


@pytest.mark.parametrize(
    "truth", ["\x0crac{7}{12}", "\times 5", "\alpha", "\beta", "x \neq 2", "\rho", "5\x00", "\text{m}"]
)
def test_backslashes_that_were_read_as_escapes(truth):
    assert "as of a backslash that was lost" in doubt(f"2{truth}") and "lost" in doubt(truth)
    assert "bytes that could not be read" in doubt("5\ufffd")


@pytest.mark.parametrize("truth", ["x^*", "A+", "0^+", "x^{-}"])
def test_signs_that_may_stand_last(truth):
    assert "ends before" not in doubt(truth)


def test_prose_is_compared_by_its_spelling_alone():
    assert "only the same spelling" in doubt("Let x be 3. Then we compute the value of the expression.")


@pytest.mark.parametrize(
    "truth",
    [
        "5", "-5", r"\frac{1}{2}", "[1, 2)", "(1, 2]", "]0, 1[", "[0, 1[", r"\left[0, \infty\right)", r"\{1, 2\}",
        "C", "(C)",
        r"\text{Evelyn}", "Monday", "undefined", r"\text{no solution}", "a) 5, b) 6", "|x|", "5!", "50\\%",
        r"90^\circ", "1, 2, 3", r"\begin{cases} x & 1 \\ y & 2 \end{cases}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}",
        "$18", "3 + 4\n#### 7", "x = 5", r"\pi", r"\infty", "2:3", "10:30", "1.5e3", r"\left\{ 1 \right\}", "f(x) = 2x",
        "yes", "No", r"\langle 1, 2 \rangle", "So 1 + 1 = 2.\nThe answer is: 2", "**12**", r"x \in (0, 1]",
        "first\nso \\boxed{4}",
    ],
)  # fmt: skip
def test_whole_truths_are_not_suspicious(truth):
    assert doubt(truth) == ""
