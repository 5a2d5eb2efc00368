"""Laws of comparing made answers: an answer is itself, in every spelling, and never another value of its kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.verifiers.math.equal import compare
from tests.verifiers.math.made_truths import KINDS, Made

pytestmark = pytest.mark.slow
EXAMPLES = 80  # of each kind and law


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_itself(kind):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(KINDS[kind])
    def law(made: Made):
        assert compare([(text, text) for text in made.spellings]) == [(1.0, None)] * len(made.spellings)

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_value_is_equal_in_every_spelling(kind):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(KINDS[kind])
    def law(made: Made):
        pairs = [(one, other) for one in made.spellings for other in made.spellings]
        wrong = [(*pair, *verdict) for pair, verdict in zip(pairs, compare(pairs), strict=True) if verdict[0] != 1.0]
        assert wrong == []

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_another_value_of_the_kind_is_never_equal(kind):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(KINDS[kind], KINDS[kind])
    def law(one: Made, other: Made):
        if one.value != other.value:
            pairs = [(left, right) for left in one.spellings for right in other.spellings]
            assert [pair for pair, (value, _) in zip(pairs, compare(pairs), strict=True) if value == 1.0] == []

    law()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_an_answer_of_another_kind_is_never_equal(data):
    kinds = ["date", "clock", "matrix", "interval", "point", "name", "word", "room", "ratio", "line", "surd", "system"]
    names = data.draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=2, unique=True))
    one, other = (data.draw(KINDS[name]) for name in names)
    pairs = [(left, right) for left in one.spellings for right in other.spellings]
    if set(names) not in ({"system", "point"}, {"interval", "point"}):
        assert [pair for pair, (value, _) in zip(pairs, compare(pairs), strict=True) if value == 1.0] == []


@given(
    st.text("0123456789.,-+*/^_=<>|!%$€°{}()[]\\ abixyAB'\"&πé二²½~:;", max_size=40),
    st.sampled_from(["12", "x+1", "(1,2)", "B", "May 14"]),
)
@settings(max_examples=1500, deadline=None)
def test_any_text_has_a_verdict_or_a_reason(text, truth):
    for value, error in compare([(truth, text), (text, truth)]):
        assert (value is None) == (error is not None) and "Error" not in (error or "")


COMMANDS = [
    *(
        r"\frac",
        r"\sqrt",
        r"\text{",
        r"\begin{pmatrix}",
        r"\end{pmatrix}",
        r"\left(",
        r"\right)",
        r"\pm",
        r"\cup",
        r"\in",
    ),
    *(
        r"\\",
        "&",
        "{",
        "}",
        "^",
        "_",
        "1",
        "2",
        "x",
        "e",
        "!",
        ",",
        "=",
        "<",
        r"\le",
        "(",
        ")",
        "|",
        "%",
        "and",
        "or",
        "cm",
        " ",
    ),
    *(
        r"\sin",
        r"\log",
        r"\pi",
        r"\infty",
        r"\{",
        r"\}",
        r"\pmod",
        r"\equiv",
        "base",
        ".",
        "-",
        "+",
        "3.5",
        ":",
        r"^\circ",
    ),
]


@given(st.lists(st.sampled_from(COMMANDS), max_size=14).map("".join))
@settings(max_examples=1500, deadline=None)
def test_broken_latex_has_a_verdict_or_a_reason(text):
    (value, error), same = compare([("2x", text), (text, text)])
    assert (value is None) == (error is not None) and "Error" not in (error or "") and same == (1.0, None)
