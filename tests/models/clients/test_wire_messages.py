"""Stored messages and tools as a server gets them: what OpenAI's schema says, and nothing else."""

import json

import pytest

from curate.models.clients.http.wire_messages import MessageForm, sent_messages, sent_tools

USER = {"role": "user", "content": "Weather in Rome?"}
NEXT = {"role": "user", "content": "And 9?"}


def sent(*turns, **how):
    return json.loads(sent_messages(json.dumps(turns), MessageForm(**how)))


def call(name="w", arguments=None, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments or {}}} | more


def calling(*calls, content="", **more):
    return {"role": "assistant", "content": content, "tool_calls": [*calls]} | more


def result(content="sunny", **more):
    return {"role": "tool", "content": content} | more


def is_made(text):
    return len(text) == 9 and text.isascii() and text.isalnum()


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_plain_messages_are_sent_byte_for_byte(separators):
    turns = [
        {"role": "system", "content": 'Say "weight": 0, {"tool_calls"'},
        USER,
        {"role": "assistant", "content": ""},
        {"content": "é\n\U0001f600", "role": "developer"},
    ]
    for ascii_only in (True, False):
        text = json.dumps(turns, separators=separators, ensure_ascii=ascii_only)
        assert sent_messages(text) is text


def test_calls_are_sent_as_openai_writes_them():
    turn = calling(call(arguments={"città": ["Rome", 1.5, None]}, id="call_1", index=0))
    assert sent(USER, turn, result(tool_call_id="call_1", name="w")) == [
        USER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "w", "arguments": '{"città": ["Rome", 1.5, null]}'},
                }
            ],
        },
        {"role": "tool", "content": "sunny", "name": "w", "tool_call_id": "call_1"},
    ]
    assert sent(calling(call(id="a"), content="Let me see."))[0]["content"] == "Let me see."


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('{"a": ', '{"a": '),
        ("", "{}"),
        (" ", "{}"),
        (None, "{}"),
        ({}, "{}"),
        ([1], "[1]"),
        (3, "3"),
    ],
)
def test_arguments_of_any_kind(arguments, text):
    bare = {"id": "a", "function": {"name": "w", "arguments": arguments}}
    assert sent(calling(bare))[0]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "w", "arguments": text}}
    ]


def test_keys_that_openai_does_not_have_are_not_sent():
    ours = {"weight": 0, "train": False, "reasoning_content": "no divisors", "thinking": "x", "loss": 1, "id": 3}
    turns = sent(
        {"role": "user", "content": "Is 7 prime?", "file": "x"}, {"role": "assistant", "content": "Yes."} | ours
    )
    assert turns == [{"role": "user", "content": "Is 7 prime?"}, {"role": "assistant", "content": "Yes."}]
    assert sent(calling(call(id="a", weight=1, thought_signature="x")))[0]["tool_calls"][0].keys() == {
        "id",
        "type",
        "function",
    }


def test_reasoning_is_sent_where_it_is_asked_for():
    turn = {"role": "assistant", "content": "Yes.", "reasoning_content": "no divisors", "weight": 0}
    (made,) = sent(turn, reasoning=True)
    assert made == {"role": "assistant", "content": "Yes.", "reasoning_content": "no divisors"}
    assert "reasoning_content" not in sent(USER | {"reasoning_content": "x"}, reasoning=True)[0]


def test_results_get_the_ids_of_their_calls():
    turns = sent(
        USER,
        calling(call("a", {"n": 1}), call("b"), call("c")),
        result("1", name="b"),  # by its name
        result("2"),  # by the order of the calls that are left
        result("3"),
        NEXT,
        calling(call("a", {"n": 1})),
        result("4"),
    )
    first, second = ([one["id"] for one in turn["tool_calls"]] for turn in turns if "tool_calls" in turn)
    answered = [turn["tool_call_id"] for turn in turns if turn["role"] == "tool"]
    assert answered == [first[1], first[0], first[2], second[0]]
    assert all(map(is_made, answered)) and len(set(answered)) == 4


