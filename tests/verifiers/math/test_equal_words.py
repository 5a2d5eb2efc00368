"""Words, names and letters of choices: which are equal, which differ, which are not judged."""

from tests.verifiers.math.verdict_lines import judged_otherwise

SAME = r"""
Clara | \text{clara}
B | (B)
B | **B**.
B | B) 42
B | B. 42
C | \textbf{(C) } 12
C | \text{(C)}
\text{(B)} 42 | B
\text{(B)} 42 | 42
4 \text{ red, } 3 \text{ blue} | 3 blue, 4 red
7 | clear, 7 of them
twenty-one | 21
four | 4
True | true.
\text{Evelyn} | Evelyn
noon | 12:00 pm
\text{Tuesday} | tuesday
5 | The answer is 5
5 | five
A, B | (A), (B)
one half | 0.5
\frac{2}{3} | two thirds
\text{DNE} | does not exist
\text{one-third} | \frac13
\frac{5}{6} \text{ of the pizza} | \frac56
\text{about } 5 | 5
"""
DIFFERENT = r"""
Friday | Monday
Friday | 5
B | (C)
B | C
B | C. 42
\text{(B)} 42 | 43
\text{(B)} 42 | C. 42
\text{Room 12} | 12
4 \text{ red, } 3 \text{ blue} | 3 \text{ red, } 4 \text{ blue}
\text{undefined} | 0
Room 12 | Room 13
even | odd
True | False
A | a
room 1 2 | room 12
Room 5 | 5
50 | 10+John's age
none | 0
"""
UNSURE = r"""
Paris | 10
Alice, Bob | Bob, Alice
5 | at least 5
10 | 10+John's age
A B | AB
"""


def test_equal_words():
    assert judged_otherwise(SAME, 1.0) == []


def test_different_words():
    assert judged_otherwise(DIFFERENT, 0.0) == []


def test_words_that_cannot_be_judged_are_null():
    assert judged_otherwise(UNSURE, None) == []
