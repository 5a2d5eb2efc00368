"""What changes a number or a letter around it, and what an equation or a sentence says the answer is."""

import pytest

from curate.api.call_step import call_step

# response, right answer, the verdicts that are right
CASES = [
    ("\\boxed{x^2=5}", "5", [0, None]),
    ("\\boxed{-x=5}", "5", [0, None]),
    ("\\boxed{x-2=5}", "5", [0, None]),
    ("\\boxed{x+y=5}", "5", [1]),
    ("\\boxed{x = .48}", ".48", [1]),
    ("\\boxed{x = .48}", "48", [0]),
    ("The answer is negative 5", "5", [0]),
    ("The answer is negative 5", "-5", [1]),
    ("It is 5 thousand.", "5", [0]),
    ("It is 5 thousand.", "5000", [1]),
    ("2.5 million dollars", "2.5", [0]),
    ("She needs 2 1/2 cups", "1/2", [0]),
    ("She needs 2 1/2 cups", "2.5", [1]),
    ("√10", "10", [0]),
    ("sqrt(10)", "10", [0]),
    ("10!", "10", [0, None]),
    ("2**10", "10", [0, None]),
    ("- 10", "10", [0]),
    ("12 pi", "12", [0]),
    ("the point is (3, 4)", "4", [0]),
    ("The answer cannot be 12", "12", [0, None]),
    ("The wrong answer is 12.", "12", [0, None]),
    ("It is twelve.", "12", [1]),
    ("US$12", "12", [1]),
    ("12 000", "12000", [1, None]),
    ("It costs $12 on May 5.", "12", [1]),
    ("The answer is 12% of 50, which is 6.", "6", [1]),
    ("The answer is 7 (3+4).", "7", [1]),
    ("\\\\frac{5}{9}", "\\\\frac{5}{9}", [1]),
    ("\\boxed{\\\\frac{5}{9}}", "\\\\frac{5}{9}", [1]),
    ("\\boxed{B+1}", "B", [0, None]),
    ("\\boxed{E=mc^2}", "E", [0, None]),
    ("\\boxed{C = 5}", "C", [0, None]),
    ("The answer is B not C", "B", [0, 1, None]),
    ("\\boxed{b}", "B", [1]),
    ("\\boxed{(a)}", "A", [1]),
    ("The answer is a.", "A", [1]),
    ("B is correct.", "B", [1]),
    ("B\n\nExplanation: (A) is wrong.", "B", [1]),
    ("Not A, but B.", "B", [1]),
    ("The result is \\frac{1}{2}.", "\\frac12", [1]),
    ("<SOLUTION>12</SOLUTION>", "12", [1]),
    ("I don't know which one.", "1", [0]),
    ("18 - 3 = 15", "15", [1]),
    ("x = -5", "-5", [1]),
    ("It is 18!", "18", [1]),
    ("so 42", "42", [1]),
    ("(7)", "7", [1]),
    ("Total is (18)", "18", [1]),
    ("The answer is $\\boxed{}$. So 7", "7", [1]),
    ("It is not 7 but 8", "8", [1]),
    ("It is not 7 but 8", "7", [0]),
    ("The answer is A number", "A", [0, None]),
    ("The answer is A likelihood function", "A", [0, None]),
    ("\\boxed{A: 5, B: 7}", "A", [0, None]),
]


def test_the_answer_with_what_changes_it():
    responses, truths, _ = zip(*CASES, strict=True)
    values = call_step("score", "math", list(responses), list(truths))["value"]
    assert [(case, value) for case, value in zip(CASES, values, strict=True) if value not in case[2]] == []


@pytest.mark.parametrize(
    ("reading", "response", "truth"),
    [("flexible", "it is \\(\\boxed{420}\\)", "420"), ("strict", "#### −5", "-5"), ("strict", "#### $-5", "-5")],
)
def test_readings_of_marked_numbers(reading, response, truth):
    assert call_step("score", "math", [response], [truth], reading=reading)["value"].to_list() == [1.0]
