"""Makes replies of the answers of an OpenAI-compatible server: pure functions over bytes.

An answer is never read by half: one whose texts can't be read is ``Malformed``.
"""

from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import msgspec

from curate.models.clients.http.complaint import complaint, one_line
from curate.models.clients.http.reply_shape import (
    Answer,
    Choice,
    Logprobs,
    Unreadable,
    Usage,
    decode_answer,
    decode_usage,
)
from curate.models.clients.parsing import short_answers
from schemas.finish_reasons import BAD_CALL, finish_reason
from schemas.reasoning import split_reasoning
from schemas.requests import Reply, Request, Spent

BROKEN_OFF = ("abort", "error")  # finish reasons of a server that gave up in the middle
MAY_BE_EMPTY = ("stop", "length", "content_filter", BAD_CALL)  # finish reasons of a reply that may have no content


class Malformed(Exception):
    """A response that can't be read.

    ``usage`` is (prompt tokens, completion tokens) where that can still be read; ``lasting`` is whether the model's
    reply itself is odd, so that the next one is likely to be so too.
    """

    def __init__(self, message: str, usage: tuple[int, int] | None = None, *, lasting: bool = False) -> None:
        """Take what is wrong with the response."""
        super().__init__(message)
        self.usage, self.lasting = usage, lasting


class _Part(NamedTuple):
    """The content of one choice."""

    text: str
    trace: str | None
    calls: str | None
    reason: str | None
    logprobs: tuple[float, ...] | None
    likely: str | None


def read(asked: list[Request], raw: bytes, size: int, model: str = "") -> tuple[list[Reply], Spent]:
    """Read the body of a good answer.

    Args:
        asked: The samples that were asked for.
        raw: The body.
        size: The length of the request's body, in bytes. Where the server counts no tokens, they are estimated as a
            quarter of the bytes.
        model: The model's name on the server; a reply says by which model it was answered where the name differs.

    Returns:
        A reply to each of the first samples that there is a choice for, and what they cost.

    Raises:
        Malformed: The body is anything else.
    """
    answer = _decoded(raw)
    usage = answer.usage or Usage()
    try:
        if not answer.choices:
            raise Malformed("a reply without choices", lasting=b'"error"' not in raw[:4096])
        parts = [_part(choice) for choice in sorted(answer.choices, key=lambda choice: choice.index)]
    except Malformed as error:
        raise Malformed(str(error), billed(raw), lasting=error.lasting) from None
    each: list[Any] = [None] * len(parts)
    weights = [_weight(part) for part in parts]
    if usage.completion_tokens is not None:
        each = _counts(usage.completion_tokens, asked[0].sampling.max_tokens, parts, weights)
    how = asked[0].sampling
    name = answer.model if model and answer.model != model else None
    replies = [
        Reply(
            request.key,
            part.text,
            part.trace,
            part.calls,
            part.reason,
            usage.prompt_tokens,
            tokens,
            part.logprobs if how.logprobs or not how.top_logprobs else None,
            top_logprobs=part.likely if how.top_logprobs else None,
            answered_by=name or None,
        )
        for request, part, tokens in zip(asked, parts, each, strict=False)
    ]
    prompt = size // 4 + 1 if usage.prompt_tokens is None else usage.prompt_tokens
    written = sum(weights) // 4 + 1 if usage.completion_tokens is None else usage.completion_tokens
    return replies, Spent(1, prompt, written)


def _decoded(raw: bytes) -> Answer:
    try:
        return decode_answer(raw)
    except (Unreadable, UnicodeDecodeError) as error:
        lasting = isinstance(error, Unreadable) and error.shaped
        raise Malformed(f"a reply that can't be read ({_why(raw, error)})", billed(raw), lasting=lasting) from None


def _part(choice: Choice) -> _Part:
    """Return what a choice holds."""
    reason = finish_reason(choice.finish_reason)
    if reason in BROKEN_OFF:
        raise Malformed(f"a reply that was broken off (finish_reason {choice.finish_reason!r})")
    log = _logprobs(choice.logprobs)
    message = choice.message
    if message is None:
        if choice.text is None and reason not in MAY_BE_EMPTY:
            raise Malformed("a choice without a message", lasting=True)
        return _Part(choice.text or "", None, None, reason, log, None)
    calls = msgspec.json.encode(made).decode() if (made := message.calls) else None
    trace, text = message.trace, message.content
    if text is None:
        text = message.refusal
    if text is None:
        if calls is None and trace is None and reason not in MAY_BE_EMPTY:
            raise Malformed(f"a reply without content (finish_reason {choice.finish_reason!r})", lasting=True)
        text = ""
    if not trace:
        trace, text = split_reasoning(text)
    return _Part(text, trace, calls, reason, log, _likely(choice.logprobs))


def _logprobs(given: Logprobs | None) -> tuple[float, ...] | None:
    if given is None:
        return None
    if given.content is not None:
        return tuple([token.logprob for token in given.content])
    return None if given.token_logprobs is None else tuple(p for p in given.token_logprobs if p is not None)


def _likely(given: Logprobs | None) -> str | None:
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
    known = [
        len(part.logprobs) if part.logprobs is not None else most if part.reason == "length" else None for part in parts
    ]
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
    usage = decode_usage(raw)
    return None if usage is None else (usage.prompt_tokens or 0, usage.completion_tokens or 0)


def _why(raw: bytes, error: Exception) -> str:
    """Return why a body can't be read."""
    if not raw.strip():
        return "it is empty"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    message = complaint(raw).message if b'"error"' in raw[:4096] else ""
    return message or f"{error}: {one_line(raw[:400].decode('utf-8', 'replace'), 80)}"
