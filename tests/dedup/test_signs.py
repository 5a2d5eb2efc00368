"""Texts that differ in a number, a sign, an operator, a negation or a letter of code are never called equal."""

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import curate.dedup.exact as exact
import curate.dedup.minhash as minhash
from curate.algorithms.overlap.benchmark_index import make_index
from curate.algorithms.overlap.benchmark_overlap import find_benchmark_overlaps

pytestmark = pytest.mark.slow

QUESTIONS = [
    ["What is 12 - 7?", "What is 12 * 7?", "What is 12 / 7?", "What is 12 + 7?", "What is 12 ^ 7?", "What is 127?"],
    ["Compute 3.14 times 10.", "Compute 3/14 times 10.", "Compute 314 times 10.", "Compute -3.14 times 10."],
    ["Write hello world in C.", "Write hello world in C#.", "Write hello world in C++."],
    ["What does ^a*$ match?", "What does [^a]$ match?", "What does ^a+$ match?", "What does (a)$ match?"],
    ["Solve x² = 4.", "Solve x2 = 4.", "Solve x₂ = 4.", "Solve 2x = 4.", "Solve x² > 4."],
    ["Is it raining?", "Isn't it raining?", "Is it not raining?"],
    ["print(X)", "print(x)", "print('x')", "print[x]"],
    ["1 + 1 + 1 + 1", "1 + 1 + 1 + 1 + 1", "1 + 1 + 1 - 1"],
    ["5%", "5", "$5", "€5", "-5", "5!", "½", "①"],
    ["ha ha ha ha ha ha", "ha ha ha ha ha ha ha"],
    ["from 3 to 5, from 5 to 3, from 3", "from 5 to 3, from 3 to 5, from 5"],
]
START, END = ("Tell me what", "", "Please say why"), ("in the decimal system of numbers", "", "and why that is so")
NUMBERS = st.integers(0, 999).map(str) | st.decimals(0, 99, places=2, allow_nan=False).map(str)
SIGNS = st.sampled_from([*"+-*/=<>^%&|~#@$€×÷±√≤≠∈→", "**", "//", "==", "!=", ">=", "->", "::", "&&"])
NEGATIONS = [
    ("is", "isn't"),
    ("is", "is not"),
    ("can", "can't"),
    ("can", "cannot"),
    ("does", "doesn't"),
    ("with", "without"),
]


def nulls(rows, kind):
    return pl.Series([None] * rows, dtype=kind)


def similarities(texts, **setting):
    """The similarity of each text to the one it duplicates, by each method; null where it is kept."""
    series, known = pl.Series(texts), pl.Series([False] * len(texts))
    score = nulls(len(texts), pl.Float64)
    near = minhash.dedup(series, nulls(len(texts), pl.Null), score, known, **setting)
    return exact.dedup(series, score, known)["similarity"].to_list(), near["similarity"].to_list()


def check_different(texts):
    for threshold in (0.1, 0.8, 1.0):
        equal, near = similarities(texts, threshold=threshold)
        assert equal == [None] * len(texts), (texts, equal)
        assert all(found is None or found < 1.0 for found in near), (texts, near)
    index = make_index(pl.Series(texts[:1]))
    assert "exact" not in find_benchmark_overlaps(pl.Series(texts[1:]), index)["how"].to_list()


@pytest.mark.parametrize("texts", QUESTIONS)
def test_questions_that_differ_in_a_sign(texts):
    check_different(texts)
    for before, after in zip(START, END, strict=True):
        check_different([f"{before} {text} {after}" for text in texts])


@pytest.mark.parametrize("texts", QUESTIONS)
def test_short_texts_are_kept_however_low_the_threshold(texts):
    short = [text for text in texts if len(text) < 12]
    assert similarities(short, threshold=0.01)[1] == [None] * len(short)


@settings(deadline=None, max_examples=60)
@given(NUMBERS, NUMBERS, SIGNS, SIGNS, st.sampled_from(START), st.sampled_from(END))
def test_other_numbers_and_operators(one, two, sign, other, before, after):
    assume(one != two and sign != other)
    check_different([f"{before} {one} {sign} {one} {after}", f"{before} {one} {sign} {two} {after}"])
    check_different([f"{before} {one} {sign} {two} {after}", f"{before} {one} {other} {two} {after}"])
    check_different([f"{before} {sign}{one} {after}", f"{before} {one} {after}", f"{before} {other}{one} {after}"])
    check_different([f"{before} x{sign}y {after}", f"{before} x y {after}", f"{before} x{other}y {after}"])


@pytest.mark.parametrize(("one", "two"), NEGATIONS)
@pytest.mark.parametrize("text", ["The sky {} blue", "Say whether it {} stop", "a {} b"])
def test_negations(one, two, text):
    check_different([text.format(one), text.format(two)])
    check_different([text.format(one).upper(), text.format(two).upper()])


def test_copies_that_differ_in_form_only_are_still_found():
    text = "Name three rivers of Africa, and say how long each one is."
    copies = [text.lower(), text.upper(), text[:-1], text.replace(" ", "  "), text.replace(",", " –"), f"“{text}”"]
    copies = [text, *(copy for copy in copies if "–" not in copy)]
    assert similarities(copies)[1] == [None, *[1.0] * (len(copies) - 1)]
    assert similarities(["It’s a “test”", 'it\'s a "test"', "IT'S  A \n “TEST”"])[0] == [None, 1.0, 1.0]
    index = make_index(pl.Series([text]))
    assert set(find_benchmark_overlaps(pl.Series(copies), index)["how"]) == {"exact"}
