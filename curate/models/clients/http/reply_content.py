"""Reads the content of a reply that is a list of parts: text, reasoning, tool calls, and what is left out."""

from dataclasses import dataclass, field
from typing import Any

from schemas.message_content import CALL_TYPES, HIDDEN_THOUGHTS, TEXTS, THOUGHTS, TRACE_KEYS

KNOWN = (*TEXTS, *THOUGHTS, *HIDDEN_THOUGHTS, *CALL_TYPES, "refusal")
DEEPEST = 16  # levels of lists in a trace


@dataclass(slots=True)
class Parts:
    """The text of a content (None: it has none), its reasoning traces, and its tool calls."""

    text: str | None = None
    traces: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)


def read_parts(content: Any) -> Parts:
    """Return what the parts of a content hold.

    Parts of types that are not known are left out. Raises ``ValueError`` where there is nothing else, or where the
    content has no parts.
    """
    listed = [content] if isinstance(content, dict) else content
    if not isinstance(listed, list):
        raise ValueError
    parts, texts, known = Parts(), [], not listed
    for part in listed:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            texts += _read_part(part, parts)
        known |= isinstance(part, str) or (isinstance(part, dict) and (part.get("type") in KNOWN or "text" in part))
    if not known:
        raise ValueError
    parts.text = "".join(texts) if texts else None
    return parts


def _read_part(part: dict, parts: Parts) -> list[str]:
    """Return the texts of one part; put a trace or a call into ``parts``."""
    kind = part.get("type")
    if kind in THOUGHTS or part.get("thought") is True:
        trace = text_of_trace(part)
        parts.traces += [trace] if trace else []
        return []
    if kind in CALL_TYPES:
        inner = part.get("function")
        function = inner if isinstance(inner, dict) else part
        arguments = next((function[key] for key in ("arguments", "input") if key in function), None)
        parts.calls.append({"id": part.get("id"), "function": {"name": function.get("name"), "arguments": arguments}})
        return []
    text = part.get("text", part.get("refusal"))
    text = text.get("value") if isinstance(text, dict) else text
    if kind in (*TEXTS, None) and text is not None and not isinstance(text, str):
        raise ValueError
    return [text] if kind in (*TEXTS, None, "refusal") and isinstance(text, str) else []


def text_of_trace(value: Any, levels: int = DEEPEST) -> str:
    """Return a reasoning trace given as text, as a part with a text, or as a list of these; others have no text.

    What is nested more than ``levels`` deep is no trace.
    """
    if isinstance(value, dict):
        value = next((value[key] for key in TRACE_KEYS if isinstance(value.get(key), str | list)), None)
    if isinstance(value, list) and levels:
        return "\n\n".join(text for one in value if (text := text_of_trace(one, levels - 1)))
    return value if isinstance(value, str) else ""
