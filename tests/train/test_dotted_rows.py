"""Rows for a trainer of a dotted path: as the chat template can print them, in TRL's conversational columns."""

import json

import polars as pl
import pytest

from curate.models.chat.chat import chat_in
from curate.models.model_ref import ModelRef
from tests.optional import needs
from tests.said import Said
from tests.train.examples.templates import with_template
from tests.train.tables import preference_rows, rl_rows, sft_rows, turns, unpaired_rows
from train.job import TrainingJob
from train.rows.training_rows import TrainingRows

pytestmark = [needs("trl"), pytest.mark.slow]

NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    "{% for m in messages %}{% if 'never' in m.content %}{{ raise_exception('never') }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def made(tmp_path, tiny, rows: pl.DataFrame, kind: str, **more: bool):
    """Return the rows that are left, the dataset of those to train on, and the lines said."""
    from train.dotted.dotted_rows import dotted_rows
    from train.examples.loss_settings import loss_settings

    folder = with_template(tiny, tmp_path / "model", NO_SYSTEM)
    ref, said, none = ModelRef("student", "tiny@0", str(folder)), Said(), rows.clear()
    trainer = "trl.experimental.orpo"
    job = TrainingJob("t", trainer, ref, rows, none, {}, None, {}, 0, tmp_path, said)
    chat = chat_in(folder)
    assert chat is not None
    dropped = pl.DataFrame(schema={"row_id": pl.String, "fate": pl.String})
    left, (dataset, _) = dotted_rows(
        job, TrainingRows(rows, none, dropped), kind, chat, loss_settings(trainer, {}), 1000, **more
    )
    return left, dataset.to_list(), said.lines


def test_messages_are_fitted_to_the_template(tmp_path, tiny):
    system = json.dumps([{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}])
    rows = preference_rows(3).with_columns(
        prompt=pl.Series([system, turns("user", "never"), turns("user", "who?")]),
    )
    left, dataset, said = made(tmp_path, tiny, rows, "preference")
    assert left.train["row_id"].to_list() == ["r_0", "r_2"]
    assert left.dropped.rows() == [("r_1", "the model's chat template refuses it: never")]
    assert [sorted(one) for one in dataset] == [["chosen", "prompt", "rejected", "row_index"]] * 2
    (first,) = dataset[0]["prompt"]
    assert first["role"] == "user" and "be kind" in first["content"] and "hi" in first["content"]
    assert dataset[1]["chosen"] == json.loads(rows["chosen"][2]) and [one["row_index"] for one in dataset] == [0, 1]
    assert len(said) == 1 and "1 rows" in said[0]


def test_marks_that_the_trainer_does_not_know_are_counted(tmp_path, tiny):
    marked = [{"role": "assistant", "content": "a", "weight": 0}, {"role": "user", "content": "b"}]
    answers = [json.dumps([*marked, {"role": "assistant", "content": "c"}]), json.dumps(marked[:1])]
    rows = sft_rows(3).with_columns(completion=pl.Series([*answers, turns("assistant", "d")]))
    left, _, said = made(tmp_path, tiny, rows, "sft")
    assert left.train["row_id"].to_list() == ["r_0", "r_2"] and left.dropped["row_id"].to_list() == ["r_1"]
    assert said == [
        "train t: 1 row has turns that are marked as not to be learnt; trl.experimental.orpo does not know the mark"
    ]


@pytest.mark.parametrize(
    ("kind", "rows", "more", "columns"),
    [
        ("sft", sft_rows(2), {}, {"prompt", "completion"}),
        ("sft", sft_rows(2), {"in_one": True}, {"messages"}),
        ("unpaired", unpaired_rows(2), {}, {"prompt", "completion", "label"}),
        ("prompt", rl_rows(2), {}, {"prompt"}),
    ],
)
def test_columns_by_type_of_dataset(tmp_path, tiny, kind, rows, more, columns):
    from train.dotted.dotted_rows import kind_of_rows

    assert kind_of_rows(rows) == kind
    _, dataset, said = made(tmp_path, tiny, rows, kind, **more)
    assert {*dataset[0]} == columns | {"row_index"} and said == []
    if more:
        assert dataset[1]["messages"] == json.loads(rows["prompt"][1]) + json.loads(rows["completion"][1])


def test_pairs_that_print_the_same_tokens_are_left_out(tmp_path, tiny):
    rows = preference_rows(3)
    named = json.dumps([json.loads(rows["chosen"][1])[0] | {"name": "x"}])
    same = pl.when(pl.col("row_id") == "r_1").then(pl.lit(named)).otherwise("rejected")
    left, dataset, _ = made(tmp_path, tiny, rows.with_columns(rejected=same), "preference")
    assert left.train["row_id"].to_list() == ["r_0", "r_2"] and len(dataset) == 2
    assert left.dropped.rows() == [("r_1", "chosen and rejected are the same tokens, as the chat template prints them")]
