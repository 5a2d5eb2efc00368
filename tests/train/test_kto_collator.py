"""KTO counts only what is learnt of an answer: of a row's own, and of the other row's that the KL estimate is of."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from tests.optional import Lazy, needs
from tests.train.examples.conversations import TOOLS, call, turn
from tests.train.examples.templates import SOURCES, with_template
from tests.train.tables import recipe_with, unpaired_rows, write_stage
from train.run import train_recipe

kto = Lazy("train.trainers.kto")
unpaired_examples = Lazy("train.examples.unpaired_examples")
chats = Lazy("curate.models.chat.chat")
loss_settings = Lazy("train.examples.loss_settings")

pytestmark = [needs("trl"), pytest.mark.slow]

ANSWERS = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=8)
ROWS = st.lists(st.tuples(st.lists(st.integers(1, 9), max_size=6), ANSWERS), min_size=1, max_size=4)


def examples_of(rows: list, *, learnt: bool | None = None) -> list[dict[str, Any]]:
    """Rows, each given as its prompt and its answer of (token, whether it counts), with the KL's answers."""
    columns = {
        "completion_ids": [[token for token, _ in answer] for _, answer in rows],
        "completion_learnt": [[flag if learnt is None else learnt for _, flag in answer] for _, answer in rows],
    }
    columns |= kto.with_other_answers(columns)
    return [
        {"prompt_ids": prompt, "label": True, **{name: values[i] for name, values in columns.items()}}
        for i, (prompt, _) in enumerate(rows)
    ]


@settings(max_examples=50)
@given(ROWS, st.sampled_from([None, 1, 3, 5, 20]), st.sampled_from([None, 4]))
def test_the_masks_hold_the_flags_behind_truncation_and_padding(rows, length, multiple):
    from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

    theirs = DataCollatorForUnpairedPreference(0, length, multiple)
    examples = examples_of(rows)
    plain, found = theirs(examples), kto.LearntCollator(theirs)(examples)
    for name in plain:
        if not name.endswith("completion_mask"):
            assert found[name].tolist() == plain[name].tolist()
    for prefix, key in (("", "completion_learnt"), ("KL_", "KL_completion_learnt")):
        flags = [([False] * len(e["prompt_ids"]) + e[key])[:length] for e in examples]
        width = len(plain[f"{prefix}input_ids"][0])
        assert found[f"{prefix}completion_mask"].tolist() == [row + [0] * (width - len(row)) for row in flags]
    everything = examples_of(rows, learnt=True)
    assert {k: v.tolist() for k, v in kto.LearntCollator(theirs)(everything).items()} == {
        k: v.tolist() for k, v in plain.items()
    }


def test_a_row_has_the_answer_of_the_row_before_it():
    rows = {"completion_ids": [[1], [2], [3]], "completion_learnt": [[True], [False], [True]]}
    assert kto.with_other_answers(rows) == {
        "KL_completion_ids": [[3], [1], [2]],
        "KL_completion_learnt": [[True], [True], [False]],
    }


def test_a_training_counts_calls_and_answers_with_any_reference(tmp_path: Path, tiny: Path):
    folder = with_template(tiny, tmp_path / "caller", SOURCES["qwen2.5"].replace("You are Qwen.", ""))
    called = [
        turn("assistant", "", tool_calls=[call("callone01", "reads", lines="seven")]),
        turn("tool", "red dog blue cat", tool_call_id="callone01"),
        turn("assistant", "the red dog"),
    ]
    is_called = pl.col("row_id") == "r_1"
    rows = unpaired_rows(4).with_columns(
        completion=pl.when(is_called).then(pl.lit(json.dumps(called))).otherwise("completion"),
        tools=pl.when(is_called).then(pl.lit(json.dumps(TOOLS))),
    )
    chat = chats.chat_in(folder)
    examples = unpaired_examples.unpaired_examples(rows, chat, loss_settings.LossSettings(False, False, None, False))
    expected = {f"r_{i}": sum(flags) for i, flags in enumerate(examples.columns["completion_learnt"])}
    assert not all(examples.columns["completion_learnt"][1]), "the tool's result does not count"
    options = "per_device_train_batch_size: 2, num_train_epochs: 2, learning_rate: 1e-2, max_length: null"
    kinds = {"plain": options, "before": f"{options}, precompute_ref_log_probs: true", "lora": f"{options}, lora: true"}
    margins = {}
    for name, kind in kinds.items():
        text = f"train:\n  k: {{trainer: kto, dataset: kto, model: student, {kind}}}\n"
        store, ref = Store(tmp_path / name), ModelRef("student", "caller@0", str(folder))
        stage = write_stage(store, "unpaired", rows)
        recipe = recipe_with(tmp_path / name, text)
        (done,) = train_recipe(recipe, store, {"kto": stage}, {"student": ref}, None, Progress())
        losses = done.read("row_losses")
        assert dict(losses.select("row_id", "tokens").rows()) == expected
        assert losses.filter(step=1)["margin"].to_list() == pytest.approx([0.0] * 2, abs=1e-5)
        assert (losses.filter(step=4)["margin"].abs() > 1e-6).all()
        margins[name] = losses["margin"].to_list()
    assert margins["plain"] == pytest.approx(margins["before"], abs=1e-4)
