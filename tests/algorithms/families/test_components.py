"""Connected components, near-duplicate texts, and texts without their template."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.families.components import component_labels, joined, pairs_by_key, sizes_of
from curate.algorithms.families.near_texts import near_pairs_of, near_sketches, with_partner
from curate.algorithms.families.templates import without_template

TEXT = "Read the text of the student with care, think about each step, then say how long the river of {} is as of today"


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components_are_those_of_a_search(rows, pairs):
    pairs = [(one % rows, other % rows) for one, other in pairs]
    label = component_labels(rows, (np.array([p[0] for p in pairs], int), np.array([p[1] for p in pairs], int)))
    reached = {row: {row} for row in range(rows)}
    for one, other in pairs * rows:
        both = reached[one] | reached[other]
        for row in both:
            reached[row] = both
    assert label.tolist() == [min(reached[row]) for row in range(rows)]
    assert sizes_of(label).tolist() == [len(reached[row]) for row in range(rows)]


def test_rows_of_one_key_are_connected_and_0_is_none():
    keys = np.array([5, 0, 5, 7, 0, 5, 7], np.uint64)
    pairs = joined([pairs_by_key(np.arange(7), keys), pairs_by_key(np.arange(0), keys[:0])])
    assert component_labels(7, pairs).tolist() == [0, 1, 0, 3, 4, 0, 3]


def test_near_texts_have_a_partner_and_others_none():
    text = pl.Series([TEXT.format("Ulm"), TEXT.format("Bonn"), "quite another text of a few words", "?", "", "?"])
    made = near_sketches(text, 0.5)
    assert with_partner(made).tolist() == [True, True, False, False, False, False]
    left, right = near_pairs_of(text, made, 0.5)
    assert (left.tolist(), right.tolist()) == ([0], [1])
    assert near_pairs_of(text, made, 0.5, known=2)[0].size == 0, "known texts are not compared"


@pytest.mark.parametrize("sizes", [(100, 100), (10, 7)])
def test_what_was_filled_in_is_left(sizes):
    places = [f"place{n} bank{n}" for n in range(40)]
    found = without_template(pl.Series([TEXT.format(place) for place in places]), *sizes).to_list()
    assert found == places
    assert without_template(pl.Series(["one of a kind", "", None])).to_list() == ["one of a kind", "", ""]
    assert without_template(pl.Series([], dtype=pl.String)).to_list() == []
