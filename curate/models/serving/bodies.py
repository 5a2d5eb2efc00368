"""Reads the body of an HTTP request of OpenAI's API into the request that an engine answers.

A parameter that we don't know is refused, because an answer without it would be another one.
"""

import json
from collections.abc import Mapping
from math import inf
from typing import Any

from schemas.errors import BadRow, kind_of, short_repr
from schemas.requests import Request, Sampling, make_request

COMMON = {"model", "seed", "stop", "temperature", "top_p", "top_k", "max_tokens", "stream", "n", "user"}
CHAT = COMMON | {"messages", "tools", "max_completion_tokens"}
TEXT = COMMON | {"prompt", "echo", "logprobs"}
ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_TOKENS = 1 << 20
MOST_STOPS = 64


def chat_request(body: Any, identity: str, sample_index: int = 0) -> Request:
    """Return the request in a body for ``/v1/chat/completions``.

    Args:
        body: The body, parsed.
        identity: The identity of the model that is to answer.
        sample_index: Which of several samples of the same request it is.

    Raises:
        BadRow: The body is wrong; the message says what was expected.
    """
    body = _checked(body, CHAT)
    messages, tools = body.get("messages"), body.get("tools")
    if not isinstance(messages, list) or not messages:
        raise BadRow(f"messages: expected a list of messages, found {kind_of(messages, 'nothing')}")
    turns = [_message(message, index) for index, message in enumerate(messages)]
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        raise BadRow(f"tools: expected a list of mappings, found {kind_of(tools)}")
    as_text = json.dumps(turns, ensure_ascii=False)
    return make_request(
        identity, as_text, json.dumps(tools, ensure_ascii=False) if tools else None, _sampling(body), sample_index
    )


def text_request(body: Any, identity: str, sample_index: int = 0) -> Request:
    """Return the request in a body for ``/v1/completions``: a text to go on with, or token ids to say how likely.

    The arguments are those of ``chat_request``.

    Raises:
        BadRow: The body is wrong; the message says what was expected.
    """
    body = _checked(body, TEXT)
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]  # a batch of one
    if body.get("echo"):
        return _tokens_request(body, prompt, identity)
    if body.get("logprobs"):
        raise BadRow("logprobs: expected with echo: true only")
    if not isinstance(prompt, str):
        raise BadRow(f"prompt: expected a text, found {kind_of(prompt, 'nothing')}")
    return make_request(identity, json.dumps(prompt, ensure_ascii=False), None, _sampling(body), sample_index)


def _tokens_request(body: dict[str, Any], prompt: Any, identity: str) -> Request:
    """Return the request for how likely the tokens of a prompt are (``echo`` and ``logprobs``)."""
    if not isinstance(prompt, list) or not prompt or not all(type(token) is int for token in prompt):
        raise BadRow("prompt: with echo expected a list of token ids, which are whole numbers")
    if body.get("logprobs") != 1 or body.get("max_tokens") != 1:
        raise BadRow("echo: expected with logprobs: 1 and max_tokens: 1")
    return make_request(identity, json.dumps({"ids": prompt}), None, Sampling(temperature=0), 0, "tokens")


def _checked(body: Any, known: set[str]) -> dict[str, Any]:
    """Return a body without its nulls. Raises ``BadRow`` where it is no mapping or has an unknown parameter."""
    if not isinstance(body, Mapping):
        raise BadRow(f"expected a mapping, found {kind_of(body)}")
    body = {key: value for key, value in body.items() if value is not None}
    unknown = sorted(set(body) - known)
    if unknown:
        raise BadRow(f"{short_repr(unknown[0])}: expected one of the parameters {', '.join(sorted(known))}")
    if body.get("stream") or body.get("n", 1) != 1:
        raise BadRow("stream, n: expected one answer as a whole")
    return body


def _message(message: Any, index: int) -> dict[str, Any]:
    """Return one message with its text. Raises ``BadRow`` for one with anything else, such as a picture."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise BadRow(f"messages[{index}]: expected a mapping with a role, one of {', '.join(ROLES)}")
    content = message.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise BadRow(f"messages[{index}].content: expected text, found parts without text")
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str) and not (content is None and message.get("tool_calls")):
        raise BadRow(f"messages[{index}].content: expected text, found {kind_of(content)}")
    further = ("name", "tool_calls", "tool_call_id")
    return {"role": message["role"], "content": content} | {k: message[k] for k in further if k in message}


def _sampling(body: Mapping[str, Any]) -> Sampling:
    """Return the sampling settings of a body, with OpenAI's defaults. Raises ``BadRow`` for one out of its range."""
    stop = body.get("stop", [])
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > MOST_STOPS:
        raise BadRow(f"stop: expected a text, or a list of at most {MOST_STOPS} texts, found {kind_of(stops)}")
    if not all(one is None or isinstance(one, str) for one in stops):
        raise BadRow("stop: expected texts")
    tokens = body.get("max_completion_tokens", body.get("max_tokens", 256))
    return Sampling(
        temperature=float(_number("temperature", body.get("temperature", 1.0), 0, 100)),
        top_p=float(_number("top_p", body.get("top_p", 1.0), 0, 1)),
        top_k=int(_number("top_k", body.get("top_k", 0), 0, MOST_TOKENS, whole=True)),
        max_tokens=int(_number("max_tokens", tokens, 1, MOST_TOKENS, whole=True)),
        seed=int(_number("seed", body.get("seed", 0), 0, 1 << 62, whole=True)),
        stop=tuple(one for one in stops if one),
    )


def _number(name: str, value: Any, low: float, high: float, *, whole: bool = False) -> float:
    """Return a number within its range. Raises ``BadRow`` for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and -inf < value < inf
    if not is_number or not low <= value <= high or (whole and value != int(value)):
        kind = "whole number" if whole else "number"
        raise BadRow(f"{name}: expected a {kind} from {low:g} to {high:g}, found {short_repr(value)}")
    return value
