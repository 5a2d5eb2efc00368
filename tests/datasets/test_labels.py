"""Labels of pairs' answers, and the weights that mend unequal labels, on any pairs and counts."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curate.datasets.label_balance import balance_warning
from curate.datasets.labels import answers_of_pairs
from schemas.recipe import Dataset, Recipe, Training

PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda pair: pair[0] != pair[1]), max_size=12)


def candidates(count: int) -> Any:
    return SimpleNamespace(own=SimpleNamespace(ids_of=pl.Series([f"c_{i}" for i in range(count)]).gather))


@given(PAIRS)
def test_each_answer_of_pairs_is_a_row_once_or_has_a_decision(pairs: list[tuple[int, int]]):
    schema = {"chosen": pl.UInt32, "rejected": pl.UInt32}
    frame = pl.DataFrame(pairs, schema, orient="row").with_columns(__place=pl.col("chosen") % 1)
    rows, decided = answers_of_pairs(candidates(9), frame)
    chosen, rejected = ({pair[side] for pair in pairs} for side in (0, 1))
    assert dict(rows.select("__row", "label").rows()) == {
        **dict.fromkeys(chosen - rejected, True),
        **dict.fromkeys(rejected - chosen, False),
    }
    assert rows["__row"].is_unique().all() and rows["__row"].is_sorted()
    assert decided["row_id"].to_list() == [f"c_{i}" for i in sorted(chosen & rejected)]
    assert not decided["kept"].any()


def recipe(**weights: float) -> Recipe:
    training = Training.model_validate({"trainer": "kto", "dataset": "d", "model": "m", **weights})
    datasets = {"d": Dataset(type="unpaired")}
    return Recipe(name="r", prompts=[], datasets=datasets, train={"t": training}, path=Path("r.yaml"))


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.1, 8), st.floats(0.1, 8))
def test_the_weights_of_a_warning_are_as_the_paper_recommends(good, bad, desirable, undesirable):
    said = balance_warning(recipe(desirable_weight=desirable, undesirable_weight=undesirable), "d", good, bad)
    ratio = desirable * good / (undesirable * bad)
    assert bool(said) == (not 0.5 <= ratio <= 8 / 3)
    if not said:
        return
    ranges = re.findall(r"(desirable|undesirable)_weight: ([\d.e+-]+) to ([\d.e+-]+)", said)
    assert [name for name, *_ in ranges] == ["desirable", "undesirable"]
    for (name, *ends), is_good in zip(ranges, (True, False), strict=True):
        for end in map(float, ends):
            mended = end * good / (undesirable * bad) if is_good else desirable * good / (end * bad)
            assert 0.98 <= mended <= 4 / 3 * 1.02, (name, end)


def test_one_label_only_is_said_whatever_the_weights():
    assert balance_warning(recipe(), "d", 0, 0) == ""
    assert balance_warning(recipe(desirable_weight=0.0), "d", 3, 0).startswith("all 3 rows of the split train are good")
    assert balance_warning(recipe(undesirable_weight=0.0), "d", 0, 1200).startswith("all 1,200 rows of the split train")
    assert "learns nothing from the bad answers" in balance_warning(recipe(undesirable_weight=0), "d", 5, 5)
    assert "learns nothing from the good answers" in balance_warning(recipe(desirable_weight=0), "d", 5, 5)
