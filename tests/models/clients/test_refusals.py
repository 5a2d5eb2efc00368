"""Refusals of servers: how their words are read, what they are about, and what follows from them."""

import json

import pytest

from curate.models.clients.http.adapting import Adapting
from curate.models.clients.http.complaint import Complaint, complaint, status_in_body
from curate.models.clients.http.refused_parameter import refused_parameter
from curate.models.clients.http.settings import OPTIONAL
from curate.models.clients.http.verdict import about_prompt, verdict
from curate.models.clients.http.wire import Form


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error": {"message": "too\\n long", "code": "c", "param": "p"}}', "too long"),
        (b'{"error": "model not found"}', "model not found"),
        (b'{"object": "error", "message": "bad", "code": 400}', "bad"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"<h1>Bad\nGateway</h1>", "<h1>Bad Gateway</h1>"),
        (b'{"error": {"message": "a\\u001b[31mb\\u0000"}}', "a [31mb"),
        (b"", ""),
        (b'[{"error": {"message": "bad"}}]', "bad"),
        (b'{"error": [{"message": "bad"}]}', "bad"),
        (b'{"error": {"message": {"detail": "bad"}}}', "{'detail': 'bad'}"),
        (b'{"detail": [{"loc": ["body", "n"], "msg": "too many", "type": "t"}]}', "n: too many"),
        (b'{"message": {"detail": [{"loc": ["body", "a", 0, "b"], "msg": "bad"}]}}', "a.0.b: bad"),
        (b'{"detail": [{"odd": 1}]}', "{'odd': 1}"),
        (b'{"error": {"message": "x", "metadata": {"raw": "why"}}}', "x: why"),
        (b'{"error": {"message": "x", "metadata": {"raw": {"error": {"message": "why"}}}}}', "x: why"),
    ],
)
def test_errors_of_many_servers_are_read(raw, message):
    assert complaint(raw).message == message


def openai(message, param=None, code=None):
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def pydantic(*path, kind="extra_forbidden", text="Extra inputs are not permitted"):
    return {"detail": [{"type": kind, "loc": ["body", *path], "msg": text, "input": 5}]}


def mistral(*path):
    return {"object": "error", "message": pydantic(*path), "type": "invalid_request_error"}


