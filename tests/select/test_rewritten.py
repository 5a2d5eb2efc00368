"""An edited answer is chosen over the one it was made from."""

import polars as pl

from curate.select.rewritten import pair


def pairs(*rows):
    table = pl.DataFrame(rows, schema={"id": pl.String, "parent": pl.String}, orient="row")
    return pair(table["id"], table["parent"]).rows()


def test_the_edit_is_chosen_over_its_original():
    assert pairs(("a", None), ("b", "a"), ("c", None)) == [("b", "a")]


def test_an_edit_that_lost_its_original_makes_no_pair():
    assert pairs(("a", None), ("c", "gone"), ("d", "d")) == []


def test_every_edit_of_an_original_makes_a_pair_in_any_order():
    rows = [("c", "a"), ("a", None), ("b", "a"), ("d", "c")]
    assert pairs(*rows) == pairs(*rows[::-1]) == [("b", "a"), ("c", "a"), ("d", "c")]


def test_no_candidates_no_pairs():
    assert pairs() == []
