"""Tool calls that are right, and every way in which they can be wrong."""

import json

import polars as pl
import pytest

from curate.score.tool_call import score

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "additionalProperties": False,
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
        },
    },
}
TOOLS = [WEATHER, {"name": "now"}]
PARIS = {"name": "weather", "arguments": {"city": "Paris", "days": 2}}
ROME = {"name": "weather", "arguments": {"city": "Rome"}}


def turns(*calls, text="", as_text=False):
    """A candidate's own turns, with calls in OpenAI's form."""
    made = [
        {"type": "function", "function": call | ({"arguments": json.dumps(call["arguments"])} if as_text else {})}
        for call in calls
    ]
    return json.dumps([{"role": "assistant", "content": text, "tool_calls": made}])


def tags(*calls):
    """Calls as Hermes writes them."""
    return "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls)


def one(completion, truth=None, *, tools=TOOLS, response="", partial=False):
    """The value, detail and error of one row."""
    columns = (
        response,
        completion,
        tools if isinstance(tools, str | None) else json.dumps(tools),
        truth if isinstance(truth, str | None) else json.dumps(truth),
    )
    value, detail, error = score(*(pl.Series([v], dtype=pl.String) for v in columns), partial=partial).row(0)
    return value, detail and json.loads(detail), error


@pytest.mark.parametrize("as_text", [True, False])
def test_a_call_that_fits(as_text):
    assert one(turns(PARIS, as_text=as_text)) == (1.0, {"calls": 1, "read": 1, "exist": 1, "fit": 1}, None)
    assert one(turns({"name": "now", "arguments": {}}, as_text=as_text))[0] == 1.0


def test_calls_written_in_the_text():
    text = f"<think>maybe <tool_call> or not</think>I look it up. {tags(PARIS, ROME)}"
    for row in (one(turns(text=text)), one(None, response=text)):
        assert row == (1.0, {"calls": 2, "read": 1, "exist": 1, "fit": 1}, None)
    assert one(turns(PARIS, text=tags(ROME)), [ROME, PARIS])[0] == 1.0


@pytest.mark.parametrize(
    "trace", ["<think>{}</think>", "<thinking>{}", "So.\n<think>\n{}", "<Think>{}", "<reasoning>\n{}</reasoning>"]
)
def test_calls_in_a_trace_are_none(trace):
    text = trace.format(tags(PARIS))
    assert one(turns(text=text), PARIS)[0] == 0.0
    assert one(turns(text=text), [])[0] == 1.0
    if "</" in trace:
        assert one(turns(text=text + tags(ROME)), [ROME])[0] == 1.0


def test_calls_in_all_turns_of_the_candidate_count_and_no_others():
    own = [
        {"role": "assistant", "tool_calls": [{"function": PARIS}]},
        {"role": "tool", "content": tags(ROME)},
        {"role": "assistant", "content": tags(ROME)},
    ]
    value, detail, _ = one(json.dumps(own), [PARIS, ROME])
    assert value == 1.0 and detail["calls"] == 2


@pytest.mark.parametrize(
    ("completion", "word"),
    [
        (turns(text="It is sunny."), "no call"),
        (turns({"name": "wether", "arguments": {}}), "no function 'wether'"),
        (turns({"name": "weather", "arguments": {}}), 'weather: "city" is a required property'),
        (turns({"name": "weather", "arguments": {"city": 7}}), 'weather: /city: 7 is not of type "string"'),
        (turns({"name": "weather", "arguments": {"city": "Rome", "days": 9}}), "weather: /days: 9 is greater"),
        (turns({"name": "weather", "arguments": "{'city': 'Rome'}"}), "can't be read: arguments of 'weather'"),
        (turns({"name": "weather", "arguments": "[]"}), "are no object"),
        (turns({"name": "weather", "arguments": '{"city": "A", "city": "B"}'}), "'city' is there twice"),
        (turns({"arguments": {}}), "no name in"),
        (turns(text="<tool_call>{'name': 'now'}</tool_call>"), "not JSON"),
        (turns(text='<tool_call>{"name": "now"}'), "no </tool_call>"),
        (turns(text="<tool_call>" + "[" * 100_000 + "</tool_call>"), "200 levels"),
        (turns(PARIS, text="<tool_call>{}</tool_call>"), "no name in {}"),
    ],
)
def test_mistakes_in_a_call_are_reported(completion, word):
    value, detail, error = one(completion)
    assert (value, error) == (0.0, None) and any(word in line for line in detail["wrong"])


