"""A row that gives several sequences: one loss a step, the mean over its tokens, however the batches fall."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from schemas.rows import ROW_LOSSES
from tests.optional import Lazy, needs
from tests.train.examples.templates import LAST_LONGER, with_template
from tests.train.tables import recipe_with, sft_rows, two_answer_rows, write_stage
from train.row_losses import RowLosses
from train.run import train_recipe
from train.tables import empty_table

sft = Lazy("train.examples.sft_examples")


def batch(step: int, *rows: tuple[str, int, float | None], phase: str = "train", entropy: Any = 1.0) -> pl.DataFrame:
    """What one batch records: rows of (row id, tokens, loss)."""
    names = {"step": step, "epoch": 1.0, "phase": phase, "entropy": entropy, "margin": None}
    columns = {"row_id": [r[0] for r in rows], "tokens": [r[1] for r in rows], "loss": [r[2] for r in rows]}
    return pl.DataFrame({**names, **columns}, schema_overrides=empty_table(ROW_LOSSES).schema).select(
        empty_table(ROW_LOSSES).columns
    )


def recorded(*batches: pl.DataFrame) -> list[tuple]:
    """The row losses of batches, as (step, row id, phase, tokens, loss)."""
    losses: Any = RowLosses()
    losses.recorded_batches = list(batches)
    found = losses.recorded()
    assert found.schema == empty_table(ROW_LOSSES).schema
    return found.select("step", "row_id", "phase", "tokens", "loss").rows()


def test_a_rows_sequences_are_weighted_by_their_tokens():
    found = recorded(batch(1, ("a", 3, 2.0), ("b", 4, 1.0)), batch(1, ("a", 1, 6.0)), batch(2, ("a", 2, 5.0)))
    assert found == [(1, "a", "train", 4, 3.0), (1, "b", "train", 4, 1.0), (2, "a", "train", 2, 5.0)]


def test_training_and_evaluation_are_kept_apart():
    batches = [batch(1, ("a", 3, 2.0)), batch(1, ("a", 3, 4.0), phase="eval")]
    assert recorded(*batches) == [(1, "a", "train", 3, 2.0), (1, "a", "eval", 3, 4.0)]
    assert recorded() == []


def test_a_loss_that_is_not_known_stays_null():
    found = recorded(batch(1, ("a", 3, None), ("a", 1, None), ("b", 2, None)), batch(1, ("c", 1, 1.5), ("c", 0, 0.0)))
    assert found == [(1, "a", "train", 4, None), (1, "b", "train", 2, None), (1, "c", "train", 1, 1.5)]


def test_what_was_restored_is_joined_with_what_follows():
    losses: Any = RowLosses()
    losses.recorded_batches = [batch(1, ("a", 3, 2.0)), batch(1, ("a", 1, 6.0))]
    saved = losses.recorded()
    resumed: Any = RowLosses()
    resumed.restore(saved)
    resumed.recorded_batches += [batch(2, ("a", 1, 1.0)), batch(2, ("a", 3, 5.0))]
    assert resumed.recorded().select("step", "tokens", "loss").rows() == [(1, 4, 3.0), (2, 4, 4.0)]


@pytest.fixture
def teller(tiny: Path, tmp_path: Path) -> ModelRef:
    """The tiny model with a template that prints the last answer otherwise."""
    return ModelRef("student", "teller@0", str(with_template(tiny, tmp_path / "teller", LAST_LONGER)))


def by_hand(teller: ModelRef) -> dict[str, tuple[int, float]]:
    """Each row's tokens and mean loss under the untrained model, sequence by sequence."""
    import torch
    import transformers

    from curate.models.chat.chat import chat_of
    from train.examples.loss_settings import LossSettings

    model: Any = transformers.AutoModelForCausalLM.from_pretrained(teller.location).eval()
    chat = chat_of(transformers.AutoTokenizer.from_pretrained(teller.location))
    columns = sft.sft_examples(two_answer_rows(4), chat, LossSettings(False, False, None, False)).columns
    sums: dict[str, tuple[int, float]] = {}
    for index, ids, labels in zip(columns["row_index"], columns["input_ids"], columns["labels"], strict=True):
        with torch.no_grad():
            said = model(torch.tensor([ids])).logits[0, :-1].float().log_softmax(-1)
        losses = [-said[i, label].item() for i, label in enumerate(labels[1:]) if label != -100]
        tokens, total = sums.get(f"r_{index}", (0, 0.0))
        sums[f"r_{index}"] = (tokens + len(losses), total + sum(losses))
    assert columns["row_index"] == [0, 0, 1, 2, 2, 3]
    return {row_id: (tokens, total / tokens) for row_id, (tokens, total) in sums.items()}


@needs("trl")
@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        "per_device_train_batch_size: 6",
        "per_device_train_batch_size: 1, gradient_accumulation_steps: 6",
        "per_device_train_batch_size: 4, gradient_accumulation_steps: 2",
    ],
)
def test_a_row_of_several_sequences_has_one_loss_a_step(tmp_path: Path, teller, options: str):
    text = (
        f"train:\n  s: {{trainer: sft, dataset: sft, model: student, {options}, max_steps: 1, learning_rate: 1e-9}}\n"
    )
    store = Store(tmp_path / "store")
    stage = write_stage(store, "sft", two_answer_rows(4))
    (done,) = train_recipe(recipe_with(tmp_path, text), store, {"sft": stage}, {"student": teller}, None, Progress())
    losses = done.read("row_losses")
    assert losses.select("step", "row_id").is_unique().all() and losses["step"].unique().to_list() == [1]
    found = {row_id: (tokens, loss) for row_id, tokens, loss in losses.select("row_id", "tokens", "loss").rows()}
    expected = by_hand(teller)
    assert found.keys() == expected.keys()
    for row_id, (tokens, loss) in expected.items():
        assert found[row_id] == (tokens, pytest.approx(loss, rel=1e-4)), row_id
    (record,) = done.read("trainings").rows(named=True)
    (logged,) = json.loads(record["metrics"])["history"]
    all_tokens = sum(tokens for tokens, _ in expected.values())
    mean = sum(tokens * loss for tokens, loss in expected.values()) / all_tokens
    assert logged["loss"] == pytest.approx(mean, rel=1e-3)
    assert set(done.read("training_rows")["fate"]) == {"trained"}


@needs("trl")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "phases"),
    [
        ("packing: true, packing_strategy: wrapped, max_length: 32", []),
        ("padding_free: true", []),
        ("eval_packing: true, eval_strategy: steps, eval_steps: 1", ["train"]),
        ("packing: true, eval_packing: false, eval_strategy: steps, eval_steps: 1", []),
    ],
)
def test_rows_joined_in_one_sequence_have_no_losses(tmp_path: Path, store, ref, options, phases):
    text = f"train:\n  s: {{trainer: sft, dataset: sft, model: student, max_steps: 1, {options}}}\n"
    stage = write_stage(store, "sft", sft_rows(8, held_out=2))
    (done,) = train_recipe(recipe_with(tmp_path / "r", text), store, {"sft": stage}, {"student": ref}, None, Progress())
    assert done.read("row_losses")["phase"].unique().to_list() == phases
    assert set(done.read("training_rows")["fate"]) == {"trained"}
