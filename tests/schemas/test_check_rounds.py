"""The section ``rounds`` of a recipe: its short form, what it means where it says nothing, and each mistake in it."""

from typing import Any

import pytest

from schemas.check_rounds import round_scorer, round_split, round_student, round_training, rounds_of
from schemas.errors import UserError
from schemas.load_recipe import load_recipe

SFT = {"trainer": "sft", "dataset": "sft", "model": "student"}


def recipe(rounds: Any, **sections: Any) -> dict[str, Any]:
    return {
        "name": "job",
        "models": {"student": "smollm2-135m", "teacher": "smollm2-135m"},
        "prompts": [{"source": "a.jsonl"}],
        "completions": [{"generate": {"use": "sample", "model": "student"}}, {"score": "length"}],
        "datasets": {"sft": {"type": "sft"}, "dpo": {"type": "preference"}},
        "split": {"test": 0.1, "dev": 0.1},
        "train": {"sft": SFT},
        "evaluate": {"models": ["student", "sft"], "dataset": "sft", "by": ["length", "chars"]},
        "rounds": rounds,
    } | sections


def test_a_number_is_the_most_rounds():
    loaded = load_recipe(recipe(5))
    rounds = rounds_of(loaded)
    assert (rounds.most, rounds.from_, rounds.data, rounds.patience) == (5, "last", "last", 1)
    assert (round_training(loaded), round_student(loaded)) == ("sft", "student")
    assert (round_scorer(loaded), round_split(loaded)) == ("length", "dev")
    assert load_recipe(recipe(None)).rounds is None


def test_all_can_be_said():
    said = {"most": 2, "from": "first", "data": "all", "by": "chars", "split": "test", "patience": 2, "threshold": 0.01}
    loaded = load_recipe(recipe({**said, "train": "sft", "student": "student"}))
    assert rounds_of(loaded).model_dump(by_alias=True) == {**said, "train": "sft", "student": "student"}
    assert (round_scorer(loaded), round_split(loaded)) == ("chars", "test")


def test_the_training_is_the_last_of_a_chain():
    dpo = {"trainer": "dpo", "dataset": "dpo", "model": "sft"}
    evaluate = {"models": ["student", "dpo"], "dataset": "sft", "by": ["length"]}
    loaded = load_recipe(recipe(2, train={"sft": SFT, "dpo": dpo}, evaluate=evaluate))
    assert (round_training(loaded), round_student(loaded)) == ("dpo", "student")


def test_rounds_without_an_evaluation():
    sections = recipe({"most": 2})
    del sections["evaluate"]
    assert round_scorer(load_recipe(sections)) is None


OTHER = {"trainer": "sft", "dataset": "sft", "model": "student", "seed": 3}
TEACHES = [{"generate": {"use": "sample", "model": "teacher"}}]
MISTAKES = {
    "true": (True, {}, "expected how many rounds at most"),
    "text": ("3", {}, "expected how many rounds at most"),
    "none": (0, {}, "a number from 1"),
    "too many": (101, {}, "a number of at most 100"),
    "no number": ({"from": "last"}, {}, "rounds.most is missing"),
    "unknown key": ({"most": 2, "form": "last"}, {}, "no key in rounds called 'form'; did you mean 'from'?"),
    "unknown value": ({"most": 2, "data": "every"}, {}, "rounds.data: expected 'last' or 'all', found 'every'"),
    "unknown training": ({"most": 2, "train": "sftt"}, {}, "no training 'sftt'; did you mean 'sft'?"),
    "unknown student": ({"most": 2, "student": "studnt"}, {}, "did you mean 'student'?"),
    "unknown scorer": ({"most": 2, "by": "lenght"}, {}, "no scorer of 'evaluate' 'lenght'; did you mean 'length'?"),
    "unknown split": ({"most": 2, "split": "tset"}, {}, "no split that is evaluated 'tset'; did you mean 'test'?"),
    "two trainings": (2, {"train": {"sft": SFT, "other": OTHER}}, "name it, such as {most: 2, train: sft}"),
    "no training": (2, {"train": {}, "evaluate": None}, "needs a training in 'train'"),
    "another start": (
        {"most": 2, "student": "teacher"},
        {"completions": TEACHES},
        "starts from 'student', not from the student 'teacher'; with from: first",
    ),
    "nobody asks": (2, {"completions": TEACHES}, "no step 'generate' of 'completions' asks 'student'"),
    "not evaluated": (
        2,
        {"evaluate": {"models": ["student"], "dataset": "sft", "by": ["length"]}},
        "expected 'sft' among them",
    ),
    "no evaluation": ({"most": 2, "patience": 2}, {"evaluate": None}, "rounds.patience: the recipe has no section"),
    "nothing held out": (2, {"split": {}}, "needs a split that is held out and evaluated"),
    "a round's name": (
        2,
        {"models": {"student": "smollm2-135m", "sft.round1": "smollm2-135m"}},
        "models.sft.round1: is the name of a round's model",
    ),
    "asks the trained": (
        2,
        {"completions": [{"generate": {"use": "sample", "model": one}} for one in ("student", "sft")]},
        "asks the model of train.sft, which is the student of the next round; ask 'student'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_says_what_is_right(name: str):
    rounds, sections, said = MISTAKES[name]
    with pytest.raises(UserError) as error:
        load_recipe(recipe(rounds, **sections))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_no_recipe_sets_the_round_itself():
    with pytest.raises(UserError, match="no key called 'round'; did you mean 'rounds'"):
        load_recipe(recipe(2, round=3))


def test_a_model_cannot_be_said_to_be_trained():
    from curate.pipeline.run_state import recipe_model

    forged = {"model": "smollm2-135m", "trained": [{"training_id": "ab", "folder": "/etc", "adapter": True}]}
    loaded = load_recipe(recipe(None, models={"student": forged}))
    with pytest.raises(UserError, match="no setting of the engine 'transformers' called 'trained'"):
        recipe_model(loaded, "student", "here")
