"""The comparison within groups of prompts: its figures, its order, its intervals, and rows of old stores."""

import json

import polars as pl
import pytest

from tests.train.evaluating.made_rows import made_rows, made_stage, made_table
from train.evaluating.breakdown import break_down
from train.evaluating.evaluation_result import EvaluationResult
from train.evaluating.paired_values import evaluation_rows

KINDS = [json.dumps({"kind": "maths" if at % 4 else "code"}) for at in range(40)]  # 10 of code


def rows_of(store, **columns):
    tuned = [1 if at % 4 and at % 3 else 0 for at in range(40)]  # better at maths alone
    columns = {"metadata": KINDS, "source": "a"} | columns
    return made_rows(store, {"base": [0] * 40, "tuned": tuned}, "right", **columns)


def test_each_group_is_compared_with_its_interval(store):
    found = break_down(rows_of(store), ["metadata.kind"])
    assert found.select("group", "model", "prompts").rows() == [
        ("maths", "base", 30), ("maths", "tuned", 30), ("code", "base", 10), ("code", "tuned", 10)
    ]  # fmt: skip
    maths, code = found.filter(model="tuned").to_dicts()
    assert maths["mean"] == maths["difference"] == pytest.approx(2 / 3) and maths["base"] == 0
    assert 0 < maths["low"] < maths["difference"] < maths["high"] <= 1
    assert code["difference"] == 0 and code["low"] < 0 < code["high"]  # ten prompts without a change say little
    assert found.filter(model="base")["difference"].null_count() == 2


def test_a_tiny_group_has_no_interval(store):
    found = break_down(rows_of(store, source=["a"] * 37 + ["b"] * 3), ["source"]).filter(model="tuned").to_dicts()
    assert [(row["group"], row["low"] is None) for row in found] == [("a", False), ("b", True)]
    assert found[1]["why"].startswith("too few to tell") and found[1]["difference"] is not None
    families = break_down(rows_of(store).with_columns(cluster=pl.lit("one")), ["source"]).filter(model="tuned")
    assert families["low"].null_count() == 1  # forty prompts of one family are one


def test_the_default_is_kind_and_length(store):
    found = break_down(rows_of(store, prompt_length=list(range(1, 41))))
    assert found["by"].unique(maintain_order=True).to_list() == ["metadata.kind", "length"]
    lengths = found.filter(by="length", model="tuned")
    assert lengths["group"].to_list() == ["1 to 13", "14 to 26", "27 to 40"]
    assert break_down(rows_of(store), []).is_empty()


def test_an_old_evaluation_has_lengths(store):
    old = ["source", "metadata", "prompt_length"]
    rows = made_table({"base": [0, 1, 1], "tuned": [1, 1, 1]}, prompt=["a", "bb", "ccc"])
    stage = made_stage(store, rows)
    for file in stage.files("evaluations"):  # as an earlier version wrote it
        pl.read_parquet(file).drop(old).write_parquet(file)
    found = break_down(evaluation_rows(stage))
    assert found["by"].unique().to_list() == ["length"] and found.height == 6
    assert EvaluationResult(stage).breakdown("source")["group"].unique().to_list() == ["(none)"]


def test_a_win_rate_changes_from_a_half(store):
    scored = made_table({"base": [0] * 12, "tuned": [0] * 12})
    verdicts = made_table({"tuned": [1.0] * 12}, "judge/win_rate")
    rows = evaluation_rows(made_stage(store, pl.concat([scored, verdicts]).with_columns(source=pl.lit("a"))))
    found = break_down(rows, ["source"]).filter(scorer="judge/win_rate").to_dicts()
    assert [(row["model"], row["base"], row["difference"]) for row in found] == [("tuned", 0.5, 0.5)]
    assert 0 < found[0]["low"] < found[0]["high"] <= 0.5
