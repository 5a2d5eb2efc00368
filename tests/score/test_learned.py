"""Scorers that use reward models, classifiers, losses and embeddings: requests, values, and reasons for null."""

import json
import math

import polars as pl
import pytest

import curate.score.ifd as ifd
import curate.score.perplexity as perplexity
import curate.score.reward_model as reward_model
import curate.score.similarity as similarity
import curate.score.toxicity as toxicity
from tests.score.drive_scorer import scored

PROMPT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
RESPONSES = ["Hello", "", None, '日本 "x"', "no prompt", "Hello"]
MESSAGES = pl.Series("messages", [json.dumps(PROMPT)] * 4 + [None, json.dumps(PROMPT[1:])])
RESPONSE = pl.Series("response", RESPONSES)
ERRORS = [None, "the response is empty", "no response", None, "no prompt", None]


def read(scorer, response, messages, **settings):
    """What a scorer does with responses that are a text, of prompts without tools."""
    none = pl.Series([None] * len(response), dtype=pl.String)
    return scorer.score(response, messages, none, none, **settings)


def asks(calls):
    return [ask and json.loads(ask) for ask in calls.requests]


def value(ask, calls):
    """A reply whose value is the length of the request, so that requests can be told apart."""
    return {"value": len(ask) / 100}


def test_a_reward_model_reads_the_conversation_with_the_response():
    found, (calls,) = scored(read(reward_model, RESPONSE, MESSAGES, model="rm"), value)
    assert (calls.model, calls.task, calls.sampling) == ("rm", "reward", {})
    given = asks(calls)
    assert given[0] == {"messages": [*PROMPT, {"role": "assistant", "content": "Hello"}]}
    assert given[3]["messages"][-1]["content"] == RESPONSES[3] and given[1] is given[2] is given[4] is None
    assert found["error"].to_list() == ERRORS
    assert found["value"].to_list() == [None if ask is None else len(ask) / 100 for ask in calls.requests]
    _, (calls,) = scored(read(reward_model, RESPONSE, MESSAGES, model="rm", label="good", system=False), value)
    given = asks(calls)
    bare = [PROMPT[1], {"role": "assistant", "content": "Hello"}]
    assert given[0] == given[5] == {"messages": bare, "label": "good"}


def test_a_failed_reward_says_why():
    found, _ = scored(read(reward_model, RESPONSE[:1], MESSAGES[:1], model="rm"), lambda *_: {"error": "HTTP 400: no"})
    assert found.rows() == [(None, "HTTP 400: no")]
    found, _ = scored(read(reward_model, RESPONSE[:1], MESSAGES[:1], model="rm"), lambda *_: {"text": "7"})
    assert found.rows() == [(None, "the reply holds no number")]


def test_perplexity_is_exp_of_the_loss_with_or_without_prompt():
    found, (calls,) = scored(read(perplexity, RESPONSE, MESSAGES, model="m"), lambda *_: {"value": math.log(3)})
    assert calls.task == "loss" and asks(calls)[0] == {"messages": PROMPT, "completion": "Hello"}
    assert found["value"].to_list() == pytest.approx([3, None, None, 3, None, 3]) and found["error"].to_list() == ERRORS
    found, (calls,) = scored(read(perplexity, RESPONSE, MESSAGES, model="m", given_prompt=False), value)
    assert asks(calls)[4] == {"messages": [], "completion": "no prompt"}
    assert found["error"].to_list() == [*ERRORS[:4], None, None] and found["value"][0] == found["value"][5]


def test_ifd_is_the_loss_given_the_prompt_over_the_loss_alone():
    def loss(ask, calls):
        return {"value": 1.5 if json.loads(ask)["messages"] else 2.0}

    found, (given, alone) = scored(read(ifd, RESPONSE, MESSAGES, model="m"), loss)
    assert [ask is None for ask in asks(given)] == [ask is None for ask in asks(alone)]
    assert asks(alone)[0] == {"messages": [], "completion": "Hello"}
    assert found["value"].to_list() == [0.75, None, None, 0.75, None, 0.75]
    assert found["error"].to_list() == ERRORS
    assert json.loads(found["detail"][0]) == {"given_prompt": 1.5, "alone": 2.0} and found["detail"][1] is None


