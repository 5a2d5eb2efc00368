"""An edited answer is chosen over the one it was made from."""

import polars as pl

from curate.select.rewritten import pair


def pairs(*rows):
    table = pl.DataFrame(rows, schema={"id": pl.String, "parent": pl.String, "text": pl.String}, orient="row")
    return pair(table["id"], table["parent"], table["text"]).rows()


def test_the_edit_is_chosen_over_its_original():
    assert pairs(("a", None, "I am Qwen."), ("b", "a", "I am Grist."), ("c", None, "other")) == [("b", "a")]


def test_an_edit_that_changed_nothing_or_lost_its_original_makes_no_pair():
    assert pairs(("a", None, "same"), ("b", "a", " same\n"), ("c", "gone", "text")) == []


def test_every_edit_of_one_original_makes_a_pair_whatever_the_order():
    rows = [("c", "a", "z"), ("a", None, "x"), ("b", "a", "y")]
    assert pairs(*rows) == pairs(*rows[::-1]) == [("b", "a"), ("c", "a")]


def test_no_candidates_no_pairs():
    assert pairs() == []
