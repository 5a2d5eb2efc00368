"""Prompts whose verdict changed: how many, and examples that a hash chooses."""

import polars as pl

from tests.train.evaluating.made_rows import made_rows
from train.evaluating.changed import changed_counts, changed_examples

BASE, TUNED = [0, 0, 1, 1, 0, None], [1, 0, 1, 0, 1, 1]


def test_right_and_wrong_answers_are_counted(store):
    found = changed_counts(made_rows(store, {"base": BASE, "tuned": TUNED})).to_dicts()
    assert found == [
        {"split": "test", "scorer": "right", "model": "tuned", "won": 2, "lost": 1, "same": 2, "unknown": 1,
         "right": 1, "wrong": 1, "against": "base"}
    ]  # fmt: skip


def test_other_scores_are_better_and_worse(store):
    found = changed_counts(made_rows(store, {"base": [2.5, 3.0, 1.0], "tuned": [3.5, 3.0, 0.5]})).to_dicts()[0]
    assert (found["won"], found["lost"], found["same"], found["right"]) == (1, 1, 1, None)
    several = changed_counts(made_rows(store, {"base": [[0, 1], [1, 1]], "tuned": [[1, 1], [1, 1]]})).to_dicts()[0]
    assert (several["won"], several["same"], several["right"], several["wrong"]) == (1, 1, 1, 0)


def test_one_model_changes_nothing(store):
    rows = made_rows(store, {"base": BASE})
    assert changed_counts(rows).is_empty() and changed_examples(rows, 3, 2).is_empty()
    assert changed_counts(rows.clear()).is_empty() and changed_examples(rows.clear(), 3, 2).is_empty()


def test_examples_are_of_both_directions_with_both_answers(store):
    found = changed_examples(made_rows(store, {"base": BASE, "tuned": TUNED}), seed=3, count=5)
    assert found["verdict"].to_list() == ["won", "won", "lost"]
    row = found.filter(pl.col("prompt_id") == "p0").to_dicts()[0]
    assert (row["first_model"], row["first_response"], row["response"]) == ("base", "base says 0 0", "tuned says 0 0")
    assert (row["first_value"], row["value"], row["prompt"]) == (0.0, 1.0, "question 0")


def test_a_hash_of_seed_and_prompt_chooses(store):
    many = {"base": [0] * 40, "one": [1] * 40, "two": [1] * 40}
    rows = made_rows(store, many)
    chosen = changed_examples(rows, 3, 4)
    by_model = [chosen.filter(model=name)["prompt_id"].to_list() for name in ("one", "two")]
    assert by_model[0] == by_model[1] and len(by_model[0]) == 4  # models show the same prompts
    assert (
        changed_examples(rows.sort("row_id", descending=True, maintain_order=True), 3, 4)
        .filter(model="one")["prompt_id"]
        .to_list()
        == by_model[0]
    )  # whatever the order of the rows
    assert changed_examples(rows, 4, 4).filter(model="one")["prompt_id"].to_list() != by_model[0]
    assert changed_examples(rows, 3, 2).filter(model="one")["prompt_id"].to_list() == by_model[0][:2]
    assert changed_examples(rows, 3, 0).is_empty()


def test_of_several_samples_one_that_changed_is_shown(store):
    rows = made_rows(store, {"base": [[0, 0, 0, 0]] * 8, "tuned": [[0, 0, 1, 0]] * 8})
    assert changed_examples(rows, 1, 8)["sample_index"].unique().to_list() == [2]
