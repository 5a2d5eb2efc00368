"""The text that a judge is shown: calls, results, tools and reasoning, each between tags that no text can close."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate.score.judge as judge
import curate.score.judge_pairwise as judge_pairwise
from curate.score._answer_turns import EMPTY
from curate.score._shown_turns import LONGEST_TOOLS, shown_conversation, shown_response, shown_tools
from curate.steps.quoting import conversation
from tests.score.drive_scorer import scored

ASKED: list[Any] = [{"role": "user", "content": "Weather in Rome?"}]


def call(name, *, given_id=None, **arguments):
    made = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return made if given_id is None else {"id": given_id, **made}


def says(text, *calls, **more):
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {}), **more}


def shown(*turns, response=None, trace=None):
    text = turns[-1]["content"] if response is None else response
    return shown_response(text, json.dumps(turns, ensure_ascii=False), trace)


def asked(scorer, rows, reply="Score: 7", **settings):
    """The table of a scorer, and the texts that the judge is sent, for rows of columns by name."""
    names = ("prompt_id", "response", "messages", "ground_truth", "completion", "tools", "reasoning_content")
    rows = [{"prompt_id": "p", "messages": json.dumps(ASKED)} | row for row in rows]
    reads = names if scorer is judge_pairwise else names[1:]
    columns = [pl.Series(name, [row.get(name) for row in rows], dtype=pl.String) for name in reads]
    found, (calls,) = scored(scorer.score(*columns, model="m", **settings), lambda *_: {"text": reply})
    return found, [None if one is None else json.loads(one)[-1]["content"] for one in calls.requests]


def test_an_answer_that_is_a_call_is_shown_with_the_tools():
    tools = json.dumps([{"type": "function", "function": {"name": "get_weather", "description": "für Städte"}}])
    row = {"response": "", "completion": json.dumps([says("", call("get_weather", city="Rome"))]), "tools": tools}
    found, (text,) = asked(judge, [row])
    assert found["value"].to_list() == [7.0]
    assert '<response>\n<call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</call>\n</response>' in text
    assert '<tools>\n{"name": "get_weather", "description": "für Städte"}\n</tools>' in text
    assert (
        text.index("<tools>") < text.index("<conversation>") < text.index("<response>") < text.index("between <call>")
    )


@pytest.mark.parametrize("response", ["", " \n"])
@pytest.mark.parametrize("completion", [None, json.dumps([says("")]), json.dumps([says("", tool_calls=[])])])
def test_an_empty_answer_without_a_call_is_not_asked_about(response, completion):
    row = {"response": response, "completion": completion}
    found, texts = asked(judge, [row])
    assert found.select("value", "error").rows() == [(None, EMPTY)] and texts == [None]
    found, texts = asked(judge_pairwise, [row, {"response": "a"}, {"response": "b"}], "[[A]]")
    assert found["error"].to_list() == [EMPTY, None, None] and len(texts) == 2


def test_a_plain_conversation_is_shown_as_before():
    turns: list[Any] = [{"role": "system", "content": "S"}, *ASKED, {"role": "assistant", "content": "A </user>"}]
    assert shown_conversation(turns, reasoning=True) == conversation(turns)
    assert shown({"role": "assistant", "content": "A\n </b>"}).text == "A\n </b>"
    assert shown_response("A", None, None).text == "A" and shown_tools(None) is shown_tools("[]") is None


def test_calls_results_and_reasoning_of_earlier_turns():
    turns: list[Any] = [
        *ASKED,
        says("Both.", call("f", given_id="a", x=1), call("g", given_id="b"), reasoning_content="Two cities."),
        {"role": "tool", "content": "3", "tool_call_id": "b"},
        {"role": "tool", "content": "20 < 30", "tool_call_id": "a"},
    ]
    text = shown_conversation(turns, reasoning=True)
    assert "<assistant>\n<reasoning>\nTwo cities.\n</reasoning>\nBoth.\n<call>\n" in text
    assert '{"name": "f", "arguments": {"x": 1}}\n</call>\n<call>\n{"name": "g", "arguments": {}}\n</call>' in text
    assert "<tool>\nResult of call 2 (g):\n3\n</tool>\n<tool>\nResult of call 1 (f):\n20 < 30\n</tool>" in text
    assert "Two cities" not in shown_conversation(turns, reasoning=False)
    alone: list[Any] = [*ASKED, says("", call("f")), {"role": "tool", "content": "3"}]
    assert "<tool>\n3\n</tool>" in shown_conversation(alone, reasoning=False), "of one call it is clear"


def test_an_answer_of_several_turns_is_shown_whole():
    turns = [
        says("<think>hm</think>Wait.", call("f")),
        {"role": "tool", "content": "3"},
        says("<think>so</think>It is 3."),
    ]
    text = shown(*turns, response="It is 3.").text
    assert text.startswith("<assistant>\nWait.\n<call>\n") and "<tool>\n3\n</tool>" in text
    assert text.endswith("<assistant>\nIt is 3.\n</assistant>") and "hm" not in text and "so" not in text
    text = shown(*turns, response="It is 3.", trace="so").text
    assert "<reasoning>\nhm\n</reasoning>\nWait." in text and "<reasoning>\nso\n</reasoning>\nIt is 3." in text


def test_reasoning_is_shown_where_it_is_asked_for():
    row = {"response": "4", "reasoning_content": "2 and 2", "completion": json.dumps([says("4")])}
    _, (text,) = asked(judge, [row])
    assert "2 and 2" not in text
    _, (text,) = asked(judge, [row], reasoning=True)
    assert "<response>\n<reasoning>\n2 and 2\n</reasoning>\n4\n</response>" in text and "the user is not shown" in text
    _, texts = asked(judge_pairwise, [row, {"response": "5"}], "[[A]]", reasoning=True)
    assert all("<reasoning>\n2 and 2\n</reasoning>\n4\n" in text for text in texts)


def test_calls_are_compared_and_equal_ones_are_a_tie():
    calls = [json.dumps([says("", call("f", given_id=name, x=x))]) for name, x in (("a", 1), ("b", 1), ("c", 2))]
    found, texts = asked(judge_pairwise, [{"response": "", "completion": one} for one in calls], "[[A]]")
    assert len(texts) == 2 and found["error"].null_count() == 3
    assert json.loads(found["detail"][0])["ties"] == 2, "one with its equal, one that flipped"


@pytest.mark.parametrize(
    "completion", ["{", "[1]", '[{"role": "x", "tool_calls": 0}]', '[{"role": "tool", "tool_calls": 3}, 1]', "[[[["]
)
def test_turns_that_cannot_be_read_are_an_error(completion):
    found, texts = asked(judge, [{"response": "a", "completion": completion}])
    assert found["error"][0].startswith("the completion cannot be read") and texts == [None]


TAGS = [
    "</response>",
    "<call>",
    "</call>",
    "</tool>",
    "<reasoning>",
    "</tools>",
    "</assistant>",
    "< / user >",
    "a",
    "\n",
]


@given(st.lists(st.sampled_from(TAGS)).map("".join))
def test_no_text_ends_the_place_where_it_stands(evil):
    turns = [says(evil, call(evil, **{"k": evil})), {"role": "tool", "content": evil}, says(f"x{evil}")]
    text = shown(*turns).text
    assert [text.count(tag) for tag in ("<call>", "</call>", "</response>", "</tool>", "</assistant>")] == [
        1,
        1,
        0,
        1,
        2,
    ]
    tools = shown_tools(json.dumps([{"type": "function", "function": {"name": evil, "description": evil}}]))
    assert tools is not None and tools.count("</tools>") == 1 and tools.count("<call>") == 0


def test_of_a_very_long_list_the_called_tools_are_shown_in_full():
    tools = [{"type": "function", "function": {"name": f"tool_{i}", "description": "d" * 100}} for i in range(1000)]
    answer = shown(says("", call("tool_998"))).text
    text = shown_tools(json.dumps(tools), answer)
    assert text is not None and '{"name": "tool_998", "description"' in text and "tool_999" in text
    assert '{"name": "tool_999"' not in text and "further tools, by name only: tool_" in text
    assert len(text) < 2 * LONGEST_TOOLS
