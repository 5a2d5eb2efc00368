"""Rows known by the numbers of their ids: dropped, put in again, decided and scored in any order."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.algorithms.near_duplicates.equal_hashes import rows_with_equal
from curate.storage.row_numbers import NumberIndex
from curate.storage.row_table import read_row_table
from curate.storage.rows import read_all
from curate.storage.score_values import _beside
from curate.storage.stage import parts_of
from tests.storage.test_rows import candidates, kept, prompts, rows_of, scored, stage


def decided(store, *rows):
    return stage(store, decisions=pl.DataFrame(rows, {"row_id": pl.String, "kept": pl.Boolean}, orient="row"))


def test_a_dropped_row_that_comes_again_has_its_first_place(store):
    rows = rows_of("prompts", stage(store, prompts=prompts(1, 2, 3)))
    before = rows.copy()
    rows.keep_decided(decided(store, ("p_1", True), ("p_2", False), ("p_3", True)))
    rows.add(stage(store, prompts=prompts(4, 2)))
    assert rows.kept_ids["prompt_id"].to_list() == ["p_1", "p_2", "p_3", "p_4"] and rows.height == 4
    assert before.kept_ids["prompt_id"].to_list() == ["p_1", "p_2", "p_3"]


def test_a_failed_candidate_is_never_in(store):
    made = candidates(("c_a", "p_1"), ("c_b", "p_1")).with_columns(error=pl.Series([None, "no reply"]))
    rows = rows_of("completions", stage(store, completions=made))
    assert rows.kept_ids["completion_id"].to_list() == ["c_a"]
    rows.keep(pl.DataFrame({"completion_id": ["c_b"]}), kept(store, "c_b"))
    assert rows.height == 0


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_decisions_hold_in_any_order(store, order):
    rows = rows_of("prompts", stage(store, prompts=[prompts(0, 1), prompts(2, 3)]))
    all_of = [("p_0", True), ("p_1", False), ("p_2", False), ("p_3", True)]
    rows.keep_decided(decided(store, *(all_of[place] for place in order)))
    assert rows.kept_ids["prompt_id"].to_list() == ["p_0", "p_3"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9), st.randoms(), st.booleans())
def test_scores_are_read_beside_rows_or_by_number_alike(store, flags, random, in_order):
    half = len(flags) // 2
    rows = rows_of("prompts", stage(store, prompts=[prompts(*range(half)), prompts(*range(half, len(flags)))]))
    first = [(f"p_{i}", one) for i, (one, _) in enumerate(flags)]
    rows.keep_decided(decided(store, *first))
    ids = [id for id, stays in first if stays]
    random.shuffle(ids) if not in_order else None
    rows.scores["x"] = [scored(store, "x", **{id: float(id[2:]) for id in ids})]
    rows.keep_decided(decided(store, *((id, flags[int(id[2:])][1]) for id, stays in first if stays)))
    left = [i for i, both in enumerate(flags) if all(both)]
    assert read_all(rows, ["x"])["x"].to_list() == left
    assert read_row_table(rows).frame["x"].to_list() == left
    if in_order:
        assert pl.concat([pl.Series("x", [], dtype=pl.Float64), *_beside(rows, "x")]).to_list() == left


def test_rows_that_came_after_a_score_have_none(store):
    rows = rows_of("prompts", stage(store, prompts=prompts(1, 2)))
    rows.scores["x"] = [scored(store, "x", p_1=1.0, p_2=2.0)]
    rows.add(stage(store, prompts=prompts(3)))
    assert read_all(rows, ["x"])["x"].to_list() == [1.0, 2.0, None]


def test_prompts_of_many_files_stand_beside_their_candidates(store):
    asked = rows_of("prompts", stage(store, prompts=[prompts(*range(low, low + 2)) for low in range(0, 12, 2)]))
    owners = [11, 0, 5, 5, 8, 99, 3, 1, 10]
    made = rows_of(
        "completions", stage(store, completions=candidates(*((f"c_{i}", f"p_{o}") for i, o in enumerate(owners))))
    )
    found = read_all(made, ["prompt"], asked)["prompt"].to_list()
    assert found == [f"question {owner}" if owner < 12 else None for owner in owners]
    few = rows_of("completions", stage(store, completions=[candidates((f"c_{o}", f"p_{o}")) for o in (4, 1, 99, 4)]))
    assert read_all(few, ["prompt"], asked)["prompt"].to_list() == ["question 4", "question 1", None]


@given(st.lists(st.integers(0, 6)), st.lists(st.integers(0, 9)))
def test_an_index_finds_the_first_of_equal_numbers(known, asked):
    found = NumberIndex(np.array(known, np.uint64)).find(np.array(asked, np.uint64))
    assert found.tolist() == [known.index(one) if one in known else -1 for one in asked]


@given(st.lists(st.integers(0, 9)))
def test_rows_with_an_equal_hash_are_those_that_come_twice(hashes):
    found = rows_with_equal(np.array(hashes, np.uint64)).tolist()
    assert found == [row for row, one in enumerate(hashes) if hashes.count(one) > 1]


@given(st.lists(st.integers(0, 7), min_size=1), st.integers(1, 5))
def test_tables_are_cut_into_parts_of_one_size(heights, size):
    whole = pl.DataFrame({"n": range(sum(heights))}, schema={"n": pl.Int64})
    ends = np.cumsum([0, *heights]).tolist()
    parts = list(parts_of([whole[low:high] for low, high in zip(ends, ends[1:], strict=False)], size))
    assert pl.concat(parts).equals(whole)
    assert all(part.height == size for part in parts[:-1]) and parts[-1].height <= size
    assert len(parts) == max(1, -(-whole.height // size))
