"""Trainings that would learn nothing of their rows' tokens, or whose model does not read them whole."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from schemas.recipe import Training
from tests.train.tables import preference_rows, rl_rows, sft_rows, turns, unpaired_rows
from train.examples.context import Context, context_of, prompt_room

pytest.importorskip("tokenizers")
pytest.importorskip("jinja2")
from curate.models.chat.chat import Chat, chat_in  # noqa: E402
from train.refusals.nothing_learnt import nothing_learnt  # noqa: E402
from train.refusals.refusal import Refusal  # noqa: E402
from train.refusals.too_long import too_long  # noqa: E402

pytestmark = pytest.mark.slow  # they need the tiny model

TRAINER = {"sft": "sft", "preference": "dpo", "unpaired": "kto", "prompt": "grpo"}
WHERE = "r.yaml:9: train.one"


def training(kind: str, **settings: Any) -> Training:
    return Training(trainer=TRAINER[kind], dataset="d", model="student", **settings)


@pytest.fixture
def chat(tiny: Path) -> Chat:
    found = chat_in(tiny)
    assert found is not None
    return found


def refused(chat: Chat, kind: str, rows: pl.DataFrame, *, room: int = 100, held: int = 0, **settings: Any) -> list[str]:
    eval_rows, rows = rows.tail(held), rows.head(rows.height - held)
    return [one.text for one in nothing_learnt(training(kind, **settings), kind, rows, eval_rows, chat, WHERE, room)]


def long(rows: pl.DataFrame, kept: pl.Expr, column: str = "prompt") -> pl.DataFrame:
    """Return rows with a long prompt in those that an expression does not keep."""
    return rows.with_columns(pl.when(kept).then(column).otherwise(pl.lit(turns("user", "the cat " * 99))).alias(column))


def test_a_training_with_one_row_to_learn_is_not_refused(chat):
    last = pl.int_range(pl.len()) == 79
    assert refused(chat, "sft", long(sft_rows(80), last), max_length=60) == []
    assert refused(chat, "preference", long(preference_rows(80), last), max_length=60) == []
    assert refused(chat, "prompt", long(rl_rows(80), last)) == []
    (said,) = refused(chat, "sft", long(sft_rows(80), pl.lit(False)), max_length=60)
    cut = "longer than max_length: none of the answer is left (rows r_0, r_1, r_2, ...)"
    assert said == f"no row is left to train on: 80 x {cut}"
    (said,) = refused(chat, "prompt", rl_rows(5), room=2)
    assert "tokens leaves no room for an answer" in said


def test_pairs_of_the_same_tokens_are_nothing_to_learn(chat):
    same = preference_rows(3).with_columns(rejected=pl.col("chosen").str.replace("}]", ', "name": "a"}]', literal=True))
    (said,) = refused(chat, "preference", same)
    assert "3 x chosen and rejected are the same tokens" in said


def test_kto_needs_an_answer_of_each_label(chat):
    rows = unpaired_rows(8)
    bad = long(rows, pl.col("label"))
    (said,) = refused(chat, "unpaired", bad, max_length=60)
    count = bad.filter(~pl.col("label")).height
    assert said.startswith(f"none of the {count} bad answers is left to learn from: {count} x longer than max_length")
    assert refused(chat, "unpaired", rows, max_length=60) == []
    (said,) = refused(chat, "unpaired", long(rows, pl.lit(False)), max_length=60)
    assert said.startswith("no row is left to train on: 8 x")


def test_held_out_rows_count_where_they_are_evaluated_on(chat):
    rows = long(sft_rows(6), pl.int_range(pl.len()) < 4)
    assert refused(chat, "sft", rows, held=2, max_length=60) == []
    (said,) = refused(chat, "sft", rows, held=2, max_length=60, eval_strategy="epoch")
    assert said.startswith("it evaluates, but no held-out row can be used: 2 x longer than max_length")


def found(chat: Chat, context: Context, **settings: Any) -> list[Refusal | str]:
    rows = long(sft_rows(4), pl.int_range(pl.len()) != 2)
    return [*too_long(training("sft", **settings), "sft", rows, chat, context, WHERE)]


def test_a_row_beyond_learnt_positions_is_refused(chat):
    (said,) = found(chat, Context(64, fixed=True))
    assert isinstance(said, Refusal) and said.text.startswith("1 of 4 rows have more tokens than the model's 64 positi")
    assert "(row r_2: " in said.text and "max_length is 1,024; set max_length: 64 or less" in said.remedy
    for context, settings in ((Context(64, True), {"max_length": 64}), (Context(4096, True), {}), (Context(), {})):
        assert found(chat, context, **settings) == []


def test_a_row_beyond_computed_positions_is_a_warning(chat):
    (said,) = found(chat, Context(64), max_length=None)
    assert isinstance(said, str) and "it was not made for longer sequences: max_length is not set" in said


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"model_type": "gpt2", "n_positions": 128}, Context(128, True)),
        ({"model_type": "llama", "max_position_embeddings": 256}, Context(256, False)),
        ({"model_type": "gemma3", "text_config": {"max_position_embeddings": 99}}, Context(99, False)),
        (
            {
                "max_position_embeddings": 256,
                "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 256},
            },
            Context(1024, False),
        ),
        ({"rope_scaling": {"factor": "x"}, "max_position_embeddings": "many"}, Context()),
        ([], Context()),
    ],
)
def test_the_context_is_read_from_the_config(config, context, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert context_of(ModelRef("m", "m@1", str(tmp_path))) == context


def test_a_broken_config_says_nothing_of_the_context(tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert context_of(ModelRef("m", "m@1", str(tmp_path))) == context_of(ModelRef("m", "m@1", "")) == Context()
    assert prompt_room(training("prompt", max_completion_length=30), Context(100)) == 70
