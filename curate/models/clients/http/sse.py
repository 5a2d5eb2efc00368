"""Reads the server-sent events of a streamed chat completion: pure functions over bytes.

A stream is read leniently, as servers and gateways write it: each ``data:`` line is an event of its own, since no
server puts a line end into one, and some leave out the blank lines between events.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from curate.models.clients.http.complaint import complaint
from curate.models.clients.http.replies import Malformed
from curate.models.clients.http.reply_content import Parts, read_parts, text_of_trace
from schemas.message_content import REASONING_KEYS

LONGEST_LINE = 4 << 20  # bytes
DONE = b"[DONE]"
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


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
        *lines, self._held = _LINE_END.split(self._held + part)
        if len(self._held) > LONGEST_LINE:
            raise Malformed(f"a stream with a line of more than {LONGEST_LINE >> 20} MB")
        return [data for line in lines if (data := _data(line)) is not None]


def _data(line: bytes) -> bytes | None:
    """Return the data of a line; None for comments, which keep a connection alive, and for other fields."""
    name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
    return value.strip() if name == b"data" and value.strip() else None


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
        body = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
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
        _whole(parts.text or ""),
        _whole(trace or "".join(parts.traces)),
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
    counts = [found.get(key) for key in ("prompt_tokens", "completion_tokens")]
    prompt, written = (count if isinstance(count, int) and count >= 0 else None for count in counts)
    return prompt, written


def _whole(text: str) -> str:
    """Return a text with U+FFFD for each half of a surrogate pair, which is no character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
