"""The format of thinking and answering, and every way to miss it."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.score.format import score
from schemas.errors import UserError

GOOD = "<think>\n2 + 2\n</think>\n<answer>\n4\n</answer>"


def one(response, trace=None, **settings):
    """The value, detail and error of one row."""
    return score(pl.Series([response], dtype=pl.String), pl.Series([trace], dtype=pl.String), **settings).row(0)


@pytest.mark.parametrize(
    "text", [GOOD, f" {GOOD}\n", "<think></think><answer></answer>", "<think>é</think> <answer>日</answer>"]
)
def test_the_format(text):
    assert one(text) == (1.0, None, None)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "no <think>; no </think>; no <answer>; no </answer>"),
        ("<think>a</think>4", "no <answer>; no </answer>"),
        ("<think>a</think><answer>4", "no </answer>"),
        ("<think>a</think><think>b</think><answer>4</answer>", "2 times <think>; 2 times </think>"),
        ("<answer>4</answer><think>a</think>", "the tags are not in order; there is text outside the tags"),
        ("<think>a<answer>4</answer></think>", "the tags are not in order; there is text outside the tags"),
        ("<think>a</think> so <answer>4</answer>", "there is text outside the tags"),
        (f"Sure! {GOOD}", "there is text outside the tags"),
        (f"{GOOD}\nThat is all.", "there is text outside the tags"),
        ("<Think>a</Think><answer>4</answer>", "no <think>; no </think>"),
    ],
)
def test_mistakes_are_reported(text, detail):
    assert one(text) == (0.0, detail, None)


def test_text_may_stand_outside_where_that_is_allowed():
    assert one("Well. <think>a</think> so <answer>4</answer>!", outside=True) == (1.0, None, None)
    assert one("<answer>4</answer><think>a</think>", outside=True) == (0.0, "the tags are not in order", None)


def test_a_trace_that_was_split_off_is_the_first_part():
    assert one("<answer>4</answer>", "2 + 2") == (1.0, None, None)
    assert one("<answer>4</answer>", "2 + 2", reasoning=False)[0] == 0.0
    assert one("<answer>4</answer>", "")[1] == "no <think>; no </think>"
    assert one(GOOD, "a first thought") == (1.0, None, None), "the response has a part of its own"
    assert one("4", "2 + 2")[1] == "no <answer>; no </answer>"


def test_own_tags():
    assert one("<plan>a</plan>\n<code>b</code><test>c</test>", tags=["plan", "code", "test"])[0] == 1.0
    assert one(GOOD, tags=["answer"])[1] == "there is text outside the tags"
    for tags in ([], ["a", "a"], ["<a>"], ["a b"], [""]):
        with pytest.raises(UserError, match="^tags: expected"):
            one(GOOD, tags=tags)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (GOOD, 6),
        ("", 0),
        ("<think>a</think>4", 2),
        ("<answer>4</answer><think>a</think>", 4),
        (f"Sure! {GOOD}", 5),
        ("<think>a</think><answer>4</answer><answer>5</answer>", 4),
    ],
)
def test_a_share_of_what_holds(text, held):
    assert one(text, partial=True)[0] == pytest.approx(held / 6)


def test_no_response_has_no_value():
    assert one(None, "2 + 2") == (None, None, "no response")


@given(st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", " ", "x", "\n"]), max_size=9))
def test_it_is_what_the_words_say(parts):
    """Compares with a direct definition: only the tags, in order, and nothing but white space outside them."""
    text, marks = "".join(parts), [part for part in parts if part.startswith("<")]
    good = marks == ["<think>", "</think>", "<answer>", "</answer>"]
    if good:
        head, rest = text.split("<think>")
        middle, tail = rest.split("</think>")[1].split("<answer>")[0], rest.split("</answer>")[1]
        good = not (head + middle + tail).strip()
    value, detail, _ = one(text)
    assert value == float(good) and (detail is None) == good
    share = one(text, partial=True)[0]
    assert 0 <= share <= 1 and (share == 1) == good
