import json

import polars as pl
import pytest

from schemas.errors import UserError
from tests.train.tables import preference_rows, prompt, rl_rows, sft_rows, turns
from train.rows.data import check_rows


def with_value(rows: pl.DataFrame, column: str, value: object, row: int = 1) -> pl.DataFrame:
    text = value if isinstance(value, str) or value is None else json.dumps(value)
    return rows.with_columns(pl.when(pl.col("row_id") == f"r_{row}").then(pl.lit(text)).otherwise(column).alias(column))


def test_good_rows_of_every_type_are_kept():
    for rows, kind in ((sft_rows(4), "sft"), (preference_rows(4), "preference"), (rl_rows(4), "prompt")):
        assert check_rows(rows, kind).is_empty()


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("chosen", turns("assistant", "  \n"), "chosen is empty"),
        ("rejected", turns("assistant", ""), "rejected is empty"),
        ("chosen", prompt(1)[:-1] + ", " + turns("assistant", "x")[1:], "chosen repeats the prompt's turns"),
    ],
)
def test_rows_that_teach_nothing_are_dropped_with_a_reason(column, value, reason):
    assert check_rows(with_value(preference_rows(3), column, value), "preference").rows() == [("r_1", reason)]


def test_a_pair_of_equal_answers_is_dropped():
    rows = preference_rows(3).with_columns(rejected="chosen")
    assert check_rows(rows, "preference")["fate"].to_list() == ["chosen and rejected are the same"] * 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "expected a list of messages"),
        ("hello", "not JSON"),
        ("[]", "expected a list of messages"),
        ([{"role": "human", "content": "hi"}], "no role 'human'; did you mean 'user'"),
        ([{"role": "user"}], "without content"),
        ([{"role": "user", "content": 5}], "expected text, found int"),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
            "ends in a turn of role 'assistant'",
        ),
    ],
)
def test_a_row_that_is_no_conversation_is_named_with_its_column(value, message):
    with pytest.raises(UserError, match="row r_1, column prompt") as error:
        check_rows(with_value(sft_rows(3), "prompt", value), "sft")
    assert message in str(error.value)


def test_an_answer_must_end_in_the_assistants_turn():
    with pytest.raises(UserError, match="row r_1, column completion: ends in a turn of role 'user'"):
        check_rows(with_value(sft_rows(3), "completion", turns("user", "x")), "sft")


def test_a_tool_call_needs_no_content():
    call = [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {}}}]}]
    assert check_rows(with_value(sft_rows(3), "completion", call), "sft").is_empty()


@pytest.mark.slow
def test_messages_keep_exactly_their_keys():
    pytest.importorskip("datasets")
    from train.rows.data import to_dataset

    call = [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}]
    found = to_dataset(with_value(sft_rows(3), "completion", call), "sft", first_index=5)
    assert found[1]["completion"] == call
    assert found[0]["completion"] == json.loads(sft_rows(3)["completion"][0])  # no tool_calls: None
    assert found["row_index"] == [5, 6, 7]
    assert "tools" not in found.column_names
