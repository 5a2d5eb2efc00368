"""Decodes the body of a good answer: fast where it has the API's types, as nearly all have, else leniently.

What matters is strict either way: an answer has choices, and a choice's text is text. All else may have other types, as
servers and gateways write them: it is converted where its meaning is plain, and left out where it is not.
"""

import json
import math
import re
from typing import Annotated, Any

import msgspec

from curate.models.clients.http.event_data import is_stream
from curate.models.clients.http.lenient_json import UNPARSED, decoded, parse
from curate.models.clients.http.reply_content import Parts, read_parts, text_of_trace
from curate.models.clients.http.whole_stream import whole_answer
from schemas.message_content import REASONING_KEYS
from schemas.token_count import MOST_TOKENS, token_count

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class Unreadable(ValueError):
    """A body that is no answer, or whose text is no text. ``shaped`` is whether it is a mapping that tells no error."""

    def __init__(self, message: str, *, shaped: bool = False) -> None:
        """Take what is wrong with the body."""
        super().__init__(message)
        self.shaped = shaped


class Function(msgspec.Struct):
    """The function of a tool call."""

    name: str
    arguments: str | dict[str, Any] = ""


class ToolCall(msgspec.Struct):
    """A tool call."""

    function: Function
    id: str | None = None
    type: str = "function"


class Message(msgspec.Struct):
    """An assistant's message."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None  # the older form of one call
    refusal: str | None = None
    reasoning_details: Any = None  # OpenRouter's, which others write alone

    @property
    def calls(self) -> list[ToolCall] | None:
        """Return the calls, in whichever form the server gives them."""
        legacy = self.function_call
        if self.tool_calls or legacy is None or not (legacy.name or legacy.arguments):
            return self.tool_calls
        return [ToolCall(legacy)]

    @property
    def trace(self) -> str | None:
        """The reasoning trace, under whichever name the server gives it."""
        found = self.reasoning_content or self.reasoning or self.thinking
        return found if found or not self.reasoning_details else text_of_trace(self.reasoning_details) or None


class Chance(msgspec.Struct):
    """A token that was likely, with its log-probability."""

    logprob: float
    token: str = ""


class Token(msgspec.Struct):
    """A token of a reply."""

    logprob: float
    token: str = ""
    top_logprobs: list[Chance] | None = None


class Logprobs(msgspec.Struct):
    """The log-probabilities of a choice: of a chat (``content``) or of a plain completion."""

    content: list[Token] | None = None
    token_logprobs: list[float | None] | None = None


class Choice(msgspec.Struct):
    """One of the replies."""

    message: Message | None = None  # of a chat
    text: str | None = None  # of a plain completion
    index: Count = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Usage(msgspec.Struct):
    """The tokens that a server has counted."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None


class Answer(msgspec.Struct):
    """The body of a good answer."""

    choices: list[Choice]
    usage: Usage | None = None
    model: str | None = None


_decode = msgspec.json.Decoder(Answer).decode
_NO_JSON = re.compile("NaN|Infinity")  # numbers that would become null


def decode_answer(raw: bytes) -> Answer:
    """Return the answer in a body. Raises ``Unreadable``, or ``UnicodeDecodeError`` for bytes that are not UTF-8."""
    decoded(raw)  # the decoder does not look into what it skips
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        reason = str(error)
    try:
        body = _body(raw)
    except UNPARSED as error:
        raise Unreadable(str(error) if is_stream(raw) else reason) from None
    body = body[0] if isinstance(body, list) and len(body) == 1 else body
    choices = body.get("choices") if isinstance(body, dict) else None
    choices = [choices] if isinstance(choices, dict) else choices
    if not isinstance(choices, list) or not choices or not all(isinstance(one, dict) for one in choices):
        raise Unreadable(reason, shaped=isinstance(body, dict) and not body.get("error"))
    try:
        made = [_choice(one, place) for place, one in enumerate(choices)]
    except (ValueError, RecursionError):
        raise Unreadable(reason, shaped=True) from None
    model = body.get("model")
    return Answer(made, _usage(body.get("usage")), model if isinstance(model, str) else None)


def decode_usage(raw: bytes) -> Usage | None:
    """Return the tokens that are counted in a body that may be read no further; never raises."""
    try:
        body = _body(raw)
    except UNPARSED:
        return None
    usage = body.get("usage") if isinstance(body, dict) else None
    return _usage(usage) if isinstance(usage, dict) else None


def _body(raw: bytes) -> Any:
    """Return the JSON value of a body, or the whole answer where it is a stream. Raises one of ``UNPARSED``."""
    return whole_answer(raw) if is_stream(raw) else parse(raw)


def _choice(found: dict, place: int) -> Choice:
    """Return a choice. Raises ``ValueError`` where its text is no text."""
    message, text = found.get("message"), found.get("text")
    if (message is not None and not isinstance(message, dict)) or not isinstance(text, str | None):
        raise ValueError
    reason = found.get("finish_reason")
    return Choice(
        None if message is None else _message(message),
        text,
        place if (index := token_count(found.get("index"))) is None else index,
        reason if isinstance(reason, str | None) else str(reason),
        _logprobs(found.get("logprobs")),
    )


def _message(found: dict) -> Message:
    """Return a message; a content of parts is read as text, a trace and calls."""
    content = found.get("content")
    parts = Parts(content) if isinstance(content, str | None) else read_parts(content)
    traces = [text_of_trace(found[key]) for key in REASONING_KEYS if found.get(key)]
    trace = next((one for one in traces if one), None) or "\n\n".join(parts.traces) or None
    calls = found.get("tool_calls") or []
    calls = [_call(one) for one in [*(calls if isinstance(calls, list) else [calls]), *parts.calls]]
    legacy = _call(found["function_call"]).function if found.get("function_call") else None
    refusal = found.get("refusal")
    refusal = refusal if isinstance(refusal, str) else None
    details = found.get("reasoning_details")
    return Message(
        parts.text,
        trace,
        tool_calls=calls or None,
        function_call=legacy,
        refusal=refusal,
        reasoning_details=details,
    )


def _call(found: Any) -> ToolCall:
    """Return a tool call, whose arguments are kept as the server wrote them; one that is none has no name."""
    if not isinstance(found, dict):
        return ToolCall(Function("", found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)))
    inner = found.get("function", found)
    inner = inner if isinstance(inner, dict) else {}
    arguments, name, given = inner.get("arguments"), inner.get("name"), found.get("id")
    if arguments is not None and not isinstance(arguments, str):
        text = json.dumps(arguments, ensure_ascii=False)
        arguments = arguments if isinstance(arguments, dict) and not _NO_JSON.search(text) else text
    arguments = "" if arguments is None else arguments
    function = Function(name if isinstance(name, str) else "", arguments)
    return ToolCall(function, None if given is None else str(given))


def _usage(found: Any) -> Usage | None:
    """Return the counts of tokens, without those that are no counts."""
    if not isinstance(found, dict):
        return None
    return Usage(token_count(found.get("prompt_tokens")), token_count(found.get("completion_tokens")))


def _logprobs(found: Any) -> Logprobs | None:
    """Return log-probabilities; None where any of them is no finite number."""
    try:
        made = msgspec.convert(found, Logprobs | None, strict=False)
    except (msgspec.MsgspecError, RecursionError):
        return None
    tokens = [] if made is None else [token.logprob for token in made.content or ()] + (made.token_logprobs or [])
    return made if all(one is None or math.isfinite(one) for one in tokens) else None
