"""``check`` warns of an evaluation that would have no prompts."""

import pytest

from tests.train.refusals.test_held_out import recipe
from train.refusals.nothing_held_out import evaluation_warning

EVALUATE = {"models": ["first"], "dataset": "rl", "by": ["length"]}


@pytest.mark.parametrize(
    ("split", "asked", "said"),
    [
        ({"test": 0.25}, None, ""),
        ({"test": 0.25}, ["test", "train"], ""),
        ({}, "train", ""),
        ({}, None, "nothing is held out to evaluate on: add a 'split', such as split: {test: 0.1}; or "),
    ],
)
def test_an_evaluation_of_nothing_is_said_before_the_training(split, asked, said):
    found = evaluation_warning(recipe(split=split, evaluate=EVALUATE | {"split": asked}))
    assert found.startswith(said) and bool(found) == bool(said)


def test_a_recipe_without_an_evaluation_has_no_warning():
    assert evaluation_warning(recipe()) == ""
