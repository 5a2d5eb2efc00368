"""References for judges: which are hidden as another scorer's, and expected calls shown as calls are."""

import json

import polars as pl
import pytest

import curate.score.judge_pairwise as judge_pairwise
from curate.score._shown_references import NOT_SHOWN, is_for_another_scorer, shown_reference
from curate.score._shown_turns import shown_response
from tests.generate.drive_step import user
from tests.score.drive_scorer import scored
from tests.score.test_judge import judged, shown

WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = json.dumps([{"type": "function", "function": WEATHER}])
CALL = {"name": "weather", "arguments": {"city": "Rome"}}
TURNS = json.dumps([{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]}])
HIDDEN = [
    '{"a": "b"}', "{}", '[{"name": "f"}]', "{'instruction_id': []}", "[{'kind': 'lowercase'}]", "assert f(1) == 2",
    '["assert f(1) == 2"]', '{"inputs": ["1"], "outputs": ["2"]}', '{"a": "' + "b" * 200_000 + '"}',
]  # fmt: skip
ANSWERS = [
    "{1, 2}", "{x | x > 0} is the set", "{\\frac{1}{2}}", "[1, 2]", '["Paris", "Paris, France"]', "[[1, 2], [3, 4]]",
    "I assert that it is 5.", "{ is an opening bracket", "[{1, 2}]", "5",
]  # fmt: skip


@pytest.mark.parametrize("truth", HIDDEN)
def test_a_mapping_and_tests_are_hidden_and_the_detail_says_so(truth):
    assert is_for_another_scorer(truth)
    found, (calls,) = judged(["Yes."], "Score: 9", [truth])
    assert "reference" not in shown(calls) and json.loads(found["detail"][0])["reference"] == NOT_SHOWN


@pytest.mark.parametrize("truth", ANSWERS)
def test_an_answer_with_braces_is_shown(truth):
    found, (calls,) = judged(["Yes."], "Score: 9", [truth])
    assert f"<reference>\n{truth}\n</reference>" in shown(calls) and "reference" not in json.loads(found["detail"][0])


@pytest.mark.parametrize(
    "truth",
    [
        json.dumps(CALL), json.dumps([CALL]), '{"weather": {"city": ["Rome"]}}', '[weather(city="Rome")]',
        '[{"function": {"name": "weather", "arguments": "{\\"city\\": \\"Rome\\"}"}}]',
    ],
)  # fmt: skip
def test_expected_calls_are_shown_as_those_of_a_response(truth):
    assert shown_reference(truth, TOOLS) == shown_response("", TURNS, None)


@pytest.mark.parametrize(
    ("truth", "problem"),
    [
        (None, "no ground_truth"), (" ", "no ground_truth"),
        ("[]", "ground_truth expects no call: there is no response to compare with"),
        ('{"weather": {"city": ["Rome", "Roma"]}}',
         "ground_truth accepts several values of an argument: there is no one response to compare with"),
        ('[{"name": "nope", "arguments": {}}]', "ground_truth calls 'nope', which is not among the tools"),
    ],
)  # fmt: skip
def test_calls_that_are_no_one_response_are_none(truth, problem):
    assert shown_reference(truth, TOOLS) == (None, problem)


def test_a_reference_that_calls_nothing_is_its_text():
    assert shown_reference("It rains.", TOOLS).text == shown_reference("It rains.", None).text == "It rains."
    assert shown_reference(json.dumps([CALL]), "no tools").text == json.dumps([CALL])


def test_a_pair_with_expected_calls_shows_both_as_calls():
    truths = pl.Series([json.dumps([CALL]), "[]"], dtype=pl.String)
    columns = (pl.Series(["p", "q"]), pl.Series(["", "Hi."]), user("p?", "q?"), truths)
    turns = json.loads(TURNS)
    turns[0]["tool_calls"][0]["function"]["arguments"] = {"city": "Oslo"}
    completion = pl.Series([json.dumps(turns), None], dtype=pl.String)
    none = pl.Series([None, None], dtype=pl.String)
    found, (calls,) = scored(
        judge_pairwise.score(*columns, completion, pl.Series([TOOLS, TOOLS]), none, model="m", against="reference"),
        lambda *_: {"text": "[[C]]", "finish_reason": "stop"},
    )
    assert shown(calls).count("<call>\n{") == 2 and len(calls.requests) == 2
    assert found["value"].to_list() == [0.5, None]
    assert found["error"].to_list() == [None, "ground_truth expects no call: there is no response to compare with"]