def anthropic(message):
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def google(message, field=None):
    found = [{"@type": "BadRequest", "fieldViolations": [{"field": field, "description": message}]}]
    return [
        {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT", "details": found if field else []}}
    ]


def openrouter(raw, message="Provider returned error"):
    return {"error": {"message": message, "code": 400, "metadata": {"raw": raw, "provider_name": "P"}}}


def found_in(body):
    return complaint(body if isinstance(body, bytes) else json.dumps(body).encode())


NOT_TAKEN = [
    (mistral("seed"), "seed"),
    (pydantic("seed"), "seed"),
    (pydantic("top_k"), "top_k"),
    (pydantic("n", kind="less_than_equal", text="Input should be less than or equal to 1"), "n"),
    (
        {"detail": [{"loc": ["body", "max_tokens"], "msg": "extra fields not permitted", "type": "value_error.extra"}]},
        "max_tokens",
    ),
    (
        openai(
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        ),
        "max_tokens",
    ),
    (
        openai("'temperature' does not support 0.7. Only the default (1) value is supported.", "temperature"),
        "temperature",
    ),
    (
        openai("Unsupported parameter: 'top_p' is not supported with this model.", "top_p", "unsupported_parameter"),
        "top_p",
    ),
    (openai("Unsupported parameter: 'stop' is not supported with this model.", "stop"), "stop"),
    (openai("Unsupported parameter: 'stop' is not supported with this model."), "stop"),
    (openai("Unrecognized request argument supplied: seed"), "seed"),
    (openai("Unrecognized request arguments supplied: top_k, seed"), "top_k"),
    (openai("'response_format' of type 'json_schema' is not supported.", "response_format.type"), "response_format"),
    (openai("This response_format type is unavailable now"), "response_format"),
    (openai("You are not allowed to request logprobs from this model."), "logprobs"),
    (openai("This model does not support logprobs.", "logprobs"), "logprobs"),
    (openai("top_logprobs must be at most 5", "top_logprobs"), "top_logprobs"),
    (openai("property 'seed' is unsupported"), "seed"),
    (openai("'n' : number must be at most 1", "n"), "n"),
    (anthropic("seed: Extra inputs are not permitted"), "seed"),
    (anthropic("top_k: Extra inputs are not permitted"), "top_k"),
    (anthropic("n: Extra inputs are not permitted"), "n"),
    (anthropic("stop: Extra inputs are not permitted"), "stop"),
    (anthropic("`temperature` and `top_p` cannot both be specified for this model; deprecated"), "temperature"),
    (google('Invalid JSON payload received. Unknown name "seed": Cannot find field.'), "seed"),
    (google("Unknown field", "top_k"), "top_k"),
    (openrouter('{"error": {"message": "Unsupported parameter: seed", "param": "seed"}}'), "seed"),
    (openrouter("seed is not supported"), "seed"),
    (
        {"message": "Malformed input request: extraneous key [seed] is not permitted, please reformat your input"},
        "seed",
    ),
    ({"message": "invalid request: unknown field: parameter 'top_k' is not supported"}, "top_k"),
    ({"error": 'json: unknown field "seed"'}, "seed"),
    ({"error": "Schema violation: additional property seed is prohibited, not allowed"}, "seed"),
    (b"TypeError: generate() got an unexpected keyword argument 'seed'", "seed"),
    (b"unknown field `seed`, expected one of `model`, `messages`, `n`, `stop`", "seed"),
    (openai("seed is not a valid parameter"), "seed"),
    (openai("Not a valid parameter: seed. Valid parameters are n, stop, top_k"), "seed"),
    (b"Additional properties are not allowed ('top_k' was unexpected)", "top_k"),
    (b"The parameter `temperature` is not supported by reasoning models", "temperature"),
    (openai("invalid temperature: only 1 is allowed for this model"), "temperature"),
    (anthropic("`temperature` may only be set to 1 when thinking is enabled"), "temperature"),
    (
        anthropic("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        "temperature",
    ),
    (anthropic("`top_k` must be unset when thinking is enabled"), "top_k"),
    (google("Multiple candidates is not enabled for this model"), "n"),
    (google("Only one candidate can be specified in the current model"), "n"),
    (google("candidateCount must be 1."), "n"),
    (google("Seed is not enabled for models/gemini"), "seed"),
    ({"code": "Client specified an invalid argument", "error": "Argument not supported on this model: stop"}, "stop"),
    ({"code": "x", "error": "Argument not supported on this model: n"}, "n"),
    ({"message": "body.seed: property 'body.seed' is unsupported", "param": "validation_error"}, "seed"),
    (openai("n_cmpl cannot be greater than the number of slots, please increase -np"), "n"),
    (openai("This model does not support response format `json_schema`. See supported models"), "response_format"),
    (openai("response_format value as json_schema is enabled only for api versions later"), "response_format"),
    (
        b"1 validation error for ChatCompletionRequest\nn\n  Input should be less than or equal to 1 [input_value=2]",
        "n",
    ),
    (b"1 validation error for ChatCompletionRequest\nseed\n  Extra inputs are not permitted [input_value=2]", "seed"),
]


@pytest.mark.parametrize(("body", "name"), NOT_TAKEN)
def test_the_parameter_that_a_server_does_not_take_is_found(body, name):
    sent = {*OPTIONAL} - {"top_logprobs"} if name == "logprobs" else {*OPTIONAL}
    assert refused_parameter(found_in(body), sent) == name
    assert refused_parameter(found_in(body), sent - {name}) != name


@pytest.mark.parametrize(
    "body",
    [
        openai("This model's maximum context length is 4096 tokens. Reduce the length of the messages."),
        openai(
            "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is 8192"
        ),
        openai("max_tokens is too large: 50000. This model supports at most 4096 completion tokens", "max_tokens"),
        openai("Invalid 'temperature': decimal above maximum value. Expected a value <= 2", "temperature"),
        openai("Invalid type for 'stop': expected a string", "stop", "invalid_type"),
        pydantic("messages", 0, "reasoning_content"),
        pydantic("temperature", kind="less_than_equal", text="Input should be less than or equal to 1.5"),
        openai("Unsupported value: 'messages[0].role' does not support 'system' with this model.", "messages[0].role"),
        openai("The model does not support tools"),
        openai("Unknown parameter: 'tools[0].weight', beside temperature"),
        openai("unknown field `foo`, expected one of `model`, `seed`, `temperature`"),
        openai("Unsupported value: 'messages'. Supported parameters are: seed, temperature"),
        openai("Input was flagged by moderation: temperature is not supported"),
        openai("Please stop it: this is not supported"),
        openai('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        openai(
            "Invalid schema for function 'f': In context=('properties', 'temperature'), 'default' is not permitted.",
            "tools[0].function.parameters",
            "invalid_function_parameters",
        ),
        openai("Invalid schema for function 'roll': 'n' is not of type 'integer'"),
        openai(
            "tool call validation failed: errors: [additionalProperties 'seed' not allowed]", None, "tool_use_failed"
        ),
        openai("errors: [missing properties: 'n']", None, "tool_use_failed"),
        google("Unknown name \"seed\" at 'tools[0].parameters': Cannot find field.", "tools[0].parameters"),
        openai("Unexpected token 'stop' in messages[0].content"),
        openai("Unsupported content: message 0 says 'raise temperature'", "messages[0].content"),
        openai(
            "[{'type': 'value_error', 'loc': ('body',), 'msg': 'Value error, unknown tool', "
            "'input': {'messages': [], 'seed': 12, 'n': 4}}]"
        ),
        b"1 validation error for Part\n  Input should be a dictionary [type=dict_type, input_value='n']",
        openai("KeyError: 'choices'"),
        openai("the user's message has too many choices listed"),
        openai("File type not supported: seed.csv"),
        openai("chat template: unknown variable 'stop'"),
        openai(
            "Invalid schema for response_format 'reply': In context=(), 'additionalProperties' is not permitted.",
            "response_format",
        ),
        openai("Missing required parameter: 'response_format.json_schema.name'", "response_format.json_schema.name"),
        openai("Unsupported keyword", "response_format.json_schema.schema.items"),
        b"",
        b"Bad Request",
    ],
)
def test_other_refusals_are_about_no_parameter(body):
    assert refused_parameter(found_in(body), OPTIONAL) is None


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("'n' : number must be at most 1", True),
        ("Only one completion choice is allowed", True),
        ("n must be 1 when using greedy sampling, got 4", True),
        ("This model's maximum context length is 4096 tokens", False),
        ("response_format is not supported", False),
    ],
)
def test_a_refusal_of_several_choices_is_recognised(message, refused):
    assert (refused_parameter(Complaint(message, "", ""), OPTIONAL) == "n") == refused
    assert refused_parameter(Complaint("no", "", "n"), OPTIONAL) == "n"


