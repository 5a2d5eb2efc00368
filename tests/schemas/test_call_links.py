"""Ids of calls and results: kept where there are any, else ours, which are unique and the same for the same call."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.call_ids import call_id
from schemas.call_links import INEXACT, UNASKED, CallLinks
from schemas.messages import Message, read_messages
from schemas.tool_calls import read_tool_calls

ASK: Message = {"role": "user", "content": "?"}


def call(name="sky", **arguments):
    return {"name": name, "arguments": arguments}


def calling(*calls):
    return {"role": "assistant", "content": "", "tool_calls": [*calls]}


def result(text="sunny", **more):
    return {"role": "tool", "content": text, **more}


def linked(*turns):
    """The messages with ids, and what is told of them."""
    counts: Counter[str] = Counter()
    made = CallLinks(counts).link(read_messages([ASK, *turns], "m"))
    return made[1:], {what: count for what, count in counts.items() if count}


def ids(messages):
    """Of each turn: the ids of its calls, or the id of the call that it answers."""
    return [
        [one["id"] for one in turn["tool_calls"]] if "tool_calls" in turn else turn.get("tool_call_id")
        for turn in messages
    ]


OWN = call_id(0, 0, call())
OTHER = call_id(0, 1, call("now"))


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ([calling(call())], [[OWN]]),
        ([calling(call()), result()], [[OWN], OWN]),
        # by order, or by name
        ([calling(call(), call("now")), result(), result()], [[OWN, OTHER], OWN, OTHER]),
        ([calling(call(), call("now")), result(name="now"), result(name="sky")], [[OWN, OTHER], OTHER, OWN]),
        ([calling(call(), call("now")), result(name="now"), result()], [[OWN, OTHER], OTHER, OWN]),
        ([calling(call(), call("now")), result('{"name": "now", "content": 5}'), result()], [[OWN, OTHER], OTHER, OWN]),
        ([calling(call(), call("now")), result('{"name": "now"}'), result()], [[OWN, OTHER], OWN, OTHER]),
        ([calling(call(), call("now")), result(name="rain"), result()], [[OWN, OTHER], OWN, OTHER]),
        # ids of the file are kept; numbers become text
        ([calling({"id": "a", **call()}), result(tool_call_id="a")], [["a"], "a"]),
        ([calling({"id": 7, **call()}), result(tool_call_id=7)], [["7"], "7"]),
        ([calling({"id": 7.0, **call()}), result(tool_call_id="7")], [["7"], "7"]),
        ([calling({"id": "a", **call()}), result()], [["a"], "a"]),
        ([calling({"id": "", **call()}), result(tool_call_id=None)], [[OWN], OWN]),
        ([calling({"id": "null", **call()}), result(tool_call_id="")], [[OWN], OWN]),
        ([calling({"id": True, **call()}), result()], [[OWN], OWN]),
        ([calling({"id": "a", **call()}, call("now")), result(), result(tool_call_id="a")], [["a", OTHER], OTHER, "a"]),
        ([calling({"id": "a", **call()}, call("now")), result(tool_call_id="a"), result()], [["a", OTHER], "a", OTHER]),
        # a call without an id takes that of its result, by order or by name
        ([calling(call()), result(tool_call_id="a")], [["a"], "a"]),
        ([calling(call(), call("now")), result(tool_call_id="a"), result(tool_call_id="b")], [["a", "b"], "a", "b"]),
        (
            [calling(call(), call("now")), result(tool_call_id="b", name="now"), result(call_id=7)],
            [["7", "b"], "b", "7"],
        ),
        ([calling(call(), call("now")), result(), result(tool_call_id="b")], [[OWN, "b"], OWN, "b"]),
        (
            [calling({"id": "a", **call()}, call("now")), result(tool_call_id="b"), result(tool_call_id="a")],
            [["a", "b"], "b", "a"],
        ),
        (
            [calling(call()), calling(call("now")), result(tool_call_id="a"), result(tool_call_id="b")],
            [["a"], ["b"], "a", "b"],
        ),
        (
            [calling(call()), result(tool_call_id="a"), calling(call()), result(tool_call_id="b")],
            [["a"], "a", ["b"], "b"],
        ),
        # a result without an id answers no call that another result names
        (
            [calling({"id": "a", **call()}, {"id": "b", **call()}), result(), result(tool_call_id="a")],
            [["a", "b"], "b", "a"],
        ),
        # other names of ids
        ([calling({"id": "fc_1", "call_id": "a", **call()}), result(call_id="a")], [["a"], "a"]),
        ([calling({"toolCallId": "a", **call()}), result(toolCallId="a")], [["a"], "a"]),
        ([calling({"id": "a", **call()}), result(tool_use_id="a")], [["a"], "a"]),
        ([calling({"id": "a", **call()}), result(id="a")], [["a"], "a"]),
        # the next turn with calls
        (
            [calling(call()), result(), calling(call()), result()],
            [[OWN], OWN, [call_id(1, 0, call())], call_id(1, 0, call())],
        ),
        (
            [calling(call()), calling(call("now")), result(), result()],
            [[OWN], [call_id(1, 0, call("now"))], OWN, call_id(1, 0, call("now"))],
        ),
        ([calling(call(), call("now")), result(), calling(call()), result()],
         [[OWN, OTHER], OWN, [call_id(1, 0, call())], call_id(1, 0, call())]),
    ],
)  # fmt: skip
def test_calls_have_ids_and_results_have_those_of_their_calls(turns, found):
    messages, told = linked(*turns)
    assert ids(messages) == found and told == {}


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ([result()], [None]),
        ([calling(call()), result(), result()], [[OWN], OWN, None]),
        ([calling({"id": "a", **call()}), result(tool_call_id="b")], [["a"], "b"]),
        ([calling(call()), result(), result(tool_call_id="b")], [[OWN], OWN, "b"]),
        ([{"role": "assistant", "content": "x"}, result(name="sky")], [None, None]),
    ],
)
def test_a_result_without_a_call_is_told(turns, found):
    messages, told = linked(*turns)
    assert ids(messages) == found and told == {UNASKED: 1}


def test_arguments_that_are_not_kept_digit_for_digit_are_told():
    text = {"name": "sky", "arguments": '{"a": 1.10}'}
    _, told = linked(calling(text, call(a=1.1), {"name": "sky", "arguments": '{"a": 1.1}'}), calling(text))
    assert told == {INEXACT: 2}


def test_a_turn_keeps_its_other_keys():
    messages = read_messages([ASK, {**calling(call()), "weight": 0}, result(name="sky", at=1)], "m")
    before = repr(messages)
    made = CallLinks(Counter()).link(messages)
    assert repr(messages) == before and made[0] == ASK
    assert made[1:] == [
        {**messages[1], "tool_calls": [{"id": OWN, **messages[1]["tool_calls"][0]}]},
        {"role": "tool", "content": "sunny", "tool_call_id": OWN, "name": "sky", "at": 1},
    ]


NAMES = st.sampled_from(["sky", "now"])
CALLS = st.builds(
    lambda name, given, own: {"name": name, "arguments": given} | ({"id": own} if own else {}),
    NAMES,
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=1),
    st.sampled_from(["", "", "x1", "x2"]),
)
TURNS = st.lists(
    st.lists(CALLS, min_size=1, max_size=3).map(lambda some: calling(*some))
    | st.builds(lambda name: result(**({"name": name} if name else {})), NAMES | st.none()),
    max_size=8,
)


@given(TURNS)
def test_ids_are_unique_and_stable(turns):
    messages, _ = linked(*turns)
    given = [one.get("id") for turn in turns for one in turn.get("tool_calls", [])]
    made = [one["id"] for turn in messages for one in turn.get("tool_calls", [])]
    ours = [new for old, new in zip(given, made, strict=True) if old is None]
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", one) for one in ours)
    assert len({*ours}) == len(ours) and not {*ours} & {*given}
    assert all(new == old for old, new in zip(given, made, strict=True) if old)
    assert linked(*turns)[0] == messages
    assert CallLinks(Counter()).link([ASK, *messages])[1:] == messages  # what is stored is read back as it is
    for turn in messages:
        assert turn["role"] != "tool" or turn.get("tool_call_id") in [None, *made]


@given(TURNS, TURNS)
def test_a_prompt_has_the_same_ids_whatever_the_answers(turns, answer):
    counts: Counter[str] = Counter()
    messages = read_messages([ASK, *turns], "m")
    links = CallLinks(counts)
    prompt = links.link(messages)
    answers = [links.after().link(read_messages(answer, "m")) if answer else [] for _ in range(2)]
    assert answers[0] == answers[1]
    assert CallLinks(counts).link([*messages, *(read_messages(answer, "m") if answer else [])]) == [
        *prompt,
        *answers[0],
    ]


def test_an_id_that_is_taken_is_not_given_again():
    taken = {"id": OWN, **call("now")}
    made = ids(linked(calling(call(), taken))[0])[0]
    assert made == [call_id(0, 0, call(), 1), OWN]


def test_other_names_of_ids_leave_nothing_behind():
    given = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "sky", "arguments": "{}"}
    assert read_tool_calls([given], "m") == [
        {"id": "a", "type": "function", "function": {"name": "sky", "arguments": {}}}
    ]


def test_a_text_that_names_no_tool_leaves_it_to_the_place():
    for text in ('{"name": half', '{"name": "sky", "of": "x"}'):
        turns = linked(calling(call("sea"), call("sky")), result(text), result("wet"))[0]
        first, second = (turn["tool_call_id"] for turn in turns if turn["role"] == "tool")
        assert [first, second] == [one["id"] for one in turns[0]["tool_calls"]]
