"""Encodes requests to an OpenAI-compatible server: pure functions over bytes.

``wire_messages`` writes the messages and the tools; ``replies`` reads what comes back.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from curate.models.clients.http.settings import LIMIT_NAMES
from curate.models.clients.http.wire_messages import PLAIN_FORM, MessageForm, sent_messages, sent_tools
from schemas.requests import Request, Sampling


@dataclass(frozen=True)
class Form:
    """The form of the requests to one model.

    Attributes:
        model: The model's name on the server.
        extra: The recipe's ``extra_body`` as JSON text.
        limit: The server's name for ``max_tokens``.
        left_out: Parameters that are not sent (of ``settings.OPTIONAL``).
        messages: What is sent of the messages.
    """

    model: str
    extra: str = "{}"
    limit: str = LIMIT_NAMES[0]
    left_out: frozenset[str] = frozenset()
    messages: MessageForm = PLAIN_FORM


def chat_body(form: Form, asked: list[Request]) -> bytes:
    """Return the body of a request for a chat completion: for samples of one prompt."""
    first = asked[0]
    start = _settings(form, first.sampling, first.tools, True)
    messages = sent_messages(first.messages, form.messages)
    # A lone surrogate has no bytes in UTF-8; inside a JSON string an escape says the same.
    return _with_samples(b'%b,"messages":%b' % (start, messages.encode("utf-8", "backslashreplace")), asked, form)


def prompt_body(form: Form, asked: list[Request], prompt: str) -> bytes:
    """Return the body of a request for a plain completion of ``prompt``."""
    start = _settings(form, asked[0].sampling, None, False)
    return _with_samples(b'%b,"prompt":%b' % (start, msgspec.json.encode(prompt)), asked, form)


def _with_samples(start: bytes, asked: list[Request], form: Form) -> bytes:
    if asked[0].sampling.temperature != 0 and '"seed"' not in form.extra and "seed" not in form.left_out:
        start += b',"seed":%d' % (int(asked[0].key[:8], 16) & 0x7FFFFFFF)
    return start + (b',"n":%d}' % len(asked) if len(asked) > 1 else b"}")


@lru_cache(maxsize=256)
def _settings(form: Form, how: Sampling, tools: str | None, chat: bool) -> bytes:
    """Return the part that the bodies of many requests share: JSON text without the closing brace."""
    body: dict[str, Any] = {"model": form.model, form.limit: how.max_tokens, "temperature": how.temperature}
    body |= {"top_p": how.top_p} if how.top_p != 1 else {}
    body |= {"top_k": how.top_k} if how.top_k else {}
    body |= {"stop": how.stop} if how.stop else {}
    body |= {"tools": sent_tools(tools)} if tools else {}
    if how.logprobs or (chat and how.top_logprobs):
        body |= {"logprobs": True if chat else 1} | ({"top_logprobs": how.top_logprobs} if how.top_logprobs else {})
    if how.response_format:
        schema = {"name": "reply", "schema": json.loads(how.response_format), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    body = {key: value for key, value in body.items() if key not in form.left_out}
    return json.dumps(body | json.loads(form.extra), separators=(",", ":")).encode()[:-1]
