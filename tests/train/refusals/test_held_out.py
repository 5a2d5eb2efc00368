"""Rows that a training holds out, rows that its model has learnt, and the refusal where prompts are in both."""

import json
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe
from tests.train.tables import rl_rows, sft_rows, turns, write_stage
from train.refusals.held_out import held_out
from train.refusals.held_out import shared_prompts_refusal as all_said
from train.refusals.refusal import Refusal

LONG = (
    "Weng earns twelve dollars an hour for babysitting, and yesterday she did fifty minutes of it. What did she earn?"
)


def recipe(**changes) -> Recipe:
    sections = {
        "name": "r",
        "models": {"student": "smollm2-135m"},
        "prompts": [{"source": "a.jsonl"}],
        "datasets": {"sft": {"type": "sft"}, "rl": {"type": "prompt"}},
        "split": {"test": 0.25},
        "train": {
            "first": {"trainer": "sft", "dataset": "sft", "model": "student"},
            "second": {"trainer": "grpo", "dataset": "rl", "model": "first", "rewards": ["length"]},
        },
    }
    return load_recipe(sections | changes)


def shared_prompts_refusal(*arguments) -> Refusal | None:
    """Return what is refused, beside the warnings."""
    refused = [one for one in all_said(*arguments) if isinstance(one, Refusal)]
    assert len(refused) <= 1
    return refused[0] if refused else None


def prompts(n: int, held_out: int = 0) -> pl.DataFrame:
    """Return RL prompts whose ids are not those of SFT rows."""
    return rl_rows(n, held_out).with_columns(row_id=pl.col("row_id").str.replace("r_", "q_"))


def with_prompt(rows: pl.DataFrame, at: int, text: str) -> pl.DataFrame:
    """Return rows with another prompt in one of them."""
    prompt = pl.when(pl.int_range(pl.len()) == at).then(pl.lit(turns("user", text))).otherwise("prompt")
    return rows.with_columns(prompt=prompt)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def stages(store: Store, sft: pl.DataFrame, rl: pl.DataFrame) -> dict:
    return {"sft": write_stage(store, "sft", sft), "rl": write_stage(store, "rl_prompts", rl)}


def test_a_prompt_on_both_sides_is_refused_with_both_rows(store):
    built = stages(store, with_prompt(with_prompt(sft_rows(8, 2), 1, LONG), 7, LONG.upper()), prompts(8, 2))
    refusal = shared_prompts_refusal(recipe(), "first", built, [])
    assert refusal is not None and refusal.name == "shared_prompts"
    said = "1 of 2 held-out prompts ('test' of the dataset 'sft') is trained on too: 1 the same (row r_7 is row r_1 of "
    assert refusal.text == said + "train.first)"
    assert shared_prompts_refusal(recipe(), "second", built, []) is None


def test_near_duplicates_count_where_no_split_kept_them_together(store):
    built = stages(store, with_prompt(with_prompt(sft_rows(8, 2), 1, LONG), 7, LONG + " Why?"), prompts(8, 2))
    assert shared_prompts_refusal(recipe(), "first", built, []) is None  # a share: the split has looked for them
    remedies = []
    for split in ({"test": "prompt like '%7'"}, {"test": 0.25, "near_duplicates": 0}):
        refusal = shared_prompts_refusal(recipe(split=split), "first", built, [])
        assert refusal is not None and "1 near-duplicate (row r_7 is like row r_1 of train.first)" in refusal.text
        remedies.append(refusal.remedy)
    assert "an SQL condition takes no near-duplicates" in remedies[0] and "near_duplicates: 0.8" in remedies[1]


def test_what_the_model_learnt_before_counts(store):
    built = stages(store, with_prompt(sft_rows(8, 2), 1, LONG), with_prompt(prompts(8, 2), 6, LONG))
    refusal = shared_prompts_refusal(recipe(), "second", built, [])
    assert refusal is not None and "(row q_6 is row r_1 of train.first)" in refusal.text
    assert shared_prompts_refusal(recipe(), "first", built, []) is None  # rl's rows are not held out for it


