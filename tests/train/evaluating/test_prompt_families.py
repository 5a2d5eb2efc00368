"""The families of held-out prompts are those of the split, in the table ``evaluations`` and in the comparison."""

import json
from pathlib import Path

import polars as pl

from curate.api.run import plan, run
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.progress import Progress
from tests.train.evaluating.test_evaluation import MODELS, Answers
from train.evaluating.comparison import compare_models
from train.evaluating.evaluation import evaluate_recipe
from train.evaluating.prompt_families import families_of, family_table

RECIPE = """
name: r
models: {student: {model: smollm2-135m}}
prompts: [{source: {path: rows.jsonl, name: rows}}]
completions: [{score: {use: length, as: chars}}]
datasets: {rl: {type: prompt}}
split: {test: "metadata->>'held' = 'yes'", by: metadata.topic}
train: {s: {trainer: grpo, dataset: rl, model: student, rewards: [chars]}}
evaluate: {models: [student, s], dataset: rl, by: [chars], retention: false}
"""
ROWS = [
    ("What is the capital of France?", "a"),
    ("what is the capital of France ?", "b"),  # a near-copy of the first
    ("Name three rivers in Asia.", "c"),
    ("Who wrote the first novel?", "c"),  # of one topic with the one before
    ("How do bees find their way home?", "d"),
]


def test_families_of_the_split_are_in_the_evaluation(tmp_path: Path):
    rows = [{"prompt": text, "topic": topic, "held": "yes"} for text, topic in ROWS]
    rows += [{"prompt": f"Count to {number} in words.", "topic": f"t{number}", "held": "no"} for number in (7, 31)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "r.yaml").write_text(RECIPE)
    recipe, store = load_recipe(tmp_path / "r.yaml"), Store(tmp_path / "store")
    run(recipe, store)
    state = plan(recipe, store).state
    families = families_of(state)
    stage = evaluate_recipe(recipe, store, state.datasets, MODELS, Progress(), gateway=Answers(), families=families)
    found = stage.read("evaluations").filter(model="student")
    family = dict(found.select("prompt", "family").iter_rows())
    assert [family[text] for text, _ in ROWS].count(None) == 0
    names = [[*dict.fromkeys(family.values())].index(family[text]) for text, _ in ROWS]
    assert names == [0, 0, 1, 1, 2]
    row = compare_models(stage).row(1, named=True)
    assert (row["prompts"] + row["nulls"], row["families"]) == (5, 3 if row["prompts"] == 5 else 2)


def test_a_prompt_that_is_not_known_has_no_family():
    assert family_table(pl.Series(["p_1"]), None).rows() == [("p_1", None)]
