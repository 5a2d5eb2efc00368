"""Encodes requests to an OpenAI-compatible server and decodes its responses: pure functions over bytes.

A response is decoded strictly: one without the shape and the types of the API is ``Malformed``, never half a reply.
"""

import json
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Annotated, Any

import msgspec

from curate.models.clients.http.complaint import UNREADABLE, complaint, one_line
from curate.models.clients.parsing import short_answers
from schemas.reasoning import split_reasoning
from schemas.requests import Reply, Request, Sampling, Spent

BROKEN_OFF = ("abort", "error")  # finish reasons of a server that gave up in the middle
Count = Annotated[int, msgspec.Meta(ge=0)]


class Malformed(Exception):
    """A response that can't be read. ``usage`` is (prompt tokens, completion tokens) where that can still be read."""

    def __init__(self, message: str, usage: tuple[int, int] | None = None) -> None:
        """Take what is wrong with the response."""
        super().__init__(message)
        self.usage = usage


class _Function(msgspec.Struct):
    name: str
    arguments: str | dict[str, Any] = ""


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None
    type: str = "function"


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None
    refusal: str | None = None


class _Chance(msgspec.Struct):
    logprob: float
    token: str = ""


class _Token(msgspec.Struct):
    logprob: float
    token: str = ""
    top_logprobs: list[_Chance] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None
    token_logprobs: list[float | None] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None  # of a chat
    text: str | None = None  # of a plain completion
    index: Count = 0
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Billed(msgspec.Struct):
    usage: _Usage


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_usage = msgspec.json.Decoder(_Billed).decode


def chat_body(model: str, asked: list[Request], limit: str, extra: str, *, top_logprobs: bool = True) -> bytes:
    """Return the body of a request for a chat completion.

    Args:
        model: The model's name on the server.
        asked: Samples of one prompt.
        limit: The server's name for ``max_tokens``.
        extra: The recipe's ``extra_body`` as JSON text.
        top_logprobs: Whether the server returns the likeliest tokens.
    """
    first = asked[0]
    how = first.sampling if top_logprobs else replace(first.sampling, top_logprobs=0)
    start = _settings(model, how, first.tools, limit, extra, True)
    # A lone surrogate has no bytes in UTF-8; inside a JSON string an escape says the same.
    messages = first.messages.encode("utf-8", "backslashreplace")
    return _with_samples(b'%b,"messages":%b' % (start, messages), asked, extra)


def prompt_body(model: str, asked: list[Request], prompt: str, limit: str, extra: str) -> bytes:
    """Return the body of a request for a plain completion of ``prompt``; the other parameters are ``chat_body``'s."""
    start = _settings(model, asked[0].sampling, None, limit, extra, False)
    return _with_samples(b'%b,"prompt":%b' % (start, msgspec.json.encode(prompt)), asked, extra)


def _with_samples(start: bytes, asked: list[Request], extra: str) -> bytes:
    if asked[0].sampling.temperature != 0 and '"seed"' not in extra:
        start += b',"seed":%d' % (int(asked[0].key[:8], 16) & 0x7FFFFFFF)
    return start + (b',"n":%d}' % len(asked) if len(asked) > 1 else b"}")


