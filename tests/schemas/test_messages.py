"""Messages of a row: what is read, what is refused with its reason, and how values are written as JSON."""

from datetime import date
from decimal import Decimal

import pytest

from schemas.errors import BadRow, short_repr
from schemas.json_text import dump
from schemas.messages import Message, last_text, read_messages

ASK: Message = {"role": "user", "content": "2+2?"}


def nested(depth):
    """A list in a list, so many times."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


def test_dates_and_decimals_are_written_as_text():
    assert dump({"on": date(2024, 2, 29), "price": Decimal("1.50")}, "metadata") == '{"on":"2024-02-29","price":"1.50"}'


def test_a_value_nested_too_deeply_is_refused_and_can_be_shown():
    with pytest.raises(BadRow, match="'metadata' is nested too deeply"):
        dump(nested(100_000), "metadata")
    assert short_repr(nested(100_000)) == "(something nested too deeply to show)"


def test_text_parts_are_joined():
    parts = [{"type": "text", "text": "2+"}, {"type": "text", "text": "2?"}]
    assert read_messages([{"role": "user", "content": parts}], "messages") == [ASK]


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (["add"], "a tool call is text; expected a mapping with name and arguments"),
        ([{"name": "add", "arguments": [1, 2]}], "a tool call's arguments are a list; expected a mapping"),
        ([{"function": "add"}], "a tool call without a name"),
    ],
)
def test_a_wrong_tool_call_is_refused(calls, words):
    turn = {"role": "assistant", "content": "", "tool_calls": calls}
    with pytest.raises(BadRow) as caught:
        read_messages([ASK, turn], "messages")
    assert words in str(caught.value) and "messages[1]" in str(caught.value)


def test_the_last_text_is_of_the_role_or_none():
    turns: list[Message] = [ASK, {"role": "assistant", "content": "4"}, {"role": "user", "content": "Sure?"}]
    assert (last_text(turns, "user"), last_text(turns, "assistant"), last_text(turns, "tool")) == ("Sure?", "4", None)
