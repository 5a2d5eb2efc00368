"""Rules that decide within each prompt give the same for some prompts at a time as for all at once."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.datasets.choose import prompt_blocks
from curate.steps.find_step import find_step, step_names
from curate.steps.settings import check_settings

ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([None, 0.0, 0.5, 1.0]), st.sampled_from("ab")), max_size=25
)
GIVEN = {"own_vs_teacher": {"teacher": "a", "student": "b"}, "rejection": {"at": 0.5, "per_prompt": 1}}
WITHIN = [name for name in step_names("select") if find_step("select", name).within_prompts]


def frame_of(rows):
    places, scores, models = ([row[at] for row in rows] for at in range(3))
    return pl.DataFrame(
        {
            "__place": pl.Series(places, dtype=pl.UInt32),
            "prompt_id": pl.Series([f"p_{place}" for place in places], dtype=pl.String),
            "completion_id": pl.Series([f"c_{7 * row % 26:02d}_{row}" for row in range(len(rows))], dtype=pl.String),
            "sample_index": pl.Series(range(len(rows)), dtype=pl.Int64),
            "score": pl.Series(scores, dtype=pl.Float64),
            "model": pl.Series(models, dtype=pl.String),
        }
    )


@given(ROWS, st.integers(1, 6))
def test_blocks_have_whole_prompts_and_each_row_once(rows, size):
    frame = frame_of(rows)
    order, ends = prompt_blocks(frame, whole=False, size=size)
    order = np.arange(frame.height) if order is None else order
    assert sorted(order.tolist()) == list(range(frame.height))
    assert ends[0][0] == 0 and ends[-1][1] == frame.height
    assert all(one[1] == other[0] for one, other in pairwise(ends))
    seen = [set(frame["__place"].to_numpy()[order[low:high]].tolist()) for low, high in ends]
    assert sum(map(len, seen)) == len(set().union(*seen))


@pytest.mark.parametrize("name", WITHIN)
@given(ROWS, st.integers(1, 6))
def test_a_rule_within_prompts_needs_no_other_prompts(name, rows, size):
    step, frame = find_step("select", name), frame_of(rows)
    settings = check_settings(step, GIVEN.get(name, {}), "", 0)

    def call(part: pl.DataFrame) -> pl.DataFrame:
        return step.call({read: part[read] for read in step.reads}, settings)

    order, ends = prompt_blocks(frame, whole=False, size=size)
    blocks = [frame[low:high] if order is None else frame[order[low:high]] for low, high in ends]
    whole, parts = call(frame), pl.concat([call(block) for block in blocks], how="vertical_relaxed")
    if step.makes == "select":
        assert (parts if order is None else parts[np.argsort(order)]).equals(whole)
        return
    place = frame.select(chosen_id="completion_id", place="__place")
    ordered = [
        made.join(place, on="chosen_id", how="left", maintain_order="left").sort("place", maintain_order=True)
        for made in (whole, parts)
    ]
    assert ordered[0].drop("slot", strict=False).equals(ordered[1].drop("slot", strict=False))
