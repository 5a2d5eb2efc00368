"""Parses tool calls in a model's text, ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``.

This is the form of Hermes and Qwen, and the one that most chat templates with tools ask for.
"""

import json
from typing import Any

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_not_json)


def split_tool_calls(text: str) -> tuple[str | None, str]:
    """Split a reply into its tool calls and the rest of its text.

    The calls are JSON text in OpenAI's shape, ``[{"id", "type", "function": {"name", "arguments": JSON text}}]``, or
    None where there are none. A block that cannot be read as a call (or that has an opening tag inside) stays text.
    """
    before, *pieces = text.split(OPEN)  # each is read by itself, so that the time is linear in the length
    calls: list[dict[str, Any]] = []
    rest = [before]
    for piece in pieces:
        call, end = _call(piece)
        if call is None:
            rest += [OPEN, piece]
        else:
            calls.append({"id": f"call_{len(calls)}", "type": "function", "function": call})
            rest.append(piece[end:])
    return (json.dumps(calls, ensure_ascii=False), "".join(rest).strip()) if calls else (None, text)


def _call(piece: str) -> tuple[dict[str, str] | None, int]:
    """Read the text after an opening tag; return the call, or None, and where its closing tag ends."""
    try:
        value, end = _DECODER.raw_decode(piece, _blank(piece, 0))
        end = _blank(piece, end)
        if not piece.startswith(CLOSE, end) or not isinstance(value, dict):
            return None, 0
        name, given = value.get("name"), value.get("arguments", {})
        if isinstance(given, str):  # some models write the arguments as JSON text already
            given = _DECODER.decode(given)
        if not isinstance(name, str) or not name or not isinstance(given, dict):
            return None, 0
        return {"name": _text(name), "arguments": _text(json.dumps(given, ensure_ascii=False))}, end + len(CLOSE)
    except (ValueError, RecursionError):  # not JSON, half a character, or nested too deeply
        return None, 0


def _blank(text: str, start: int) -> int:
    """Return where the white space that begins at ``start`` ends."""
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def _text(value: Any) -> str:
    r"""Return the text itself; raise ``ValueError`` if it holds half of a surrogate pair (``"\ud83d"``)."""
    value.encode()
    return value
