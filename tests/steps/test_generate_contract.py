"""The contract of generate steps that ask a model: they take any reply, and rows do not depend on each other."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from curate.steps.find_step import find_step, step_names
from tests.generate.drive_step import drive
from tests.steps.contract_table import REPLIES, chats, check_shape, outcome, ready, reply_to, table

ASKING = [name for name in step_names("generate") if find_step("generate", name).makes in ("candidates", "prompts")]


@pytest.mark.parametrize("name", ASKING)
def test_a_step_whose_every_request_fails_gives_nothing(name):
    result = outcome("generate", name, chats(), reply=lambda *_: None)
    check_shape("generate", name, result, chats())
    assert result.is_empty() or result["value"].is_null().all()


@pytest.mark.parametrize("name", ASKING)
def test_a_step_that_asks_makes_something_of_some_replies(name):
    made = [outcome("generate", name, chats(), reply=lambda *_, text=text: text) for text in REPLIES]
    for result in made:
        check_shape("generate", name, result, chats())
    assert any(not result.is_empty() and result[:, 0].is_not_null().any() for result in made)


@pytest.mark.parametrize("name", step_names("generate"))
def test_the_place_of_a_row_changes_nothing_for_it(name):
    there, back = chats(), {column: values.reverse() for column, values in chats().items()}
    one, other = asked("generate", name, there), asked("generate", name, back)
    assert len(one) == len(other) and one
    assert all(a.to_list() == b.to_list()[::-1] for a, b in zip(one, other, strict=True))


def asked(kind, name, columns):
    """Every column of requests of a step, then its result for each row (new prompts, as one text)."""
    step, settings = ready(kind, name)
    result = step.call(columns, settings)
    if step.makes in ("ask", "write"):
        return [result]
    result, asks = (result, []) if step.makes == "write_prompts" else drive(result, reply_to)
    if step.makes in ("prompts", "write_prompts"):
        rows = [[] for _ in columns["response"]]
        for row, messages, note in result.select("row", "messages", "note").iter_rows():
            rows[row].append(messages + note)
        result = pl.Series(["\n".join(found) for found in rows])
    return [*(ask.messages for ask in asks), result]


@pytest.mark.parametrize("name", ASKING)
@hypothesis_settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_step_that_asks_takes_any_reply(name, data):
    columns = table()
    replies = {n: data.draw(st.none() | st.text() | st.sampled_from(REPLIES)) for n in range(4)}
    check_shape("generate", name, outcome("generate", name, columns, lambda row, *_: replies[row % 4]), columns)
