"""The evaluations that a store holds of a trained model, as its card has them."""

import pytest

from tests.train.evaluating.made_rows import made_stage, made_table
from tests.trainings import trained
from train.evaluating.shown import show_by
from train.reports.card.evaluated import CARD, add_to_cards, evaluations_of

CARD_TEXT = "# demo\n<!-- gristmill: evaluations -->\n<!-- gristmill: end of the evaluations -->\nthe end"


@pytest.fixture
def evaluated(store):
    """The stages of a training and of its evaluation."""
    training = trained(store, "demo", "sft", "sft")
    training.folder("model").mkdir()
    training.rewrite(CARD, CARD_TEXT)
    scores = {"base": [0] * 12, "tuned": [1] * 11 + [0], "other": [0] * 12}
    rows = made_table(scores, dataset="sft", source="a", prompt=[f"Why {at % 3}?" + " so" * at for at in range(12)])
    ids = rows["model"].replace_strict({"base": None, "tuned": training.stage_id, "other": "another"})
    return training, made_stage(store, rows.with_columns(training_id=ids))


def test_the_card_has_the_tables_and_an_example(store, evaluated):
    training, stage = evaluated
    add_to_cards(store, stage)
    text = training.text(CARD)
    assert text.startswith("# demo\n") and text.endswith("\nthe end")
    assert (
        "Prompts whose score went up or down from base's:" in text and "| `test` | `right` | `tuned` | 11 | 0 |" in text
    )
    assert "right by groups of prompts, changes from base:" in text and "`length: " in text
    assert "Up by `right` on `test`, drawn by the seed:" in text and "base: base says" in text
    assert "tuned: tuned says" in text and "other" not in text  # the other model is in its own card
    show_by(stage, ["source"])  # as the recipe says since
    add_to_cards(store, stage)
    assert "`source: a`" in training.text(CARD) and "`length: " not in training.text(CARD)


def test_evaluations_are_those_of_the_model(store, evaluated):
    training, stage = evaluated
    (found,) = evaluations_of(store, training.stage_id)
    assert found["stage_id"] == stage.stage_id and [row["verdict"] for row in found["examples"]] == ["won"]
    assert [row["model"] for row in found["rows"]] == ["base", "tuned"] and len(found["tables"]) == 2
    assert evaluations_of(store, "unknown") == []