@pytest.mark.parametrize(
    "truth",
    [
        PARIS,
        [PARIS],
        [{"type": "function", "function": PARIS}],
        {"tool_calls": [{"function": {"name": "weather", "arguments": json.dumps(PARIS["arguments"])}}]},
        {"name": "weather", "arguments": {"days": 2.0, "city": "Paris"}},
        tags(PARIS),
    ],
)
def test_the_expected_call_in_every_shape(truth):
    assert one(turns(PARIS), truth) == (1.0, {"calls": 1, "read": 1, "exist": 1, "fit": 1, "match": 1}, None)
    value, detail, _ = one(turns(ROME), truth)
    assert value == 0.0 and detail["match"] == 0
    assert [line.split("weather")[0] for line in detail["wrong"]] == ["expected ", "not expected: "]


def test_parallel_calls_are_compared_in_any_order_and_each_once():
    assert one(turns(ROME, PARIS), [PARIS, ROME])[0] == 1.0
    assert one(turns(PARIS, PARIS), [PARIS, PARIS])[0] == 1.0
    for calls in ((PARIS,), (PARIS, PARIS), (PARIS, ROME, ROME)):
        assert one(turns(*calls), [PARIS, ROME])[0] == 0.0


def test_true_is_not_one():
    tools = [{"name": "f", "parameters": {}}]
    yes, number = ({"name": "f", "arguments": {"x": [x]}} for x in (True, 1))
    assert one(turns(yes), [number], tools=tools)[0] == 0.0
    assert one(turns(yes), [yes], tools=tools)[0] == 1.0


def test_no_call_expected():
    assert one(turns(text="Hello."), []) == (1.0, {"calls": 0, "match": 1}, None)
    for partial in (True, False):
        assert one(turns(PARIS), [], partial=partial)[0] == 0.0
        assert one(turns(text="<tool_call>{"), [], partial=partial)[0] == 0.0


@pytest.mark.parametrize("truth", ["It is sunny.", "42", '"x"', None, "<tool_call> is"])
def test_a_ground_truth_that_is_no_call_leaves_the_other_checks(truth):
    assert one(turns(PARIS), truth)[:2] == (1.0, {"calls": 1, "read": 1, "exist": 1, "fit": 1})
    assert one(turns(text="Sunny."), truth)[0] == 0.0


def test_partial_is_the_mean_of_shares():
    wrong = {"name": "wether", "arguments": {}}
    assert one(turns(PARIS, wrong), partial=True)[0] == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert one(turns(PARIS), [PARIS, ROME], partial=True)[0] == pytest.approx((1 + 1 + 1 + 1 / 2) / 4)
    assert one(turns(PARIS), [PARIS], partial=True)[0] == 1.0
    assert one(turns(text="no"), [PARIS], partial=True)[0] == 0.0


@pytest.mark.parametrize(
    ("tools", "word"),
    [
        (None, "no tools"),
        ("[]", "no tools"),
        ("weather", "tools: not JSON"),
        ("[7]", "tools: expected functions"),
        ([{"name": "f", "parameters": {"type": "nonsense"}}], "the parameters of 'f' are no JSON Schema"),
        ([{"name": "f", "parameters": {"$ref": "http://127.0.0.1:9/"}}], "cannot fetch"),
    ],
)
def test_a_row_without_tools_has_no_value(tools, word):
    value, detail, error = one(turns(PARIS), tools=tools)
    assert (value, detail) == (None, None) and word in error


def test_a_row_without_turns_has_no_value():
    assert one(None, response=None) == (None, None, "no response")
    assert one("7")[2] == "completion: expected a list of turns, found '7'"
    assert one("Hello")[2].startswith("completion: not JSON")
