"""Texts of words with signs, names, short words and their case: which are equal, and which are never."""

from tests.verifiers.math.verdict_lines import judged_otherwise, judged_right

SIGNS = r"""
Alice: -5, Bob: 7 | Alice: 5, Bob: 7
Slope: -2, y-intercept: 3 | Slope: 2, y-intercept: 3
center: (1,2); radius: 3 | center: (-1,2); radius: 3
center (1, 2), radius 3 | center (1, -2), radius 3
temperature -5 | temperature 5
temperature: -5 | temperature: 5
temperature: - 5 | temperature: 5
charge −2 | charge 2
quotient 3 remainder -2 | quotient 3 remainder 2
Alice: $5 | Alice: €5
Alice: 5% | Alice: 5
balance: -$20 | balance: $20
Lost −5 points | Lost 5 points
interval (1,2] here | interval [1,2] here
mean: +5, low: -5 | mean: -5, low: +5
18 min | -(18 min)
"""
NAMES = r"""
Team A | Team
vitamin A | vitamin
Point A | Point
A | not A
"""
SHORT = r"""
dog | god
cat | act
won | now
tea | eat
Aa | AA
AaBb | AABB
TT | Tt
TtPp | TTPP
CO | Co
mg | Mg
MW | mW
pH | PH
kB | KB
"""
OTHER_NUMBERS = r"""
60 | 60 halves
60 | 60 tenths
60 | 60 hundredths
60 | 60 thousandths
60 | 60 factorial
60 | 60 below zero
60 | sixty below zero
60 | 60 under par
60 | 60 tens
60 | 60 dozens
60 | 60 millions
60 | 60 billionths
60 | 60 sixteenths
60 | 60 negative
60 | 60 doubled
60 | 60-fold
60 | square of 60
"""
SAME = r"""
Alice: -5, Bob: 7 | alice: −5, bob: 7
temperature -5 | temperature: -5
center: (1,2); radius: 3 | center: (1, 2), radius: 3
Slope: -2, y-intercept: 3 | slope: -2; y-intercept: 3
Alice: $5 | Alice: 5
a dog | dog
A circle | circle
Team A | team A
xyz | zyx
abc | cab
ab | ba
Li | li
yes | YES
CO | CO
60 | 60 apples
"""


def test_signs_in_words_count():
    assert judged_right(SIGNS) == []


def test_letter_after_a_noun_is_no_article():
    assert judged_right(NAMES) == []


def test_letters_and_case_of_short_words_count():
    assert judged_right(SHORT) == []


def test_words_that_make_another_number_count():
    assert judged_right(OTHER_NUMBERS) == []


def test_typography_of_texts_does_not_count():
    assert judged_otherwise(SAME, 1.0) == []
