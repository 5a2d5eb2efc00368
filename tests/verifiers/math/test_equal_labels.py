"""Choices with the text after their letter, answers to parts with labels, names with an initial, truths as lists."""

import polars as pl

from curate.score.math import score
from tests.verifiers.math.verdict_lines import judged_otherwise, judged_right

OTHER_PARTS = r"""
A: 40, B: 60 | A: 60, B: 40
(a) 3; (b) 4 | (a) 3; (b) 5
(a) 3 and (b) 4 | (a) 3 and (b) 5
a) 3 b) 4 | a) 3 b) 5
(i) 3; (ii) 4 | (i) 3; (ii) 5
(1) 6; (2) 2 | (1) 4; (2) 3
(A) true, (B) false | (A) true, (B) true
H: 2, T: 3 | H: 3, T: 2
A. 3 cm, B. 4 cm | A. 3 cm, B. 5 cm
(a) $x^2$; (b) $x^3$ | (a) $x^2$; (b) $x^4$
A: 5, B: 7 | A
a. 3; b. 4 | a. 4; b. 3
Part (a): 3; Part (b): 4 | Part (a): 3; Part (b): 5
(a) 3; (b) 4 | 4, 3
x=1, y=2 | 2, 1
A: 40, B: 60 | 40
"""
OTHER_TEXTS = r"""
A. 3 cm | A. 5 cm
C: 5 | C: 7
(B) 42 | (B) 43
G. Washington | G. Bush
E. coli | E. faecalis
J. S. Bach | J. Brahms
"""
SAME = r"""
A: 40, B: 60 | B: 60, A: 40.0
(a) 3; (b) 4 | (a) 3, (b) 4
(a) \frac12 (b) 3 | (A) 0.5; (B) 3
(a) 3; (b) 4 | 3, 4
A: 40, B: 60 | A = 40, B = 60
B. 42 | B. 42 cm
B. 42 | B
B | (B) Paris
(B) the nucleus | (B) nucleus of the cell
"""


def test_parts_with_labels_are_compared_each():
    assert judged_right(OTHER_PARTS) == []


def test_text_after_a_letter_counts():
    assert judged_right(OTHER_TEXTS) == []


def test_labels_and_choices_in_other_forms_are_the_same():
    assert judged_otherwise(SAME, 1.0) == []


LISTED = r"""
["34"] | 34
['34'] | 34.0
["\\frac{1}{2}"] | \frac12
["\frac{1}{2}"] | \frac12
["x=1, y=2"] | x=1, y=2
["(1,2)"] | (1,2)
array(['34'], dtype=object) | 34
"""


def test_list_of_one_quoted_text_is_that_text():
    assert judged_otherwise(LISTED, 1.0) == []
    assert judged_otherwise("""["34"] | 35\n['34'] | 3""", 0.0) == []


def test_list_of_several_quoted_texts_is_not_judged():
    assert judged_otherwise("""["34", "35"] | 34\n['34', '35'] | 35\n['34' '35'] | 34""", None) == []


def test_list_of_one_is_looked_for_in_a_response_as_its_item():
    rows = score(pl.Series(["There are 34 of them.", "I choose (B)."]), pl.Series(['["34"]', "['B']"]))
    assert rows["value"].to_list() == [1.0, 1.0]
