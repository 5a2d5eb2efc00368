"""The recipe of one round: whom it asks, what its trainings start from, what it is recorded as."""

import json

from curate.pipeline.run_state import recipe_model
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe
from schemas.round_model import Made, RoundModel
from tests.train.rounds.recipes import sections
from train.rounds.derived import evaluation_recipe, round_recipe

TEACHER = {"generate": {"use": "sample", "model": "teacher", "n": 2}}
OWN = {"generate": {"use": "sample", "model": "student", "n": 2}}


def made(*ids: str) -> dict[str, RoundModel]:
    trained = tuple(Made(name=f"sft.{one}", training_id=one, folder=f"/store/{one}", adapter=True) for one in ids)
    return {"sft": RoundModel(model="smollm2-135m", trained=trained)}


def derived(rounds: dict, *earlier: dict[str, RoundModel], **changed) -> tuple[Recipe, Recipe]:
    recipe = load_recipe(sections(rounds=rounds, **changed))
    return recipe, round_recipe(recipe, earlier)


def asked(recipe: Recipe) -> list:
    return [step.settings.get("model") for step in recipe.completions if step.verb == "generate"]


def test_the_first_round_is_the_recipe():
    recipe, first = derived({"most": 3})
    assert first is recipe and first.run_name == "loop"


def test_the_student_is_the_model_of_the_round_before():
    models = {"student": "smollm2-135m", "teacher": "smollm2-135m"}
    steps = [OWN, TEACHER, {"score": {"use": "judge_rating", "model": "student"}}]
    _, third = derived(
        {"most": 3, "by": "length"},
        made("aa"),
        made("aa", "bb"),
        models=models,
        completions=steps,
        evaluate={"models": ["student", "sft"], "dataset": "held_out", "by": ["length"]},
        datasets={"sft": {"type": "sft"}, "held_out": {"type": "prompt"}},
    )
    assert asked(third) == ["sft.round2", "teacher"]
    assert third.completions[2].settings["model"] == "sft.round2"  # a judge that is the student grows with it
    assert third.train["sft"].model == "sft.round2"
    assert third.run_name == "loop.round3" and third.name == "loop"  # one budget for all rounds
    ref = recipe_model(third, "sft.round2", "here")
    assert ref.identity == f"{recipe_model(third, 'student', 'here').identity}>aa>bb"
    assert ref.adapters == ("/store/aa", "/store/bb")


def test_from_the_first_model_on_the_data_of_all_rounds():
    recipe, third = derived({"most": 3, "from": "first", "data": "all"}, made("aa"), made("bb"))
    assert third.train["sft"].model == "student"
    assert asked(third) == ["student", "sft.round1", "sft.round2"]
    # The stages of earlier rounds come first, under the labels that they have there.
    assert third.completions[0].settings == recipe.completions[0].settings


def test_a_mixture_keeps_its_weights():
    step = {"generate": {"use": "sample", "model": {"student": 0.7, "teacher": 0.3}}}
    models = {"student": "smollm2-135m", "teacher": "smollm2-135m"}
    completions = [step, {"score": "length"}]
    evaluate = {"models": ["student", "sft"], "dataset": "held_out", "by": ["length"]}
    datasets = {"sft": {"type": "sft"}, "held_out": {"type": "prompt"}}
    changed = {"models": models, "completions": completions, "evaluate": evaluate, "datasets": datasets}
    _, second = derived({"most": 3}, made("aa"), **changed)
    assert asked(second) == [{"sft.round1": 0.7, "teacher": 0.3}]


def test_a_smoke_run_has_rounds_of_its_own():
    _, second = derived({"most": 3}, made("aa"), limit=20)
    assert second.run_name == "loop.round2.limit20"


def test_all_rounds_are_evaluated_side_by_side():
    recipe, _ = derived({"most": 3})
    wanted = evaluation_recipe(recipe, [made("aa"), made("aa", "bb")])
    assert wanted.evaluate and wanted.evaluate.models == ["student", "sft.round1", "sft.round2"]
    assert wanted.completions == recipe.completions and wanted.run_name == "loop"


def test_the_record_of_a_run_says_what_the_model_is_made_of():
    _, second = derived({"most": 3}, made("aa"))
    said = json.loads(json.dumps(second.model_dump(mode="json")))
    assert said["round"] == 2
    assert said["models"]["sft.round1"]["trained"] == [
        {"name": "sft.aa", "training_id": "aa", "folder": "/store/aa", "adapter": True}
    ]
