"""The recipes that show a trainer run from end to end: with a tiny random model, few prompts and one or two steps."""

import json
from collections import Counter
from pathlib import Path

import pytest

from cli.shipped_recipes import RECIPES, copy_recipe
from schemas.load_recipe import load_recipe
from tests.command import call
from tests.conftest import livelier
from tests.optional import needs
from train.finding.find_trainer import trainer_names

pytestmark = [needs("trl"), pytest.mark.slow]

KEPT = {"train": 8, "test": 3, "new_tools": 2, "no_call": 2, "new_kind": 2}  # rows of each use of a file
HALF = "pattern='[aeiou]$'"  # in place of that of the score "brief": random answers pass it now and then
# The settings that make each recipe small; those of a training have its name in front.
CHANGES = {
    "tools": ["train.sft.max_steps=2", "train.sft.max_length=1024"],
    "reasoning": ["train.with_traces.max_steps=2", "train.answers_only.max_steps=2"],
    "preferences": [HALF, "train.dpo.max_steps=2", "train.kto.max_steps=2"],
    "feedback": [HALF, "train.rm.max_steps=2", "train.rloo.max_steps=1", "train.rloo.max_completion_length=6"],
    "sums": ["train.grpo.max_steps=1", "train.grpo.max_completion_length=6"],
    "ppo": [HALF, "train.ppo.max_steps=1", "train.ppo.max_completion_length=6"],
    "on_policy": [
        HALF,
        "train.taught.max_steps=2",
        "train.distill.max_steps=1",
        "train.distill.max_completion_length=6",
    ],
}


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory) -> Path:
    """The tiny model with room for a conversation with tools, whose answers depend on the prompt."""
    return livelier(tiny, tmp_path_factory.mktemp("lively"), max_position_embeddings=1024)


def few_rows(file: Path) -> None:
    """Keep a few rows of each use."""
    seen: Counter[str] = Counter()
    kept = []
    for line in file.read_text("utf-8").splitlines():
        use = json.loads(line)["metadata"]["use"]
        seen[use] += 1
        if seen[use] <= KEPT[use]:
            kept.append(line)
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")


def small_recipe(name: str, folder: Path, model: Path) -> list[str]:
    """Copy a recipe with few rows into ``folder``; return the flags that make it small."""
    (recipe, *files) = copy_recipe(name, folder)
    for file in files:
        if file.suffix == ".jsonl":
            few_rows(file)
    read = load_recipe(recipe)
    at = {step.name: number for number, step in enumerate(read.completions)}
    asks = [number for number, step in enumerate(read.completions) if step.verb == "generate"]
    changes = ["evaluate.max_tokens=6", *(f"completions.{number}.generate.max_tokens=6" for number in asks)]
    changes += [f"completions.{at['brief']}.score.{HALF}" if change == HALF else change for change in CHANGES[name]]
    student = "models.student.model" if "chat_template" in read.models["student"].settings else "models.student"
    return [part for change in [*changes, f"{student}={model}"] for part in ("--set", change)]


def test_every_trainer_has_a_recipe():
    """On the built-in model, so that it runs without a hub."""
    recipes = [load_recipe(file) for file in RECIPES.glob("*.yaml")]
    built_in = [recipe for recipe in recipes if all(m.model == "smollm2-135m" for m in recipe.models.values())]
    assert {training.trainer for recipe in built_in for training in recipe.train.values()} == set(trainer_names())


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_recipe_of_a_trainer_runs_to_the_end(name, tmp_path, model):
    flags = small_recipe(name, tmp_path, model)
    recipe = load_recipe(tmp_path / f"{name}.yaml")
    for command in ("check", "run", "train", "evaluate"):
        done = call(tmp_path, command, f"{name}.yaml", *flags)
        assert done.code == 0, (command, done.err)
    trained = call(tmp_path, "sql", "SELECT name, trainer FROM trainings ORDER BY name", "--format", "json")
    expected = sorted((key, training.trainer) for key, training in recipe.train.items())
    assert [(row["name"], row["trainer"]) for row in json.loads(trained.out)] == expected
    # The names of losses and answers to general prompts have a slash (``train.evaluating.own_rows``).
    query = "SELECT model, scorer, count(value) AS n FROM evaluations WHERE scorer NOT LIKE '%/%' GROUP BY ALL"
    counts = json.loads(call(tmp_path, "sql", query, "--format", "json").out)
    counted = {(row["model"], row["scorer"]): row["n"] for row in counts}
    assert recipe.evaluate is not None
    assert set(counted) == {(model, scorer) for model in recipe.evaluate.models for scorer in recipe.evaluate.by}
    assert len(set(counted.values())) == 1 and min(counted.values()) >= 3, "every answer has every score"
