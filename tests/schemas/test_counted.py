"""A count of one has its noun in the singular."""

import pytest

from schemas.counted import counted, the_first


@pytest.mark.parametrize(
    ("number", "words", "in_words"),
    [(0, ("row", None), "0 rows"), (1, ("row", None), "1 row"), (2000, ("row", None), "2,000 rows"),
     (1, ("reply", "replies"), "1 reply"), (2, ("row is", "rows are"), "2 rows are")],
)  # fmt: skip
def test_a_number_has_its_noun(number, words, in_words):
    assert counted(number, *words) == in_words


def test_the_first_of_several():
    assert the_first(1, "row") == "the first row" and the_first(20_000, "row") == "the first 20,000 rows"
