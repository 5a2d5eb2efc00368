"""Reads the server-sent events of a streamed chat completion: pure functions over bytes.

A stream is read leniently, as servers and gateways write it (``event_data``, ``lenient_json``).
"""

from dataclasses import dataclass
from typing import Any

from curate.models.clients.http.complaint import complaint
from curate.models.clients.http.event_data import LINE_END, data_of
from curate.models.clients.http.lenient_json import UNPARSED, parse
from curate.models.clients.http.replies import Malformed
from curate.models.clients.http.reply_content import Parts, read_parts, text_of_trace
from schemas.message_content import REASONING_KEYS
from schemas.token_count import token_count

LONGEST_LINE = 4 << 20  # bytes


class Lines:
    """Cuts a stream of bytes, which comes in parts that may end anywhere, into the data of its events."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = b""

    def add(self, part: bytes) -> list[bytes]:
        """Return the data of the events that are whole after one more part.

        Raises:
            Malformed: A line is longer than any event could be.
        """
        *lines, self._held = LINE_END.split(self._held + part)
        if len(self._held) > LONGEST_LINE:
            raise Malformed(f"a stream with a line of more than {LONGEST_LINE >> 20} MB")
        return [data for line in lines if (data := data_of(line)) is not None]


@dataclass(frozen=True)
class Chunk:
    """The content of one event.

    Attributes:
        text: More of the answer.
        trace: More of the reasoning trace, where the server tells it apart.
        calls: The names of tools that are called.
        finish: The server's word for why the answer has ended.
        usage: The tokens of the prompt and of the answer, where the server counts them.
        error: The server's words where it gives up.
    """

    text: str = ""
    trace: str = ""
    calls: tuple[str, ...] = ()
    finish: str | None = None
    usage: tuple[int | None, int | None] | None = None
    error: str | None = None


def read_chunk(data: bytes) -> Chunk:
    """Return the content of an event.

    Raises:
        Malformed: The data are no JSON mapping.
    """
    try:
        body = parse(data.decode("utf-8", "replace"))
    except UNPARSED:
        body = None
    if not isinstance(body, dict):
        raise Malformed(f"a stream that can't be read: {data[:80].decode('utf-8', 'replace')}")
    usage = _usage(body.get("usage"))
    if body.get("error"):
        return Chunk(usage=usage, error=complaint(data).message or "an error without a word")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return Chunk(usage=usage)
    delta = next((choice[key] for key in ("delta", "message") if isinstance(choice.get(key), dict)), {})
    parts = _parts(delta)
    traces = [text_of_trace(delta[key]) for key in REASONING_KEYS if delta.get(key)]
    trace = next((one for one in traces if one), "") or text_of_trace(delta.get("reasoning_details"))
    reason = choice.get("finish_reason")
    return Chunk(
        parts.text or "",
        trace or "".join(parts.traces),
        tuple(_called(delta)),
        str(reason) if reason else None,
        usage,
    )


def _parts(delta: dict[str, Any]) -> Parts:
    """Return what the content of a delta holds; a content of an unknown form holds nothing."""
    content = delta.get("content") or delta.get("refusal")
    if isinstance(content, str | None):
        return Parts(content)
    try:
        return read_parts(content)
    except ValueError:
        return Parts()


def _called(delta: dict[str, Any]) -> list[str]:
    """Return the names of the tools that a delta begins to call."""
    calls = delta.get("tool_calls")
    functions = [one.get("function") for one in calls if isinstance(one, dict)] if isinstance(calls, list) else []
    functions.append(delta.get("function_call"))
    return [one["name"] for one in functions if isinstance(one, dict) and isinstance(one.get("name"), str)]


def _usage(found: Any) -> tuple[int | None, int | None] | None:
    if not isinstance(found, dict):
        return None
    return token_count(found.get("prompt_tokens")), token_count(found.get("completion_tokens"))
