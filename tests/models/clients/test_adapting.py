"""Requests after a refusal: parameters left out or renamed, messages in another form."""

import json

import pytest

from curate.models.clients.http.adapting import Adapting
from curate.models.clients.http.wire import Form
from tests.models.clients.error_bodies import found_in, mistral, openai, pydantic

BODY = {"model": "m", "messages": [], "max_tokens": 3, "temperature": 1.0, "seed": 5, "n": 4, "tool_calls": 1}


def learner(leave_out=(), **form):
    said = []
    return Adapting(Form("m", **form), list(leave_out), said.append), said


def learn(adapting, body, status=400, sent=(), needed=()):
    raw = json.dumps(BODY | dict.fromkeys(sent, 1)).encode()
    return adapting.learn(status, raw, found_in(body), frozenset(needed))


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500, 501])
def test_a_parameter_is_left_out_whatever_the_status(status):
    adapting, said = learner()
    assert learn(adapting, mistral("seed"), status) == "" and adapting.form.left_out == {"seed"}
    assert learn(adapting, mistral("seed"), status) == "", "a request that was on its way meanwhile"
    (line,) = said
    assert line.startswith("the server refused a parameter; gristmill leaves out seed from now on (seed: Extra inputs")


@pytest.mark.parametrize("status", [200, 301, 401, 402, 408, 429, 502, 503, 504])
def test_nothing_is_learnt_from_other_answers(status):
    adapting, said = learner()
    assert learn(adapting, mistral("seed"), status) is None and not said and not adapting.form.left_out


def test_the_limit_is_renamed_and_then_left_out():
    adapting, said = learner()
    assert learn(adapting, openai("Unsupported parameter", "max_tokens")) == ""
    assert (adapting.form.limit, adapting.form.left_out) == ("max_completion_tokens", frozenset())
    assert learn(adapting, openai("Unsupported parameter", "max_tokens")) == "" and len(said) == 1
    assert learn(adapting, mistral("max_completion_tokens"), 422, ["max_completion_tokens"]) == ""
    assert adapting.form.left_out == {"max_tokens", "max_completion_tokens"} and len(said) == 2


def test_the_limit_may_be_renamed_the_other_way():
    adapting, _ = learner(limit="max_completion_tokens")
    refusal = openai("Unknown parameter: 'max_completion_tokens'")
    assert learn(adapting, refusal, sent=["max_completion_tokens"]) == "" and adapting.form.limit == "max_tokens"


def test_samples_and_likely_tokens_are_no_longer_asked_for():
    adapting, said = learner()
    assert learn(adapting, pydantic("n", text="Input should be 1"), 422) == "" and adapting.single
    assert learn(adapting, openai("logprobs are not supported"), sent=["logprobs", "top_logprobs"]) == ""
    assert adapting.form.left_out == {"logprobs", "top_logprobs"} and len(said) == 2


def test_what_the_step_or_the_recipe_wants_is_not_left_out():
    adapting, said = learner(extra='{"seed": 5}')
    refusal = openai("logprobs are not supported")
    assert learn(adapting, refusal, sent=["logprobs"], needed=["logprobs"]) == "logprobs"
    assert learn(adapting, mistral("seed")) is None
    assert learn(adapting, mistral("tools")) is None and not said and not adapting.form.left_out


def test_several_parameters_may_be_refused_at_once():
    adapting, said = learner()
    both = {"detail": pydantic("seed")["detail"] + pydantic("messages", 0, "x")["detail"] + pydantic("top_k")["detail"]}
    assert learn(adapting, both, 422, ["top_k"]) == ""
    assert adapting.form.left_out == {"seed", "top_k"} and len(said) == 2


def test_ids_of_calls_become_short_where_a_server_wants_them_so():
    adapting, said = learner()
    wanted = openai("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.")
    assert learn(adapting, wanted) == "" and adapting.form.messages.short_ids and len(said) == 1
    assert learn(adapting, wanted) is None


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (pydantic("messages", 2, "tool", "name"), "result_names"),
        (openai("'messages.2': for 'role:tool' the property 'name' is unsupported"), "result_names"),
        (openai("Unknown parameter: 'messages[2].name'.", "messages[2].name"), "result_names"),
        (pydantic("messages", 1, "content", kind="string_type", text="Input should be a valid string"), "null_content"),
        ({"error": {"message": "invalid message content type: <nil>"}}, "null_content"),
        (openai("Invalid value for 'content': expected a string, got null.", "messages.[1].content"), "null_content"),
    ],
)
def test_messages_get_the_form_that_a_server_wants(body, name):
    turns = [{"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "name": "w"}]
    raw = json.dumps(BODY | {"messages": turns}, separators=(",", ":")).encode()
    adapting, said = learner()
    assert adapting.learn(422, raw, found_in(body), frozenset()) == "" and len(said) == 1
    assert getattr(adapting.form.messages, name) is False
    assert adapting.learn(422, raw, found_in(body), frozenset()) is None
    assert adapting.learn(422, json.dumps(BODY).encode(), found_in(body), frozenset()) is None


@pytest.mark.parametrize(
    ("given", "left_out", "single"),
    [
        (["seed"], {"seed"}, False),
        (["n"], {"n"}, True),
        (["max_tokens"], {"max_tokens", "max_completion_tokens"}, False),
        (["logprobs"], {"logprobs", "top_logprobs"}, False),
        (["top_logprobs"], {"top_logprobs"}, False),
    ],
)
def test_a_recipe_leaves_parameters_out_up_front(given, left_out, single):
    adapting, _ = learner(given)
    assert (adapting.form.left_out, adapting.single) == (left_out, single)


def test_what_an_error_quotes_of_the_prompt_names_no_parameter():
    for prompt in ("special <|x|> solve for n = 5 and choices", "I know the parameter temperature is not supported"):
        error = openai(f"unexpected character. Prompt: '{prompt}'")
        adapting, said = learner()
        raw = json.dumps(BODY | {"messages": [{"role": "user", "content": prompt}]}).encode()
        assert adapting.learn(400, raw, found_in(error), frozenset()) is None and not said
        assert learn(adapting, error) == "", "without such a prompt"
