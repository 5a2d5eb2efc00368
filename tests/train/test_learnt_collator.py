"""DPO counts only what is learnt of an answer: in its batches, its losses and its reference's log-probabilities."""

import json
import math
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
from tests.train.tables import preference_rows, recipe_with, write_stage
from train.run import train_recipe

dpo = Lazy("train.trainers.dpo")
pair_examples = Lazy("train.examples.pair_examples")

pytestmark = [needs("trl"), pytest.mark.slow]

PAD = 0
ANSWERS = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=8)
PAIRS = st.lists(st.tuples(st.lists(st.integers(1, 9), max_size=6), ANSWERS, ANSWERS), min_size=1, max_size=4)


def collated(collator: Any, pairs: list, **more: list[float]) -> dict[str, list]:
    """The batch of pairs, each given as its prompt and its answers of (token, whether it counts)."""
    examples = [
        {
            "prompt_ids": prompt,
            "chosen_ids": [token for token, _ in chosen],
            "rejected_ids": [token for token, _ in rejected],
            "chosen_learnt": [flag for _, flag in chosen],
            "rejected_learnt": [flag for _, flag in rejected],
            **{name: values[i] for name, values in more.items()},
        }
        for i, (prompt, chosen, rejected) in enumerate(pairs)
    ]
    return {name: tensor.tolist() for name, tensor in collator(examples).items()}


@settings(max_examples=50)
@given(
    PAIRS,
    st.sampled_from([None, 1, 3, 5, 20]),
    st.sampled_from(["keep_start", "keep_end"]),
    st.sampled_from([None, 4]),
)
def test_the_mask_holds_the_flags_behind_truncation_and_padding(pairs, length, mode: str, multiple):
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    theirs = DataCollatorForPreference(PAD, length, mode, multiple)
    ours = dpo.LearntCollator(DataCollatorForPreference(PAD, length, mode, multiple))
    found, plain = collated(ours, pairs), collated(theirs, pairs)
    assert found["input_ids"] == plain["input_ids"] and found["attention_mask"] == plain["attention_mask"]
    flags = [[False] * len(p[0]) + [flag for _, flag in p[side]] for side in (1, 2) for p in pairs]
    if length is not None:
        flags = [row[:length] if mode == "keep_start" else row[-length:] for row in flags]
    width = len(plain["input_ids"][0])
    assert found["completion_mask"] == [row + [0] * (width - len(row)) for row in flags]
    everything = [(p, [(t, True) for t, _ in c], [(t, True) for t, _ in r]) for p, c, r in pairs]
    assert collated(ours, everything) == collated(theirs, everything) == plain


def test_log_probabilities_of_the_reference_pass_through():
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    pair = ([1], [(2, True), (3, False)], [(4, True)])
    batch = collated(dpo.LearntCollator(DataCollatorForPreference(PAD)), [pair], ref_chosen_logps=[-1.5])
    assert batch["ref_chosen_logps"] == [-1.5] and batch["completion_mask"] == [[0, 1, 0], [0, 1, 0]]


CALLED = turn("assistant", "", tool_calls=[call("callone01", "reads", lines="seven")])
TRAJECTORY = [CALLED, turn("tool", "red dog blue cat", tool_call_id="callone01"), turn("assistant", "the red dog")]


@pytest.fixture
def caller(tiny: Path, tmp_path: Path) -> ModelRef:
    """The tiny model with a template that prints calls."""
    folder = with_template(tiny, tmp_path / "caller", SOURCES["qwen2.5"].replace("You are Qwen.", ""))
    return ModelRef("student", "caller@0", str(folder))


def rows_with_a_trajectory() -> pl.DataFrame:
    """Pairs of which the second one's chosen answer calls a tool."""
    is_called = pl.col("row_id") == "r_1"
    return preference_rows(4).with_columns(
        chosen=pl.when(is_called).then(pl.lit(json.dumps(TRAJECTORY))).otherwise("chosen"),
        tools=pl.when(is_called).then(pl.lit(json.dumps(TOOLS))),
    )


def losses_of(folder: Path, caller: ModelRef, options: str) -> pl.DataFrame:
    """The row losses of a DPO training."""
    text = f"train:\n  d: {{trainer: dpo, dataset: dpo, model: student, {options}}}\n"
    store = Store(folder / "store")
    stage = write_stage(store, "preferences", rows_with_a_trajectory())
    (done,) = train_recipe(recipe_with(folder, text), store, {"dpo": stage}, {"student": caller}, None, Progress())
    return done.read("row_losses")


def test_a_training_counts_calls_and_answers_with_any_reference(tmp_path: Path, caller: ModelRef):
    from transformers import AutoTokenizer

    from curate.models.chat.chat import chat_of
    from train.examples.loss_settings import LossSettings

    chat = chat_of(AutoTokenizer.from_pretrained(caller.location))
    examples = pair_examples.dpo_examples(rows_with_a_trajectory(), chat, LossSettings(False, False, None, False))
    sides = [examples.columns[f"{side}_learnt"] for side in ("chosen", "rejected")]
    expected = {f"r_{i}": sum(chosen) + sum(rejected) for i, (chosen, rejected) in enumerate(zip(*sides, strict=True))}
    assert not all(sides[0][1]), "the tool's result does not count"
    options = "per_device_train_batch_size: 2, num_train_epochs: 2, learning_rate: 1e-2, max_length: null, seed: 5"
    kinds = {"plain": options, "before": f"{options}, precompute_ref_log_probs: true", "lora": f"{options}, lora: true"}
    found = {name: losses_of(tmp_path / name, caller, kind) for name, kind in kinds.items()}
    for losses in found.values():
        assert dict(losses.filter(step=1).vstack(losses.filter(step=2)).select("row_id", "tokens").rows()) == expected
        first = losses.filter(step=1)
        assert first["loss"].to_list() == pytest.approx([math.log(2)] * 2, abs=1e-5), "it starts from the reference"
        assert first["margin"].to_list() == pytest.approx([0.0] * 2, abs=1e-5)
        assert (losses.filter(step=4)["margin"].abs() > 1e-6).all()
    plain, before = found["plain"], found["before"]
    assert plain["row_id"].to_list() == before["row_id"].to_list()
    assert plain["margin"].to_list() == pytest.approx(before["margin"].to_list(), abs=1e-4)