def test_ids_are_kept_and_others_made_the_same_each_time():
    turns = [USER, calling(call("a"), call("b", id="own")), result("1", tool_call_id="own"), result("2")]
    made = sent(*turns)
    assert made == sent(*turns)
    assert made[1]["tool_calls"][1]["id"] == made[2]["tool_call_id"] == "own"
    assert made[1]["tool_calls"][0]["id"] == made[3]["tool_call_id"] and is_made(made[3]["tool_call_id"])
    turns = [calling(call("a", id="own"), call("b")), result("2"), result("1", tool_call_id="own")]
    asking, second, first = sent(*turns)
    assert [one["id"] for one in asking["tool_calls"]] == [first["tool_call_id"], second["tool_call_id"]]


def test_an_id_that_two_turns_share_is_told_apart():
    again = [calling(call("a", id="call_0")), result("1", tool_call_id="call_0")]
    made = sent(USER, *again, NEXT, *again)
    ids = [turn["tool_calls"][0]["id"] for turn in made if "tool_calls" in turn]
    assert ids[0] == "call_0" and is_made(ids[1])
    assert [turn["tool_call_id"] for turn in made if turn["role"] == "tool"] == ids


def test_ids_may_be_numbers_and_may_all_be_short():
    turns = [calling(call("a", id=7), call("b", id="call_with_a_long_id")), result("1", tool_call_id=7), result("2")]
    made = sent(*turns)
    assert [one["id"] for one in made[0]["tool_calls"]] == ["7", "call_with_a_long_id"]
    assert [turn["tool_call_id"] for turn in made[1:]] == ["7", "call_with_a_long_id"]
    short = sent(*turns, short_ids=True)
    ids = [one["id"] for one in short[0]["tool_calls"]]
    assert all(map(is_made, ids)) and [turn["tool_call_id"] for turn in short[1:]] == ids


def test_servers_that_want_no_null_and_no_names_of_results():
    turns = [USER | {"name": "ann"}, calling(call("w", id="a")), result(name="w")]
    user, asking, answer = sent(*turns, null_content=False, result_names=False)
    assert user["name"] == "ann" and asking["content"] == "" and "name" not in answer


def test_a_result_without_a_call_keeps_its_id():
    assert sent(USER, result(tool_call_id="x"))[1]["tool_call_id"] == "x"
    assert is_made(sent(USER, result())[1]["tool_call_id"])


@pytest.mark.parametrize(
    ("turn", "content"),
    [
        ({"role": "assistant", "content": None}, ""),
        ({"role": "assistant", "content": None, "refusal": "No."}, "No."),
        ({"role": "user", "content": [{"type": "text", "text": "hi"}]}, [{"type": "text", "text": "hi"}]),
        ({"role": "tool", "content": {"t": 20}}, '{"t": 20}'),
        ({"role": "tool", "content": [1, 2]}, "[1, 2]"),
        ({"role": "tool", "content": None}, ""),
    ],
)
def test_contents_that_are_no_text(turn, content):
    assert sent(turn)[0]["content"] == content


@pytest.mark.parametrize(
    ("name", "made"), [("Dr. Who <x>", "Dr._Who_x_"), ("ann", "ann"), ("n" * 80, "n" * 64), (" ", None), (None, None)]
)
def test_names_are_such_as_openai_takes(name, made):
    assert sent(USER | {"name": name})[0].get("name") == made


@pytest.mark.parametrize("text", ["", "no JSON", "{}", '["x"]', "[" * 100_000])
def test_what_is_no_list_of_messages_is_sent_as_it_is(text):
    assert sent_messages(text) == text


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "w", "description": "d", "parameters": SCHEMA}}


@pytest.mark.parametrize(
    "given",
    [
        [TOOL],
        [TOOL | {"weight": 1}],
        [{"type": "function", "function": TOOL["function"] | {"returns": {}, "required": None, "strict": None}}],
        [TOOL["function"]],
        [{"type": "function", **TOOL["function"]}],
        [{"function": TOOL["function"]}],
        TOOL,
    ],
)
def test_tools_are_sent_in_openais_form(given):
    assert sent_tools(json.dumps(given)) == [TOOL]


def test_a_tool_of_another_kind_is_sent_as_it_is():
    assert sent_tools('[{"type": "web_search"}]') == [{"type": "web_search"}]
