"""Unpaired rows as token ids: one answer of a prompt, the flags of what counts in it, and its label."""

import json
from pathlib import Path

import polars as pl
import pytest

from schemas.recipe import Training
from tests.optional import Lazy, needs
from tests.train.examples.conversations import TOOLS, call, turn
from tests.train.examples.templates import SOURCES, with_template
from tests.train.tables import turns, unpaired_rows

chats = Lazy("curate.models.chat.chat")
loss_settings = Lazy("train.examples.loss_settings")
unpaired_examples = Lazy("train.examples.unpaired_examples")
pair_examples = Lazy("train.examples.pair_examples")
preview = Lazy("train.preview")

pytestmark = [needs("tokenizers", "jinja2"), pytest.mark.slow]  # they need the tiny model

CALLED = turn("assistant", "", tool_calls=[call("callone01", "reads", lines="seven")])
TRAJECTORY = [CALLED, turn("tool", "red dog blue cat", tool_call_id="callone01"), turn("assistant", "the red dog")]


def how(max_length: int | None = None):
    return loss_settings.LossSettings(False, False, max_length, False)


def with_a_trajectory() -> pl.DataFrame:
    is_called = pl.col("row_id") == "r_1"
    return unpaired_rows(3).with_columns(
        completion=pl.when(is_called).then(pl.lit(json.dumps(TRAJECTORY))).otherwise("completion"),
        tools=pl.when(is_called).then(pl.lit(json.dumps(TOOLS))),
    )


def test_an_answer_is_that_of_a_pair_with_a_label(tiny: Path):
    chat, rows = chats.chat_in(tiny), unpaired_rows(4)
    found = unpaired_examples.unpaired_examples(rows, chat, how(), first_index=7)
    # The other answer of the pair begins differently, so that both share the prompt alone.
    pairs = rows.with_columns(chosen="completion", rejected=pl.lit(turns("assistant", "zoo")))
    other = pair_examples.dpo_examples(pairs, chat, how())
    assert found.columns["prompt_ids"] == other.columns["prompt_ids"]
    assert found.columns["completion_ids"] == other.columns["chosen_ids"]
    assert found.columns["completion_learnt"] == other.columns["chosen_learnt"]
    assert found.columns["label"] == [True, True, False, True] and found.columns["row_index"] == [7, 8, 9, 10]
    assert (found.counts["good"], found.counts["bad"], found.counts["rows"]) == (3, 1, 4)


def test_only_the_assistants_turns_of_an_answer_count(tiny: Path, tmp_path: Path):
    folder = with_template(tiny, tmp_path / "caller", SOURCES["qwen2.5"].replace("You are Qwen.", ""))
    chat = chats.chat_in(folder)
    found = unpaired_examples.unpaired_examples(with_a_trajectory(), chat, how())
    ids, flags = found.columns["completion_ids"][1], found.columns["completion_learnt"][1]
    learnt = chat.tokenizer.decode([i for i, flag in zip(ids, flags, strict=True) if flag], skip_special_tokens=False)
    context = chat.tokenizer.decode([i for i, flag in zip(ids, flags, strict=True) if not flag])
    assert '"reads"' in learnt and learnt.rstrip().endswith("the red dog<|im_end|>") and "blue cat" not in learnt
    assert "red dog blue cat" in context
    assert found.counts["calls"] == 1 and found.counts["turns"] == 4


def test_rows_are_cut_left_out_and_counted(tiny: Path):
    chat, rows = chats.chat_in(tiny), unpaired_rows(4)
    long = pl.when(pl.col("row_id") == "r_1").then(pl.lit(turns("user", "answer " * 60))).otherwise("prompt")
    unlearnt = pl.when(pl.col("row_id") == "r_2").then(
        pl.lit(json.dumps([{"role": "assistant", "content": "no", "weight": 0}]))
    )
    rows = rows.with_columns(prompt=long, completion=unlearnt.otherwise("completion"))
    whole = unpaired_examples.unpaired_examples(rows, chat, how())
    found = unpaired_examples.unpaired_examples(rows, chat, how(30))
    assert found.dropped == {
        "r_1": "longer than max_length: none of the answer is left",
        "r_2": "every answer is marked as not to be learnt (weight: 0)",
    }
    assert whole.dropped.keys() == {"r_2"} and found.columns["row_index"] == [0, 3]
    assert found.counts["cut_tokens"] == whole.counts["tokens"] - found.counts["tokens"] - sum(
        whole.columns["completion_learnt"][1]
    )


def test_the_preview_shows_the_tokens_and_the_label(tiny: Path):
    chat, rows = chats.chat_in(tiny), unpaired_rows(3).with_columns(label=pl.Series([True, False, None]))
    training = Training.model_validate({"trainer": "kto", "dataset": "d", "model": "student", "max_length": 24})
    examples = preview.training_examples(rows, training, "unpaired", chat, "r.yaml:9: train.one")
    samples = preview.preview(rows, training, "unpaired", chat, examples.dropped)
    assert [sample.label for sample in samples] == [True, False, None] == examples.columns["label"]
    for index, sample in enumerate(samples):
        ids = [*examples.columns["prompt_ids"][index], *examples.columns["completion_ids"][index]]
        assert sample.length == len(ids)
        assert "".join(sample.tokens) == chat.tokenizer.decode(ids[:24], skip_special_tokens=False)
        assert sum(sample.learnt) == 24 - len(examples.columns["prompt_ids"][index]) or len(ids) < 24