def test_a_500_must_say_that_it_is_about_a_parameter():
    for words in ("logprobs went wrong", "Unexpected response: no choices returned", "unexpected EOF at line n: 3"):
        assert refused_parameter(Complaint(words, "", ""), OPTIONAL, sure=True) is None
    assert refused_parameter(Complaint("seed is not supported", "", ""), OPTIONAL, sure=True) == "seed"


def test_what_an_error_quotes_of_the_prompt_names_no_parameter():
    for prompt in ("special <|x|> solve for n = 5 and choices", "I know the parameter temperature is not supported"):
        error = openai(f"unexpected character. Prompt: '{prompt}'")
        adapting, said = learner()
        raw = json.dumps(BODY | {"messages": [{"role": "user", "content": prompt}]}).encode()
        assert adapting.learn(400, raw, found_in(error), frozenset()) is None and not said
        assert learn(adapting, error) == "", "without such a prompt"


FLAGGED = [
    (
        403,
        {
            "error": {
                "message": 'Your input was flagged for "violence". No credits were charged.',
                "metadata": {"reasons": ["violence"]},
            }
        },
    ),
    (400, openai("Your prompt was flagged. No credits were used.")),
    (400, openai("Invalid prompt: we flagged your prompt. Your API key is not affected.")),
    (403, openai("Input flagged: contains a credential (API key). Blocked by guardrail.")),
    (403, openai("Your input was flagged by moderation: 'not authentic content'")),
    (403, openai("Blocked by content filter: prompt mentions billing fraud")),
    (403, openai("Your request was blocked")),
    (400, openai("Content Exists Risk")),
    (403, {"error": {"message": "Input was flagged", "code": 403, "metadata": {"reasons": ["violence"]}}}),
    (403, {"error": {"message": "no", "code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "x"}}}),
    (403, openai("Your request was rejected by our safety system")),
    (403, openai("Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO")),
    (403, b"<html><title>Attention Required!</title>Sorry, you have been blocked</html>"),
    (400, openai("The response was filtered due to Azure's content management policy", None, "content_filter")),
    (400, openai("Input data may contain inappropriate content.", None, "data_inspection_failed")),
    (400, openai("Invalid prompt: it was flagged as potentially violating our usage policy", None, "invalid_prompt")),
    (400, openai("系统检测到输入或生成内容可能包含不安全或敏感内容")),
    (400, {"error": {"message": "x", "innererror": {"content_filter_result": {"hate": {"filtered": True}}}}}),
    (500, openai("blocked", None, "content_filter")),
]
TOO_LONG = [
    (400, openai("This model's maximum context length is 4096 tokens", None, "context_length_exceeded")),
    (400, anthropic("prompt is too long: 210000 tokens > 200000 maximum")),
    (413, openai("Request too large for model")),
    (422, pydantic("messages", kind="too_long", text="Input is too long")),
    (429, openai("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000")),
    (500, openai("the request exceeds the available context size, try increasing it")),
    (400, google("The input token count (40000) exceeds the maximum number of tokens allowed (32768).")),
    (403, openai("Request body too long: reduce the length")),
    (403, openai("input tokens + max_new_tokens must be <= 4097")),
]
OTHERS = [
    (404, openai("No endpoints found that support tool use. Try disabling 'get_w'.")),
    (404, openai("No endpoints found that support image input")),
    (400, openai("gemma does not support tools")),
    (500, openai("model xyz does not support tools")),
    (500, openai("tools param requires --jinja flag")),
    (400, openai("The prompt asks for an unknown model in messages")),
    (400, openai("Invalid image: the data is no image")),
    (422, openai("odd")),
    (451, b""),
    (501, openai("not implemented")),
]


@pytest.mark.parametrize(("status", "body"), [*FLAGGED, *TOO_LONG, *OTHERS])
def test_a_refusal_of_one_prompt_ends_no_run(status, body):
    assert verdict(status, found_in(body)) == verdict(status, found_in(body), answered=True) == "error"
    if (status, body) not in OTHERS:
        assert about_prompt(found_in(body))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, openai("Incorrect API key provided")),
        (401, b""),
        (402, openai("Insufficient credits")),
        (403, openai("Your API key is disabled")),
        (403, openai("You do not have access to the model gpt-9")),
        (403, openai("Key limit exceeded (total limit)")),
        (403, openai("Country, region, or territory not supported")),
        (403, {"error": {"code": 403, "message": "Permission denied on resource", "status": "PERMISSION_DENIED"}}),
        (404, openai("The model `stub-1` does not exist", None, "model_not_found")),
        (404, openai("unknown model 'tool-vision'")),
        (403, openai("This service is not available in your region")),
        (404, b"<h1>Not Found</h1>"),
        (400, openai("API key not valid. Please pass a valid API key.")),
        (400, openai("Model Not Exist")),
        (400, anthropic("Your credit balance is too low to access the API")),
        (429, openai("You exceeded your current quota", None, "insufficient_quota")),
        (403, openai("Your newly created team doesn't have any credits or licenses yet.")),
        (403, openai("The model `x` is blocked at the project level.", None, "model_permission_blocked_project")),
        (403, openai("Your account has been blocked. Contact support.")),
        (403, openai("Access denied: your IP is blocked")),
        (403, openai("Your API key has been flagged for unusual activity")),
        (403, openai("Your resource has been temporarily blocked because it may violate our content policy.")),
        (400, {"error": {"message": 'AuthenticationError: {"message":"invalid x-api-key"}', "code": "401"}}),
        (400, google("User location is not supported for the API use.")),
        (400, openai("foo/bar is not a valid model ID")),
    ],
)
def test_a_wrong_key_or_model_or_no_money_ends_the_run(status, body):
    assert verdict(status, found_in(body)) == "stop"


