import pytest

from tests.optional import needs
from train.examples.loss_settings import LossSettings, loss_settings

pytestmark = needs("trl")  # the defaults are TRL's


def test_by_default_answers_are_learnt_and_the_end_is_cut_off():
    assert loss_settings("sft", {}) == LossSettings(
        every_token=False, completion_only=False, max_length=1024, keep_end=False
    )


@pytest.mark.parametrize(
    ("settings", "every_token", "completion_only"),
    [
        ({"completion_only_loss": True}, False, True),
        ({"completion_only_loss": False}, True, False),
        ({"completion_only_loss": None}, False, False),
        ({"assistant_only_loss": True}, False, False),
        ({"completion_only_loss": False, "assistant_only_loss": True}, False, False),
        ({"completion_only_loss": True, "assistant_only_loss": True}, False, True),
    ],
)
def test_the_options_of_sft_say_what_is_learnt(settings: dict, every_token: bool, completion_only: bool):
    found = loss_settings("sft", settings)
    assert (found.every_token, found.completion_only) == (every_token, completion_only)


@pytest.mark.parametrize(
    ("settings", "training", "evaluation"),
    [
        ({}, 1024, 1024),
        ({"max_length": 8}, 8, 8),
        ({"max_length": None}, None, None),
        ({"max_length": 8, "packing": True}, 8, 8),  # bfd cuts
        ({"max_length": 8, "packing": True, "packing_strategy": "bfd"}, 8, 8),
        ({"max_length": 8, "packing": True, "packing_strategy": "bfd_split"}, None, None),
        ({"max_length": 8, "packing": True, "packing_strategy": "wrapped"}, None, None),
        ({"max_length": 8, "packing": True, "packing_strategy": "wrapped", "eval_packing": False}, None, 8),
        ({"max_length": 8, "packing": False, "packing_strategy": "wrapped", "eval_packing": True}, 8, None),
    ],
)
def test_packing_decides_whether_a_long_row_is_cut(settings: dict, training: int | None, evaluation: int | None):
    assert loss_settings("sft", settings).max_length == training
    assert loss_settings("sft", settings, evaluation=True).max_length == evaluation


@pytest.mark.parametrize(("max_length", "mode", "left"), [(3, "keep_start", "abc"), (3, "keep_end", "cde")])
def test_the_part_that_is_kept(max_length: int, mode: str, left: str):
    kept = loss_settings("sft", {"max_length": max_length, "truncation_mode": mode}).kept
    assert "abcde"[kept] == left and "ab"[kept] == "ab"
    assert "abcde"[loss_settings("sft", {"max_length": None}).kept] == "abcde"


@pytest.mark.parametrize("choice", ["refuse", "leave_out", "ignore", "in_text"])
def test_traces_go_into_the_text_only_where_the_recipe_says_so(choice: str):
    assert loss_settings("sft", {}, choice).traces_in_text == (choice == "in_text")


@pytest.mark.parametrize("trainer", ["dpo", "reward"])
def test_other_trainers_have_a_length_only(trainer: str):
    found = loss_settings(trainer, {"max_length": 9})
    assert found == LossSettings(every_token=False, completion_only=False, max_length=9, keep_end=False)
