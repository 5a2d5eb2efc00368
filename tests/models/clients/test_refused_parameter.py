"""The words of a refusal: how they are read, and which parameter they are about."""

import pytest

from curate.models.clients.http.complaint import Complaint, complaint
from curate.models.clients.http.refused_parameter import refused_parameter
from curate.models.clients.http.settings import OPTIONAL
from tests.models.clients.error_bodies import anthropic, found_in, google, mistral, openai, openrouter, pydantic


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