def test_what_evaluate_asks_counts_for_the_models_it_evaluates(store):
    built = stages(store, with_prompt(sft_rows(8, 2), 1, LONG), with_prompt(prompts(8, 2), 6, LONG))
    for models, is_refused in ((["student", "first"], True), (["student"], False)):
        asked = recipe(evaluate={"models": models, "dataset": "rl", "by": ["length"]})
        refusal = shared_prompts_refusal(asked, "first", built, [])
        assert (refusal is not None) == is_refused
        assert refusal is None or "('test' of the dataset 'rl')" in refusal.text


def test_a_benchmark_without_a_split_is_held_out_as_a_whole(store):
    built = stages(store, sft_rows(8), with_prompt(prompts(8), 3, "answer cat 3"))
    evaluate = {"models": ["first"], "dataset": "rl", "by": ["length"], "split": "train"}
    asked = recipe(evaluate=evaluate, split={})
    refusal = shared_prompts_refusal(asked, "first", built, [])
    assert refusal is not None and refusal.text.startswith("7 of 8 held-out prompts ('train' of the dataset 'rl')")
    divided = held_out(recipe(evaluate=evaluate), "first", built)  # with splits, train is what is trained on
    assert divided == []


def test_a_training_of_another_recipe_counts_by_its_folder(store, tmp_path):
    other = Store(tmp_path / "other")
    write_stage(other, "sft", with_prompt(sft_rows(5), 2, LONG + " Why?"))
    with other.new_stage("a" * 12, "train-old") as writer:
        writer.folder("model")
        fates = {"training_id": "a" * 12, "row_id": ["r_1", "r_2"], "fate": ["not reached", "trained"]}
        writer.write("training_rows", pl.DataFrame(fates))
    folder = other.stages()["a" * 12] / "model"
    old = ModelRef("old", "old@1", "smollm2-135m", adapters=(str(folder),))
    built = stages(store, with_prompt(sft_rows(8, 2), 7, LONG), prompts(8, 2))
    refusal = shared_prompts_refusal(recipe(), "first", built, [old])
    assert refusal is not None and "1 of 2 held-out prompts" in refusal.text
    assert "row r_7 is like row r_2 of old" in refusal.text
    for location in ("smollm2-135m", str(tmp_path / "nowhere" / "model"), ""):
        assert shared_prompts_refusal(recipe(), "first", built, [ModelRef("m", "m@1", location)]) is None


def test_trainings_below_whole_weights_count(store, tmp_path):
    other = Store(tmp_path / "other")
    write_stage(other, "sft", with_prompt(sft_rows(5), 2, LONG + " Why?"))
    for stage_id, row, below in (("a" * 12, "r_2", ""), ("b" * 12, "r_1", f">{'a' * 12}")):
        with other.new_stage(stage_id, "train-old", what={"base": f"tiny@0{below}"}) as writer:
            writer.folder("model")
            fates = {"training_id": stage_id, "row_id": [row], "fate": ["trained"]}
            writer.write("training_rows", pl.DataFrame(fates))
    old = ModelRef("old", "old@1", str(other.stages()["b" * 12] / "model"))
    built = stages(store, with_prompt(sft_rows(8, 2), 7, LONG), prompts(8, 2))
    refusal = shared_prompts_refusal(recipe(), "first", built, [old])
    assert refusal is not None and "row r_7 is like row r_2 of old" in refusal.text


def test_a_folder_that_is_no_stage_of_ours_says_nothing(store, tmp_path):
    (tmp_path / "model").mkdir()
    built = stages(store, sft_rows(8, 2), prompts(8, 2))
    for text in (
        "{",
        "[]",
        json.dumps({"stage_id": "x", "tables": {}}),
        json.dumps({"stage_id": "x", "tables": {"training_rows": 3}}),
    ):
        (tmp_path / "stage.json").write_text(text, encoding="utf-8")
        ref = ModelRef("m", "m@1", str(tmp_path / "model"))
        assert shared_prompts_refusal(recipe(), "first", built, [ref]) is None
