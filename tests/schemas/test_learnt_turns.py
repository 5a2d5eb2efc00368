"""Marks of turns that are context only: every name and every form that files have for them, in one form of ours."""

from pathlib import Path

import pytest

from schemas.learnt_turns import MARK_KEYS, is_learnt, mark_unlearnt, unread_marks, with_one_mark

TURN = {"role": "assistant", "content": "4"}
NOT_LEARNT = [
    {"weight": 0}, {"weight": 0.0}, {"weight": "0"}, {"weight": False},
    {"train": False}, {"train": "false"}, {"train": "False "}, {"train": 0}, {"training": False},
    {"train_on_turn": False}, {"trainable": False}, {"loss": False}, {"loss": 0}, {"loss": 0.0}, {"loss_mask": 0},
    {"masked": True}, {"masked": 1}, {"masked": "true"},
    {"weight": 1, "train": False}, {"train": True, "loss": False},
    {"train_detail": [{"begin_offset": 0, "end_offset": 3, "train": False}]},
    {"train_detail": '[{"begin_offset": 0, "end_offset": 3, "train": false}]'},
    {"loss_scale": 0.0}, {"loss_weight": 0}, {"Weight": 0}, {"TRAIN": "False"}, {"Loss-Mask": 0}, {"train on turn": 0},
    {"Weight": 1, "train": False},
]  # fmt: skip
LEARNT = [
    {}, {"weight": 1}, {"weight": 1.0}, {"weight": "1"}, {"train": True}, {"train": "yes"}, {"training": 1},
    {"loss": True}, {"loss_mask": 1}, {"masked": False}, {"masked": 0}, {"weight": 1, "train": True},
    {"train_detail": [{"begin_offset": 0, "end_offset": 3, "train": True}]},
    {"train_detail": '[{"begin_offset": 0, "end_offset": 3, "train": true}]'},
    {"loss_scale": 1.0}, {"loss_weight": 1}, {"Weight": 1}, {"Train": "True"},
]  # fmt: skip
NOT_UNDERSTOOD = [
    {"weight": 0.5}, {"weight": 2}, {"weight": -1}, {"weight": float("nan")}, {"weight": [0]}, {"loss": 0.31},
    {"training": "week 3"}, {"mask": True}, {"mask": 0}, {"train_detail": []}, {"train_detail": "all"},
    {"train_detail": [{"begin_offset": 0}]}, {"train_detail": "[{"}, {"train_detail": '[{"begin_offset": 0}]'},
    {"loss_scale": 2.0}, {"Weight": 0.5}, {"loss_factor": 0}, {"token_weights": [0, 1]}, {"turn_mask": [0, 1, 0]},
    {"training_enabled": False}, {"sample_weight": 0.7}, {"loss_type": "0"},
]  # fmt: skip


@pytest.mark.parametrize("marks", NOT_LEARNT)
def test_a_turn_that_is_context_gets_our_mark(marks):
    turn = {**TURN, "name": "bot", **marks}
    assert not is_learnt(turn)
    assert with_one_mark(turn, "assistant") == {**TURN, "name": "bot", "weight": 0}
    assert with_one_mark({"name": "bot", **marks}, "assistant") == {"name": "bot", "weight": 0}
    assert not is_learnt(with_one_mark(turn, "assistant")) and unread_marks({**TURN, "weight": 0}) == []


@pytest.mark.parametrize("marks", LEARNT)
def test_a_mark_that_a_turn_is_learnt_says_nothing_and_goes(marks):
    turn = {**TURN, "name": "bot", **marks}
    assert is_learnt(turn) and unread_marks(turn) == []
    assert with_one_mark(turn, "assistant") == {**TURN, "name": "bot"}


def test_a_mark_that_is_learnt_goes_beside_one_not_understood():
    turn = {**TURN, "weight": 1, "mask": True, "loss": 0.3}
    assert with_one_mark(turn, "assistant") == {**TURN, "mask": True, "loss": 0.3}


@pytest.mark.parametrize(
    "more", [{"training_data": "web"}, {"loss": None}, {"masked_text": "a [MASK]"}, {"weights": {}}, {"trainer": "x"}]
)
def test_a_key_with_a_value_of_another_kind_is_no_mark(more):
    turn = {**TURN, **{key: value for key, value in more.items() if value is not None}}
    assert is_learnt(turn) and with_one_mark(turn, "assistant") == turn and unread_marks(turn) == []


@pytest.mark.parametrize("marks", NOT_UNDERSTOOD)
def test_a_mark_not_understood_stays_and_is_named(marks):
    turn = with_one_mark({**TURN, **marks}, "assistant")
    assert turn == {**TURN, **marks} and is_learnt(turn) and unread_marks(turn) == list(marks)


def test_a_turn_with_an_unlearnt_part_is_context():
    parts = [{"begin_offset": 0, "end_offset": 3, "train": True}, {"begin_offset": 4, "train": False}]
    turn = with_one_mark({**TURN, "train_detail": parts}, "assistant")
    assert turn == {**TURN, "weight": 0, "train_detail": parts}
    assert not is_learnt(turn) and unread_marks(turn) == ["train_detail"]


def test_other_turns_are_never_learnt():
    for role in ("user", "system", "tool"):
        turn = {"role": role, "content": "2+2?"}
        assert not is_learnt(turn) and not is_learnt({**turn, "weight": 1})
        context = {**turn, "weight": 0, "train": False, "masked": True, "training": "week 3"}
        assert with_one_mark(context, role) == context and unread_marks(context) == []
        asked = {**turn, "train": True}
        assert with_one_mark(asked, role) == asked and unread_marks(asked) == ["train"]


def test_the_docs_name_every_mark():
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    assert [name for name in MARK_KEYS if f"`{name}" not in page] == []


def test_marking_keeps_what_else_a_turn_has():
    turn = {**TURN, "tool_calls": [{"id": "a"}], "train": True}
    assert mark_unlearnt(turn) == {**TURN, "tool_calls": [{"id": "a"}], "weight": 0}
    assert turn["train"] is True
    assert mark_unlearnt(mark_unlearnt(turn)) == mark_unlearnt(turn)


def test_other_keys_of_a_turn_are_no_marks():
    assert unread_marks({"role": "assistant", "content": "x", "colour": 0, "emotion": "calm"}) == []
