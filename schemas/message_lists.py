"""Lists of messages in other forms than mappings with roles: columns, and the items of OpenAI's Responses."""

from typing import Any

from schemas.message_content import read_traces

ITEM_TYPES = ("function_call", "function_call_output", "reasoning")  # of items that are not messages by themselves
ROLE_KEYS = ("role", "from", "speaker", "author", "sender")


def by_turns(value: dict) -> list:
    """Return the messages of a mapping: itself, or one for each place in its lists."""
    if not any(isinstance(value.get(key), list) for key in ROLE_KEYS):
        return [value]
    lists = {key: column for key, column in value.items() if isinstance(column, list)}
    same = {key: one for key, one in value.items() if key not in lists}
    return [
        {**same, **{key: column[index] for key, column in lists.items() if index < len(column)}}
        for index in range(max(map(len, lists.values())))
    ]


def is_item(value: Any) -> bool:
    """Return whether a value is an item of OpenAI's Responses that is no message: a call, a result or a trace."""
    return (
        isinstance(value, dict) and value.get("type") in ITEM_TYPES and all(value.get(key) is None for key in ROLE_KEYS)
    )


def by_items(items: list) -> list:
    """Return the messages of items: a trace, a text and the calls behind them are one turn of the assistant.

    The ids, types and states of items are left out; the ids of calls are kept. Other items stay as they are.
    """
    messages: list[Any] = []
    traces: list[str] = []
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if is_item(item) and kind == "reasoning":
            traces.append(read_traces(item.get("content") or item.get("summary")) or "")
            continue
        if kind == "message":
            item = {key: value for key, value in item.items() if key not in ("id", "type", "status")}
        if not is_item(item):
            messages.append(item)
        elif kind == "function_call":
            call = {"id": item.get("call_id"), "name": item.get("name"), "arguments": item.get("arguments")}
            if traces or not messages or not _is_answer(messages[-1]):
                messages.append({"role": "assistant", "content": ""})
            messages[-1] = {**messages[-1], "tool_calls": [*(messages[-1].get("tool_calls") or []), call]}
        else:
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")})
        if traces and _is_answer(messages[-1]):
            messages[-1] = {**messages[-1], "reasoning_content": "\n\n".join(filter(None, traces))}
            traces = []
    if any(traces):
        messages.append({"role": "assistant", "content": "", "reasoning_content": "\n\n".join(filter(None, traces))})
    return messages


def _is_answer(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"
