"""Every shipped recipe parses, its steps and settings exist, and it can be planned without a hub."""

import json

import pytest

from cli.shipped_recipes import RECIPES, copy_recipe, recipe_summary
from curate.api.run import plan
from curate.sources.read_source import read_source
from schemas.load_recipe import load_recipe
from tests.recipes.glaive_rows import GLAIVE, glaive_rows
from train.finding.find_trainer import find_trainer
from train.options import options

pytestmark = pytest.mark.slow  # whole runs or many processes: seconds for the file

NAMES = sorted(file.stem for file in RECIPES.glob("*.yaml"))


def swapped(name):
    """Return the flags that replace every model of a recipe by the built-in one."""
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    return [f"models.{model}=smollm2-135m" for model in recipe.models]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_the_recipes_of_the_design_are_shipped():
    assert {"demo", "constraints", "sft", "identity", "math"} <= set(NAMES)


def test_it_is_named_as_its_file_and_says_what_it_does(name):
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    assert load_recipe(RECIPES / f"{name}.yaml").name == name
    assert text.startswith("# ") and len(text.splitlines()[0]) > 20
    assert text.splitlines()[0] == f"# {recipe_summary(name)}" and recipe_summary(name).endswith(".")


def copied_recipe(name, folder, monkeypatch):
    """Copy a recipe; where it reads a file that users bring, the SQL of its source finds one like it."""
    copied = copy_recipe(name, folder)
    if name == "glaive":
        (folder / GLAIVE).write_text(json.dumps(glaive_rows()), encoding="utf-8")
        monkeypatch.chdir(folder)
    return copied


def test_it_is_copied_with_the_files_it_reads(name, tmp_path):
    copied = copy_recipe(name, tmp_path)
    assert copied[0] == tmp_path / f"{name}.yaml" and len(copied) >= 2
    for file in copied:
        assert file.read_bytes() == (RECIPES / file.name).read_bytes()
    for step in load_recipe(copied[0]).prompts:
        if step.verb == "source" and "path" in step.settings:
            read = read_source(tmp_path / step.settings["path"])
            assert read.prompts.height > 20 and read.decisions.height == 0


@pytest.mark.parametrize("swap", [False, True], ids=["as shipped", "with the built-in model"])
def test_its_plan_can_be_made_offline_and_writes_nothing(name, tmp_path, monkeypatch, swap):
    if name == "noise_filtered":
        pytest.skip("it reads the losses of a training of the recipe noise (test_result_recipes)")
    file = copied_recipe(name, tmp_path, monkeypatch)[0]
    before = sorted(tmp_path.iterdir())
    recipe = load_recipe(file, swapped(name) if swap else [])
    found = plan(recipe, None)
    assert sorted(tmp_path.iterdir()) == before
    labels = [stage.label for stage in found.stages]
    assert [f"datasets.{d}" for d in recipe.datasets] == [label for label in labels if label.startswith("datasets.")]
    assert len(labels) == len(recipe.prompts) + len(recipe.completions) + len(recipe.datasets)
    assert not any(stage.cached for stage in found.stages) and found.datasets == {}
    asks = [step.settings for step in recipe.completions if step.verb == "generate" and "model" in step.settings]
    most = sum(settings.get("max_candidates", settings["n"]) for settings in asks)
    assert found.prompts > 0 and bool(asks) <= found.requests <= found.prompts * most
    for settings in asks:
        assert "split = 'train'" in settings["where"], "candidates of held-out prompts would be paid for and not used"
    if swap:
        assert {wanted.ref.identity.split("@")[0] for wanted in found.model_requests} <= {
            "smollm2-135m",
            "HuggingFaceTB/SmolLM2-135M-Instruct",
        }


def test_its_trainings_fit_their_datasets_and_options_exist(name):
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    if not recipe.models:
        assert not recipe.train and recipe.evaluate is None, "cleaning existing answers needs no model"
        return
    assert recipe.train and recipe.evaluate is not None
    for key, training in recipe.train.items():
        trainer = find_trainer(training.trainer)
        assert recipe.datasets[training.dataset].type == trainer.DATA
        options.check(training, recipe.where("train", key))
        if options.fields(training.trainer):  # where TRL is installed
            assert set(training.settings) <= set(options.fields(training.trainer))
        assert training.lora, "small machines train it too"
    answering = {name for name, training in recipe.train.items() if training.trainer != "reward"}
    assert set(recipe.evaluate.models) == {*answering, next(iter(recipe.train.values())).model}, "before and after"


def test_it_evaluates_by_scores_that_it_also_computes(name):
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    if recipe.evaluate is None:
        return
    scored = {step.name for step in recipe.completions if step.verb == "score"}
    scored |= {name for name, training in recipe.train.items() if training.trainer == "reward"}
    assert set(recipe.evaluate.by) <= scored
    assert {reward for training in recipe.train.values() for reward in training.rewards} <= scored


def test_only_known_models_are_named(tmp_path):
    """A model is named in ``models`` alone, so that one flag replaces it where there is no hub."""
    known = {"strong-teacher", "cheap-teacher", "smollm2-135m", "Qwen/Qwen3-0.6B-Base", "Qwen/Qwen2.5-0.5B-Instruct"}
    for name in NAMES:
        recipe = load_recipe(RECIPES / f"{name}.yaml")
        assert {model.model for model in recipe.models.values()} <= known
        rest = json.dumps(recipe.model_dump(mode="json", exclude={"models"}))
        assert "Qwen/" not in rest and "HuggingFaceTB" not in rest