def test_ifd_needs_both_losses_and_one_that_is_not_zero():
    for bad, words in [({"error": "too long"}, "too long"), ({"value": 0.0}, "the response alone has no loss")]:

        def loss(ask, calls, bad=bad):
            return {"value": 1.5} if json.loads(ask)["messages"] else bad

        found, _ = scored(read(ifd, RESPONSE[:1], MESSAGES[:1], model="m"), loss)
        assert found.rows() == [(None, None, words)]
    found, _ = scored(
        read(ifd, RESPONSE[:1], MESSAGES[:1], model="m"),
        lambda ask, _: {"error": "no"} if json.loads(ask)["messages"] else {"value": 1.0},
    )
    assert found.rows() == [(None, None, "no")]


CALL = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
TOOLS = [{"type": "function", "function": {"name": "f"}}]
# An answer that is a call; one that is a call, its result and a text.
CALLS = [{"role": "assistant", "content": "", "tool_calls": [CALL]}]
TURNS = [*CALLS, {"role": "tool", "content": "3"}, {"role": "assistant", "content": "It is 3."}]


def read_calls(scorer, *turns, tools=None, **settings):
    """The requests of a scorer for answers of one prompt, each given by its turns, and its table."""
    columns = [
        [one[-1]["content"] for one in turns],
        [json.dumps(PROMPT)] * len(turns),
        [json.dumps(one) for one in turns],
        [tools and json.dumps(tools)] * len(turns),
    ]
    found, calls = scored(
        scorer.score(*(pl.Series(column, dtype=pl.String) for column in columns), model="m", **settings), value
    )
    return found, [asks(one) for one in calls]


def test_a_reward_model_reads_tool_calls_and_tools():
    found, (asked,) = read_calls(reward_model, CALLS, TURNS, tools=TOOLS)
    assert asked == [{"messages": [*PROMPT, *turns], "tools": TOOLS} for turns in (CALLS, TURNS)]
    assert found["error"].null_count() == 2
    found, (asked,) = read_calls(reward_model, CALLS, TURNS[:2], [{"role": "assistant", "content": " "}])
    assert asked == [{"messages": [*PROMPT, *CALLS]}, None, None]
    assert found["error"].to_list() == [None, "the response ends with a tool's result", "the response is empty"]


def test_losses_of_answers_that_are_tool_calls():
    _, (asked,) = read_calls(perplexity, CALLS, TURNS, tools=TOOLS)
    assert asked == [
        {"messages": PROMPT, "message": CALLS[0], "tools": TOOLS},
        {"messages": [*PROMPT, *TURNS[:2]], "completion": "It is 3.", "tools": TOOLS},
    ]
    alone = [{"messages": PROMPT, "message": CALLS[0], "alone": True}, {"messages": [], "completion": "It is 3."}]
    _, (asked,) = read_calls(perplexity, CALLS, TURNS, given_prompt=False)
    assert asked == alone
    found, (_, asked) = read_calls(ifd, CALLS, TURNS)
    assert asked == alone and found["value"].null_count() == 0


def test_similarity_is_the_cosine_to_the_reference():
    truths = pl.Series("ground_truth", ["Hello", "x", "x", None, "", "Bye"])
    prompts = pl.Series("prompt", ["Hi", "Hi", "Hi", "Hi", "Hi", "Hello"])
    found, all_calls = scored(similarity.score(RESPONSE, truths, prompts))
    assert [calls.model for calls in all_calls] == ["minilm", "minilm"]
    assert all_calls[1].texts.to_list() == ["Hello", None, None, None, None, "Bye"]
    assert found["error"].to_list() == [None, *ERRORS[1:3], "no ground_truth", "no ground_truth", None]
    assert found["value"][0] == pytest.approx(1) and -1 <= found["value"][5] < 0.999
    assert found["value"].is_null().to_list() == [False, True, True, True, True, False]
    found, _ = scored(similarity.score(RESPONSE, truths, prompts, to="prompt", model="other"))
    assert found["value"][5] == pytest.approx(1) and found["value"][3] is not None


def test_toxicity_is_the_label_probability_of_the_response():
    found, (calls,) = scored(toxicity.score(RESPONSE, model="c"), lambda *_: {"value": 0.25})
    assert (calls.model, calls.task) == ("c", "reward")
    assert asks(calls)[0] == {"text": "Hello", "label": "toxic"}
    assert found["value"].to_list() == [0.25, None, None, 0.25, 0.25, 0.25]
    assert found["error"].to_list() == [None, *ERRORS[1:3], None, None, None]
    _, (calls,) = scored(toxicity.score(RESPONSE, model="c", label="hate"), value)
    assert asks(calls)[0]["label"] == "hate"
