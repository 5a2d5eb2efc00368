"""The recipes of docs/results.md run from end to end, arms and seeds too: with a tiny random model and few rows."""

import json
from collections import Counter
from pathlib import Path

import pytest

from cli.shipped_recipes import copy_recipe
from schemas.load_recipe import load_recipe
from tests.command import call
from tests.conftest import livelier
from tests.optional import needs
from tests.recipes.glaive_rows import GLAIVE, glaive_rows

pytestmark = [needs("trl"), pytest.mark.slow]

ROWS = 10  # of each kind of row of a file
# The arms of each recipe, its scores, and the settings that make it small.
SMALL = {
    "constraints": (
        "sft,sft_random,sft_random_all",
        ["completions.0.generate.max_tokens=24", "completions.0.generate.n=2", "train.sft.max_steps=2"],
    ),
    "short": (
        "gamed,honest",
        ["train.gamed.max_steps=1", "train.honest.max_steps=1", "train.gamed.max_completion_length=6",
         "train.honest.max_completion_length=6"],
    ),
    "arithmetic": (
        "teacher,on_policy",
        ["completions.0.generate.n=1", "train.teacher.max_steps=2", "train.on_policy.max_steps=2",
         "train.on_policy.max_completion_length=6"],
    ),
    "planted": (
        "raw,filtered,deduplicated,decontaminated",
        [f"train.{name}.max_steps=2" for name in ("raw", "filtered", "deduplicated", "decontaminated")],
    ),
    "glaive": ("sft", ["train.sft.max_steps=2", "train.sft.max_length=1024"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory) -> Path:
    """The tiny model with room for a conversation with tools, whose answers depend on the prompt."""
    return livelier(tiny, tmp_path_factory.mktemp("lively"), max_position_embeddings=1024)


def few_rows(file: Path) -> None:
    """Keep a few rows of each kind: of each use, of what was planted, swapped or not."""
    seen: Counter[str] = Counter()
    kept = []
    for line in file.read_text("utf-8").splitlines():
        notes = json.loads(line).get("metadata") or {}
        kind = json.dumps([notes.get(name) for name in ("use", "planted", "leaked", "swapped", "held_out")])
        seen[kind] += 1
        if seen[kind] <= ROWS:
            kept.append(line)
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")


def small_recipe(name: str, folder: Path, model: Path) -> list[str]:
    """Copy a recipe with few rows into ``folder``; return the flags that make it small."""
    (recipe, *files) = copy_recipe(name, folder)
    for file in files:
        if file.suffix == ".jsonl":
            few_rows(file)
    if name == "glaive":
        (folder / GLAIVE).write_text(json.dumps(glaive_rows()), encoding="utf-8")
    read = load_recipe(recipe)
    loras = [f"train.{key}.lora={{r: 4}}" for key in read.train]
    student = "models.student.model" if "chat_template" in read.models["student"].settings else "models.student"
    changes = ["evaluate.max_tokens=6", "evaluate.retention=false", f"{student}={model}", *loras]
    return [part for change in changes for part in ("--set", change)]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_comparison_of_docs_results_runs_to_the_end(name, tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)  # the SQL of a source names files from here
    arms, changes = SMALL[name]
    flags = small_recipe(name, tmp_path, model) + [part for change in changes for part in ("--set", change)]
    for command in (["run"], ["compare", "--arms", arms, "--seeds", "2", "--tolerance", "0.5"]):
        done = call(tmp_path, command[0], f"{name}.yaml", *command[1:], *flags)
        assert done.code == 0, (command, done.err)
    query = "SELECT DISTINCT arm FROM comparisons WHERE seed IS NULL"
    found = {row["arm"] for row in json.loads(call(tmp_path, "sql", query, "--format", "json").out)}
    assert found == set(arms.split(","))


def test_the_losses_of_one_recipe_are_the_filter_of_the_other(tmp_path, model):
    copy_recipe("noise_filtered", tmp_path)
    flags = small_recipe("noise", tmp_path, model) + ["--set", "train.probe.max_steps=2"]
    arms = [f"train.{name}.max_steps=2" for name in ("all", "filtered", "dropped")]
    arms += ["datasets.filtered.keep=6", "datasets.dropped.diverse.keep=6"]
    changed = [*small_flags("noise_filtered", model), *(part for one in arms for part in ("--set", one))]
    for command in (
        ["run", "noise.yaml", *flags],
        ["train", "noise.yaml", *flags],
        ["run", "noise_filtered.yaml", *changed],
    ):
        done = call(tmp_path, *command)
        assert done.code == 0, (command, done.err)
    agreed = call(tmp_path, "agree", "loss_last", "--with", "metadata.swapped", "--recipe", "noise_filtered")
    assert agreed.code == 0 and "AUROC" in agreed.out
    compared = [
        "compare",
        "noise_filtered.yaml",
        "--arms",
        "filtered,all,dropped",
        "--seeds",
        "2",
        "--tolerance",
        "0.5",
    ]
    done = call(tmp_path, *compared, *changed)
    assert done.code == 0, done.err
    query = "SELECT DISTINCT scorer FROM comparisons WHERE split = 'retention'"
    scorers = {row["scorer"] for row in json.loads(call(tmp_path, "sql", query, "--format", "json").out)}
    assert "retention/recorded" in scorers


def small_flags(name: str, model: Path) -> list[str]:
    changes = ["evaluate.max_tokens=6", f"models.student={model}"]
    return [part for change in changes for part in ("--set", change)]