@pytest.mark.parametrize(
    "body",
    [
        openai("Billing hard limit has been reached", None, "billing_hard_limit_reached"),
        openai("make sure your account is in good standing", None, "Arrearage"),
        openai("The model `x` has been decommissioned", None, "model_decommissioned"),
        openai("Unable to access model foo.", None, "model_not_available"),
        openai("Invalid schema for response_format 'reply': In context=()", "response_format"),
        openai("The provided JSON schema contains features not supported by xgrammar."),
    ],
)
def test_what_no_other_prompt_overcomes_ends_the_run_at_any_time(body):
    assert verdict(400, found_in(body), answered=True) == "stop"


@pytest.mark.parametrize(
    "message",
    [
        "Provisioned capacity is temporarily unavailable, please retry later",
        "The provisioned-managed deployment is currently not available. Please retry.",
        "Unexpected error in tool call parser",
        "Container image not available yet, worker is starting",
        "Upstream tool server unavailable",
        "content_filter_service_unavailable",
    ],
)
def test_a_server_that_fails_for_a_moment_is_asked_again(message):
    assert verdict(503, found_in(openai(message, None, message))) == "retry"


def test_verdicts():
    plain, broke = Complaint("no", "", ""), Complaint("quota", "insufficient_quota", "")
    statuses = (301, 307, 400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 529)
    meant = {status: verdict(status, plain) for status in statuses}
    assert {s for s, v in meant.items() if v == "stop"} == {301, 307, 401, 402, 404, 405}
    assert {s for s, v in meant.items() if v == "error"} == {400, 413, 422}
    assert {s for s, v in meant.items() if v == "doubt"} == {403}, "of a key or of a firewall: others tell"
    assert verdict(429, broke) == "stop"
    assert verdict(403, Complaint("You have no access to this", "", ""), answered=True) == "doubt"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (openrouter("x"), 400),
        ({"error": {"message": "busy", "code": "429"}}, 429),
        ({"error": {"message": "busy", "status": 503}}, 503),
        ({"error": {"message": "busy", "code": 17}}, None),
        ({"error": {"message": "busy", "code": "busy"}}, None),
        ({"error": "busy"}, None),
        ({"error": {"code": 502}, "choices": [{}]}, None),
        (b"[]", None),
        (b"<html>", None),
    ],
)
def test_a_gateway_may_send_an_error_with_the_status_200(body, status):
    assert status_in_body(body if isinstance(body, bytes) else json.dumps(body).encode()) == status


# What is learnt -------------------------------------------------------------------------------------------------------

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