@lru_cache(maxsize=256)
def _settings(model: str, how: Sampling, tools: str | None, limit: str, extra: str, chat: bool) -> bytes:
    """Return the part that the bodies of many requests share: JSON text without the closing brace."""
    body: dict[str, Any] = {"model": model, limit: how.max_tokens, "temperature": how.temperature}
    body |= {"top_p": how.top_p} if how.top_p != 1 else {}
    body |= {"top_k": how.top_k} if how.top_k else {}
    body |= {"stop": how.stop} if how.stop else {}
    body |= {"tools": json.loads(tools)} if tools else {}
    if how.logprobs or (chat and how.top_logprobs):
        body |= {"logprobs": True if chat else 1} | ({"top_logprobs": how.top_logprobs} if how.top_logprobs else {})
    if how.response_format:
        schema = {"name": "reply", "schema": json.loads(how.response_format), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return json.dumps(body | json.loads(extra), separators=(",", ":")).encode()[:-1]


def read(asked: list[Request], raw: bytes, size: int) -> tuple[list[Reply], Spent]:
    """Read the body of a good answer.

    Args:
        asked: The samples that were asked for.
        raw: The body.
        size: The length of the request's body, in bytes. Where the server counts no tokens, they are estimated as a
            quarter of the bytes.

    Returns:
        A reply to each of the first samples that there is a choice for, and what they cost.

    Raises:
        Malformed: The body is anything else.
    """
    try:
        raw.decode()  # the decoder does not look into what it skips
        answer = _decode_answer(raw)
    except UNREADABLE as error:
        raise Malformed(f"a reply that can't be read ({_reason(raw, error)})", billed(raw)) from None
    usage = answer.usage or _Usage()
    try:
        if not answer.choices:
            raise Malformed("a reply without choices")
        parts = [_part(choice) for choice in sorted(answer.choices, key=lambda choice: choice.index)]
    except Malformed as error:
        raise Malformed(str(error), billed(raw)) from None
    each: list[Any] = [None] * len(parts)
    weights = [_weight(part) for part in parts]
    if usage.completion_tokens is not None:
        each = _counts(usage.completion_tokens, asked[0].sampling.max_tokens, parts, weights)
    how = asked[0].sampling
    replies = [
        Reply(
            request.key,
            *part[:4],
            usage.prompt_tokens,
            tokens,
            part[4] if how.logprobs or not how.top_logprobs else None,
            top_logprobs=part[5] if how.top_logprobs else None,
        )
        for request, part, tokens in zip(asked, parts, each, strict=False)
    ]
    prompt = size // 4 + 1 if usage.prompt_tokens is None else usage.prompt_tokens
    written = sum(weights) // 4 + 1 if usage.completion_tokens is None else usage.completion_tokens
    return replies, Spent(1, prompt, written)


_Part = tuple[str, str | None, str | None, str | None, tuple[float, ...] | None, str | None]


def _part(choice: _Choice) -> _Part:
    """Return a choice's text, reasoning, tool calls, finish reason, log-probabilities, and likely short answers."""
    if choice.finish_reason in BROKEN_OFF:
        raise Malformed(f"a reply that was broken off (finish_reason {choice.finish_reason!r})")
    log = _logprobs(choice.logprobs)
    message = choice.message
    if message is None:
        if choice.text is None:
            raise Malformed("a choice without a message")
        return choice.text, None, None, choice.finish_reason, log, None
    calls = msgspec.json.encode(message.tool_calls).decode() if message.tool_calls else None
    trace, text = message.reasoning_content or message.reasoning, message.content
    if text is None:
        text = message.refusal
    if text is None:
        if calls is None and trace is None and choice.finish_reason not in ("length", "content_filter"):
            raise Malformed("a reply without content")
        text = ""
    if not trace:
        trace, text = split_reasoning(text)
    return text, trace, calls, choice.finish_reason, log, _likely(choice.logprobs)


def _logprobs(given: _Logprobs | None) -> tuple[float, ...] | None:
    if given is None:
        return None
    if given.content is not None:
        return tuple([token.logprob for token in given.content])
    return None if given.token_logprobs is None else tuple(p for p in given.token_logprobs if p is not None)


def _likely(given: _Logprobs | None) -> str | None:
    """Return ``Reply.top_logprobs``; None where the server returned no likely tokens at all."""
    if given is None or not given.content or not any(token.top_logprobs for token in given.content):
        return None
    return short_answers.as_json(
        (token.token, [(one.token, one.logprob) for one in (*(token.top_logprobs or ()), token)])
        for token in given.content
    )


def _weight(part: _Part) -> int:
    """Return the bytes of a choice's texts, plus 1."""
    return 1 + sum(len(text.encode()) for text in part[:3] if text)


def _counts(total: int, most: int, parts: list[_Part], weights: list[int]) -> list[int]:
    """Return the tokens of each choice, which a server counts together.

    They are known for choices that were cut or have log-probabilities; the others share the rest in proportion to the
    lengths of their texts.
    """
    known = [len(part[4]) if part[4] is not None else most if part[3] == "length" else None for part in parts]
    left = total - sum(count for count in known if count is not None)
    if left < 0 or (left and None not in known):  # the server counts in another way
        return share(total, weights)
    rest = iter(share(left, [w for w, count in zip(weights, known, strict=True) if count is None]))
    return [next(rest) if count is None else count for count in known]


def share(total: int, weights: list[int]) -> list[int]:
    """Divide ``total`` in proportion to ``weights`` (each at least 1) into whole numbers that add up to it."""
    whole = max(sum(weights), 1)
    marks = [total * upto // whole for upto in accumulate(weights, initial=0)]
    return [high - low for low, high in pairwise(marks)]


def billed(raw: bytes) -> tuple[int, int] | None:
    """Return (prompt tokens, completion tokens) of a body that can't be read otherwise, or None."""
    try:
        usage = _decode_usage(raw).usage
    except UNREADABLE:
        return None
    return usage.prompt_tokens or 0, usage.completion_tokens or 0


def _reason(raw: bytes, error: Exception) -> str:
    """Return why a body can't be read."""
    if not raw.strip():
        return "it is empty"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    message = complaint(raw).message if b'"error"' in raw[:4096] else ""
    return message or f"{error}: {one_line(raw[:400].decode('utf-8', 'replace'), 80)}"
