"""Read the content of a message: text, text parts, traces and tool calls among the parts, tool results of any kind."""

from dataclasses import dataclass, field
from typing import Any

from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import dump
from schemas.reasoning import REASONING_FLAGS
from schemas.tool_calls import read_tool_calls

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts")  # of a message
_REASONING_KEYS = frozenset(REASONING_KEYS)
THOUGHTS = ("thinking", "reasoning", "thought")  # types of parts
HIDDEN_THOUGHTS = ("redacted_thinking", "reasoning_recap")  # set ``Content.hidden``
TRACE_KEYS = ("thinking", "reasoning", "text", "thought", "thoughts", "content", "summary", "value")
CALL_TYPES = ("tool_use", "tool_call", "function_call")
RESULT_TYPES = ("tool_result", "tool_response", "function_response")
TEXTS = ("text", "input_text", "output_text")
MEDIA = ("image", "image_url", "input_image", "video", "video_url", "audio", "audio_url", "input_audio")  # refused


@dataclass(slots=True)
class Content:
    """What a message's content holds.

    ``results`` are tool messages (Anthropic puts them into user messages); ``hidden`` is whether there is a trace that
    the model's provider keeps to itself, without a text.
    """

    text: str = ""
    traces: list[str] = field(default_factory=list)
    calls: list[dict] = field(default_factory=list)
    results: list[dict] = field(default_factory=list)
    hidden: bool = False


def read_content(value: Any, role: str, where: str) -> Content:
    """Return a message's content; null is an empty text.

    A tool's result may be of any kind: what is neither text nor text parts becomes JSON text.

    Raises:
        BadRow: The content is neither text nor a list of parts, or has a part of another type, such as an image.
    """
    if isinstance(value, str):
        return Content(value)
    if value is None:
        return Content()
    if isinstance(value, dict) and isinstance(value.get("content_type"), str):
        value = _read_export(value)
    if isinstance(value, dict) and role != "tool":
        is_part = isinstance(value.get("type"), str) or isinstance(value.get("text"), str)
        value = value["parts"] if isinstance(value.get("parts"), list) else [value] if is_part else value
    if isinstance(value, bool | int | float) or (role == "tool" and not _has_parts(value)):
        return Content(dump(value, where))
    if not isinstance(value, list):
        raise BadRow(f"{where}: content is {kind_of(value)}; expected text")
    content = Content()
    content.text = "".join(part if isinstance(part, str) else _read_part(part, content, where) for part in value)
    return content


def _read_export(value: dict) -> Any:
    """Return the parts of a content of ChatGPT's export, or the content itself where it has neither parts nor text."""
    kind = value["content_type"]
    if isinstance(value.get("parts"), list):
        return [_typed(part) for part in value["parts"]]
    if kind == "thoughts":
        return [{"type": "thinking", "thinking": value.get("thoughts")}]
    if kind in HIDDEN_THOUGHTS:
        return [{"type": kind}]
    return [_typed(value["text"])] if isinstance(value.get("text"), str) else value


def _typed(part: Any) -> Any:
    """Return a part of ChatGPT's export with its type where other formats have it."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {**part, "type": part.get("content_type", part.get("type"))} if isinstance(part, dict) else part


def _has_parts(value: Any) -> bool:
    """Return whether a tool's result is a list of text parts or of media, and not a list of data."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(part, dict) and part.get("type") in (*TEXTS, *MEDIA) for part in value)
    )


def _read_part(part: Any, content: Content, where: str) -> str:
    """Return the text of one part; put a trace, a call or a result into ``content``."""
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(part, dict) and kind is None:
        return _read_untyped(part, content, where)
    if kind in THOUGHTS:
        content.traces.append(read_traces(part) or "")
        return ""
    if kind in HIDDEN_THOUGHTS:
        content.hidden = True
        return ""
    if kind in CALL_TYPES:
        value = part.get("value")
        content.calls += read_tool_calls(part if value is None else value, where)
        return ""
    if kind in RESULT_TYPES:
        content.results.append(_read_result(part, where))
        return ""
    if isinstance(part, dict):
        for key in ("text", "value", "refusal") if kind in TEXTS else ("text", "refusal"):
            text = part.get(key)
            text = text.get("value") if isinstance(text, dict) else text  # as OpenAI's assistants write
            if isinstance(text, str):
                return text
    found = short_repr(kind) if isinstance(part, dict) else kind_of(part)
    raise BadRow(f"{where}: content has a part that is {found}; only text parts are read")


def _read_untyped(part: dict, content: Content, where: str) -> str:
    """Return the text of a part without a type (Gemini's); put a trace, a call or a result into ``content``."""
    text = part.get("text")
    call = part.get("functionCall", part.get("function_call"))
    result = part.get("functionResponse", part.get("function_response"))
    if isinstance(text, str):
        if part.get("thought") is True:
            content.traces.append(text)
            return ""
        return text
    if call is not None:
        content.calls += read_tool_calls(call, where)
    elif isinstance(result, dict):
        rest = {k: v for k, v in result.items() if k != "response"}
        content.results.append({"role": "tool", "content": _result_text(result.get("response"), where), **rest})
    else:
        found = ", ".join(short_repr(key) for key in part)
        raise BadRow(f"{where}: content has a part with the keys {found or '(none)'}; only text parts are read")
    return ""


def _read_result(part: dict, where: str) -> dict:
    """Return a tool's result that is a part of a message as a message of its own; further keys are kept."""
    rest = {k: v for k, v in part.items() if k not in ("type", "content", "tool_use_id", "cache_control")}
    called = {"tool_call_id": part["tool_use_id"]} if part.get("tool_use_id") is not None else {}
    return {"role": "tool", "content": _result_text(part.get("content"), where), **called, **rest}


def _result_text(value: Any, where: str) -> str:
    """Return the text of a tool's result."""
    return read_content(value, "tool", where).text


def read_traces(value: Any) -> str | None:
    """Return a reasoning trace given as text, as a part with a text, or as a list of these; else ``None``."""
    if isinstance(value, dict):
        value = next((value[key] for key in TRACE_KEYS if isinstance(value.get(key), str | list)), None)
    if isinstance(value, list):
        texts = [read_traces(one) for one in value]
        return "\n\n".join(text for text in texts if text) if value and None not in texts else None
    return value if isinstance(value, str) else None


def take_traces(rest: dict, where: str) -> list[str]:
    """Take the reasoning traces out of an assistant message; a setting (``REASONING_FLAGS``) stays."""
    traces: list[str] = []
    for key in () if _REASONING_KEYS.isdisjoint(rest) else REASONING_KEYS:
        found = read_traces(rest[key]) if key in rest else None
        if key == "reasoning_content" and key in rest:
            found = dump(rest[key], where) if found is None else found
        elif found is not None and len(found) < 20 and found.strip().lower() in REASONING_FLAGS:
            found = None
        if found is not None:
            del rest[key]
            traces.append(found)
    return traces
