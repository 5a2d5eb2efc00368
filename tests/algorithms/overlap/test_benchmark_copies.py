"""Copies of a benchmark's rows are found in whatever capitals and marks written; other texts never as equal."""

import re

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from curate.algorithms.overlap.benchmark_index import make_index
from curate.algorithms.overlap.benchmark_overlap import find_benchmark_overlaps
from curate.algorithms.text.levels import Level, levelled

pytestmark = pytest.mark.slow  # seconds for the file

CLEAN = (None, None, None, None)
LEVEL = Level(indents=False)
MATHS = r"Let $A$ and $B$ be two points, and let $x = \frac{1}{2} \cdot AB$. What is $x^2 - 3$ if $AB = 7$?"
SUMS = "Weng earns $12 an hour for babysitting. Yesterday, she did 50 minutes of babysitting. How much did she earn?"
CODE = (
    "def add(x, y):\n    '''Return the sum of x and y, and say so on screen.'''\n    print('Sum')\n    return x + y\n"
)
BENCH = ["Unrelated", MATHS, SUMS, CODE]
EDITS = {
    "capitals": str.upper,
    "small letters": str.lower,
    "a capital for each word": str.title,
    "marks left out": lambda text: re.sub(r"[.,;:!?]", "", text),
    "marks left out, in capitals": lambda text: re.sub(r"[.,;:!?]", "", text).upper(),
    "all signs are spaces": lambda text: re.sub(r"[^\w\s]", " ", text),
    "no dollar signs": lambda text: text.replace("$", ""),
    "other signs for maths": lambda text: re.sub(r"\$([^$]*)\$", r"\\(\1\\)", text),
    "no backslashes": lambda text: text.replace("\\", ""),
    "another command for a fraction": lambda text: text.replace(r"\frac", r"\dfrac"),
    "spaces around operators": lambda text: re.sub(r"([-+=^])", r" \1 ", text),
    "no spaces around operators": lambda text: re.sub(r" ?([-+=<>]) ?", r"\1", text),
    "soft hyphens": lambda text: re.sub(r"(\w\w)(\w\w)", "\\1\u00ad\\2", text),
    "quoted": lambda text: f"Solve this one, please.\n{text}\nAnswer in a box.",
}


def found(texts, against, **setting):
    return find_benchmark_overlaps(pl.Series(texts, dtype=pl.String), make_index(pl.Series(against), **setting)).rows()


def level(text):
    return levelled(pl.Series([text]), LEVEL)[0]


@pytest.mark.parametrize("name", EDITS)
def test_edited_copies_are_found_and_equal_only_after_levelling(name):
    texts = [EDITS[name](text) for text in BENCH[1:]]
    for row, (text, (matched, how, overlap, _)) in enumerate(zip(texts, found(texts, BENCH), strict=True), 1):
        same = level(text) == level(BENCH[row])
        assert (matched, how) == (row, "exact" if same else "n-grams")
        assert overlap == 1.0 if same or name == "quoted" else 0.5 <= overlap < 1.0


@pytest.mark.parametrize(
    ("before", "after"),
    [(" + ", " - "), ("(x, y)", "(X, y)"), ("'Sum'", "Sum"), ("x and y", "x and Y"), ("return x", "return -x")],
)
@pytest.mark.parametrize("frame", ["{}", "Here is it: {} So much for that."])
def test_another_sign_or_letter_of_code_is_never_all_shared(before, after, frame):
    text = "Please say: " + CODE
    ((matched, how, overlap, _),) = found([frame.format(text.replace(before, after))], [text])
    assert (matched, how) == (0, "n-grams") and 0.5 <= overlap < 1.0


def test_short_rows_match_in_other_capitals_not_other_signs():
    bench = ["Who are YOU?", "x - 1", "print(X)", "5!", "++", "in the US"]
    same = [("who are you", 0, "exact"), ("x-1", 1, "exact"), ("++", 4, "exact"), ("5!", 3, "exact")]
    other = [("X - 1", 1, "n-grams"), ("print(x)", 2, "n-grams"), ("in the us", 5, "n-grams")]
    for text, row, how in same + other:
        ((matched, rule, overlap, shared),) = found([text], bench)
        assert (matched, rule, shared) == (row, how, text) and (overlap == 1.0) == (how == "exact") and overlap > 0
    for text in ("x + 1", "x 1", "-x 1", "print[X]", "5", "5?", "+", "--", "C", "", "?", "Who are you not?"):
        assert found([text], bench) == [CLEAN], text
    strict = make_index(pl.Series(bench), level=Level(case=False, indents=False))
    assert find_benchmark_overlaps(pl.Series(["in the us", "X - 1", "in the US"]), strict)["how"].to_list() == [
        None,
        None,
        "exact",
    ]


def test_the_equal_row_is_named_among_rows_of_the_same_words():
    rows = [f"What is the value of 12 {sign} 7 in the system of ten?" for sign in "+-*/-"]
    assert [row[:3] for row in found([rows[1], rows[3]], rows)] == [(1, "exact", 1.0), (3, "exact", 1.0)]
    ((_, how, overlap, _),) = found([rows[0].replace("+", "%")], rows)
    assert how == "n-grams" and overlap < 1.0


def test_lists_of_numbers_alone_do_not_match_a_question_with_one():
    question = "Find the sum: $$1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12.$$"
    texts = ["The set is {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12} here.", "So: " + question]
    assert [row[0] for row in found(texts, [question])] == [None, 0]
    assert [row[0] for row in found(texts, [question], share_of="row")] == [None, 0]
    numbers = "1 2 3 4 5 6 7 8 9 10 11 12"  # a row of numbers alone has nothing else to be found by
    assert [row[0] for row in found([f"Go on: {numbers}", numbers], [numbers])] == [0, 0]
    assert [row[0] for row in found(["请数 " + numbers, "一二三四五六七八九十"], ["一二三四五六七八九十"])] == [None, 0]


PIECES = st.sampled_from([*"aAbB12", "+", "-", "*", "!", ".", "not", "is", "isn't", "What", "what", "(x)", "[X]", "%"])
TEXTS = st.lists(PIECES, min_size=1, max_size=12).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS, min_size=1, max_size=4))
def test_exact_is_said_of_equal_levelled_texts_alone(texts, against):
    against = [*against, *(text.upper() for text in texts)]
    assume(any(level(text) for text in against))
    rows = [level(text) for text in against]
    for text, (matched, how, overlap, _) in zip(texts, found(texts, against, ngram=3), strict=True):
        equal = [row for row, held in enumerate(rows) if held and held == level(text)]
        assert (how == "exact") == bool(equal)
        if equal:
            assert (matched, overlap) == (equal[0], 1.0)
        assert how is None or 0 < overlap <= 1.0
