"""The consequence of a refusal: one row's error, another try, or the end of the run."""

import json

import pytest

from curate.models.clients.http.complaint import Complaint, status_in_body
from curate.models.clients.http.verdict import about_prompt, verdict
from tests.models.clients.error_bodies import anthropic, found_in, google, openai, openrouter, pydantic

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
