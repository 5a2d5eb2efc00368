"""Writes replies in the forms of OpenAI's API."""

import json
from typing import Any

from schemas.requests import Reply, Request


def chat_answer(request: Request, reply: Reply, model: str) -> dict[str, Any]:
    """Return the body that answers a request for ``/v1/chat/completions``; its content is null where that failed."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.reasoning_content is not None:
        message["reasoning_content"] = reply.reasoning_content
    if reply.tool_calls is not None:
        message["tool_calls"] = json.loads(reply.tool_calls)
    return _body("chat.completion", request, reply, model, {"message": message})


def text_answer(request: Request, reply: Reply, model: str) -> dict[str, Any]:
    """Return the body that answers a request for ``/v1/completions``; its text is null where that failed."""
    if request.task != "tokens":
        return _body("text_completion", request, reply, model, {"text": reply.text})
    own = [None, *(reply.logprobs or ())]
    likeliest = [None, *json.loads(reply.top_logprobs or "[]")]
    names = [f"token_id:{token}" for token in json.loads(request.messages)["ids"]] + ["token_id:next"]
    top = [
        None if mine is None else {"likeliest": mine if other is None else other}
        for mine, other in zip(own, likeliest, strict=True)
    ]
    logprobs = {"tokens": names, "token_logprobs": own, "top_logprobs": top, "text_offset": None}
    return _body("text_completion", request, reply, model, {"text": "", "logprobs": logprobs})


def _body(kind: str, request: Request, reply: Reply, model: str, choice: dict[str, Any]) -> dict[str, Any]:
    prompt, completion = reply.prompt_tokens or 0, reply.completion_tokens or 0
    return {
        "id": request.key,
        "object": kind,
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "finish_reason": reply.finish_reason, **choice}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }
