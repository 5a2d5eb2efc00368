"""Read and write chat messages: every convention for one is converted to a single form.

A message is ``{"role": ..., "content": text, ...}`` with a role of ``ROLES``. An assistant message may have
``reasoning_content``, its reasoning trace, and ``tool_calls``. What is not converted to that form is a ``BadRow``.
Turns of ``CALL_NAMES`` that follow each other are the parallel calls of one turn (ms-swift writes a turn for each) and
become one message; their results stay as they are. ``ROLE_NAMES``, ``ROLE_KEYS`` and ``CONTENT_KEYS`` are the
conventions; ``schemas.message_content`` reads contents, ``schemas.tool_calls`` calls, ``schemas.reasoning`` traces.
"""

import json
from typing import Any, Required, TypedDict

import msgspec

from schemas.errors import BadRow, kind_of, nearest, short_repr
from schemas.json_text import blank, dump, read_list
from schemas.learnt_turns import with_one_mark
from schemas.message_content import REASONING_KEYS, read_content, take_traces
from schemas.message_lists import ROLE_KEYS, by_items, by_turns, is_item
from schemas.reasoning import join_traces, says_again, split_reasoning
from schemas.reply_calls import read_reply_calls
from schemas.tool_calls import read_tool_calls, take_legacy_call

ROLES = ("system", "developer", "user", "assistant", "tool")
CALL_NAMES = ("function_call", "function_calls", "tool_call", "tool_calls")  # the content is the calls, as JSON
# The names of roles, in lower case and with "_" for "-" and white space.
ROLE_NAMES = {
    **{role: role for role in ROLES},
    **dict.fromkeys(("human", "prompter"), "user"),
    **dict.fromkeys(
        ("gpt", "chatgpt", "gpt4", "gpt_4", "bing", "bard", "claude", "model", "bot", "chatbot", "ai", "ai_assistant"),
        "assistant",
    ),
    **dict.fromkeys(CALL_NAMES, "assistant"),
    **dict.fromkeys(("function", "function_response", "function_result", "function_output"), "tool"),
    **dict.fromkeys(("tool_response", "tool_result", "tool_results", "tool_output"), "tool"),
    **dict.fromkeys(("observation", "observations", "ipython"), "tool"),
}
SUGGESTED = (*ROLES, "human", "gpt", "function_call", "observation")
CONTENT_KEYS = ("content", "value", "text", "message", "parts", "refusal")
READ_KEYS = {"tool_calls", "function_call", *REASONING_KEYS}  # beside the role and the content; others are kept
_encode = msgspec.json.Encoder().encode  # writes texts as Python does, faster
_PLAIN_NAMES = {name: role for name, role in ROLE_NAMES.items() if name not in CALL_NAMES}


class Message(TypedDict, total=False):
    """One message of a conversation, in our form; a message of a source may have further keys, which are kept."""

    role: Required[str]
    content: Required[str]
    name: str
    tool_call_id: str
    reasoning_content: str
    tool_calls: list[dict[str, Any]]


def dump_turns(messages: list[Message], key: str) -> str:
    """Return ``dump(messages, key)``, faster for messages that have a role and a content only, as nearly all do."""
    try:
        parts = [
            f'{{"role":"{message["role"]}","content":{_encode(message["content"]).decode()}}}'
            if len(message) == 2
            else dump(message, key)
            for message in messages
        ]
    except (UnicodeEncodeError, TypeError):  # half of a surrogate pair, which is said; a kind of text, as NumPy's
        return dump(messages, key)
    return f"[{','.join(parts)}]"


def read_messages(value: Any, key: str, *, empty_ok: bool = False) -> list[Message]:
    """Return the messages of ``value`` in our form, at least one.

    Args:
        value: One message or a list of messages, in any of the conventions that this module reads; also a mapping of
            lists, ``{"role": [...], "content": [...]}``, as the datasets library makes of them.
        key: The name of ``value`` in an error.
        empty_ok: Whether an assistant message may have no text. A recorded sample may be empty; a completion to train
            on may not, unless it has tool calls or a reasoning trace.

    Raises:
        BadRow: ``value`` has no messages, or one of them cannot be read.
    """
    items = by_turns(value) if isinstance(value, dict) else read_list(value, key)
    messages: list[Message] = []
    calls: Message | None = None  # the message of the turn before, where that is a turn of calls
    for index, item in enumerate(items):
        plain = _read_plain(item)
        if plain is not None:
            messages.append(plain)
            calls = None
            continue
        if is_item(item):
            return read_messages(by_items(items), key, empty_ok=empty_ok)
        found = _read_message(item, f"{key}[{index}]", empty_ok)
        is_call_turn = _is_call_turn(item)
        if calls is not None and is_call_turn and _are_only_calls(found[0], calls):
            calls["tool_calls"] += found[0]["tool_calls"]
        else:
            messages += found
            calls = found[0] if is_call_turn and "tool_calls" in found[0] else None
    if not messages:
        raise BadRow(f"{key!r} is empty; expected at least one message")
    return messages


def _read_plain(item: Any) -> Message | None:
    """Return a message of a role and a text, as nearly all are; ``None`` where it needs a closer look."""
    if not isinstance(item, dict):
        return None
    role_key, content_key = ("role", "content") if "role" in item else ("from", "value")
    name, text = item.get(role_key), item.get(content_key)
    if not isinstance(name, str) or not isinstance(text, str):
        return None
    role = _PLAIN_NAMES.get(name)
    trace = None
    if role == "assistant":
        trace, text = split_reasoning(text)
    if role is None or blank(text):
        return None
    message: Any = {"role": role, "content": text}
    if len(item) > 2:
        if not READ_KEYS.isdisjoint(item) and any(item.get(key) is not None for key in READ_KEYS):
            return None
        kept = {k: v for k, v in item.items() if v is not None and k != role_key and k != content_key}
        message |= with_one_mark(kept, role)
    if trace:
        message["reasoning_content"] = trace
    return message


def _read_message(item: Any, where: str, empty_ok: bool) -> list[Message]:
    """Return one message in our form, behind the tool results that it holds; further keys of it are kept.

    A message that holds nothing but a trace without a text is none.
    """
    if not isinstance(item, dict):
        raise BadRow(f"{where} is {kind_of(item)}; expected a message such as {{'role': 'user', 'content': '...'}}")
    rest = {k: v for k, v in item.items() if v is not None}
    name = _take_role(rest, where)
    role = ROLE_NAMES[name]
    rest = with_one_mark(rest, role)
    keys = (*CONTENT_KEYS, "system_prompt") if role == "system" else CONTENT_KEYS
    value = next((rest.pop(key) for key in keys if key in rest), None)
    traces = take_traces(rest, where) if role == "assistant" else []
    if name in CALL_NAMES:
        trace, value = split_reasoning(value) if isinstance(value, str) else (None, value)
        content = read_content(None, role, where)
        content.calls += read_tool_calls(value, where)
    else:
        content = read_content(value, role, where)
        trace, content.text = split_reasoning(content.text) if role == "assistant" else (None, content.text)
    traces = [one for one in traces if not says_again(content.text, one)]
    trace = join_traces([*traces, *content.traces, trace or ""]) if traces or content.traces else trace
    calls = [*read_tool_calls(rest.pop("tool_calls", None), where), *content.calls]
    calls += take_legacy_call(rest, role, calls, where)
    message: Any = {"role": role, "content": content.text}  # may have keys that ``Message`` does not name
    if trace:
        message["reasoning_content"] = trace
    if calls:
        message["tool_calls"] = calls
    message |= rest
    results: list[Any] = content.results
    if results and blank(content.text) and not (calls or trace):
        return [*results[:-1], {**rest, **results[-1]}]
    if blank(content.text) and role in ("user", "assistant") and not (calls or trace):
        if content.hidden:
            return []
        if value is None:
            raise BadRow(f"{where}: content is null; expected text")
        if role == "user" or not empty_ok:
            raise BadRow(f"{where}: the {role} turn's content is empty")
    return [message, *results] if role == "assistant" else [*results, message]


def _is_call_turn(item: dict) -> bool:
    """Return whether the role of a message says that its content is calls."""
    return _role_name(_role_of(item)[1]) in CALL_NAMES


def _are_only_calls(message: Message, before: Message) -> bool:
    """Return whether a message has calls only, beside further keys that the message before it has too."""
    apart = ("tool_calls", "reasoning_content")
    return (
        "reasoning_content" not in message
        and "tool_calls" in message
        and {k: v for k, v in message.items() if k not in apart} == {k: v for k, v in before.items() if k not in apart}
    )


def _role_of(item: dict) -> tuple[str, Any]:
    """Return the key of a message's role and the value there; ChatGPT's export has ``{"author": {"role": ...}}``."""
    key = next((key for key in ROLE_KEYS if item.get(key) is not None), "role")
    value = item.get(key)
    return key, value.get("role") if isinstance(value, dict) else value


def role_of(item: dict) -> str | None:
    """Return a message's role in our form; ``None`` where it has none that is known, or its content is calls."""
    return _PLAIN_NAMES.get(_role_name(_role_of(item)[1]) or "")


def _role_name(name: Any) -> str | None:
    """Return a role as it is written in ``ROLE_NAMES``, ``None`` where it is no text."""
    if not isinstance(name, str) or name in ROLE_NAMES:
        return name if isinstance(name, str) else None
    return "_".join(name.lower().rstrip(" :").replace("-", " ").split())


def _take_role(rest: dict, where: str) -> str:
    """Take the role out of a message; return its name as in ``ROLE_NAMES``."""
    key, name = _role_of(rest)
    known = _role_name(name)
    if known is None:
        keys = ", ".join(short_repr(k) for k in rest)
        raise BadRow(f"{where} has no role: found the keys {keys}; expected role and content (or from and value)")
    if known not in ROLE_NAMES:
        raise BadRow(f"{where}: no role {short_repr(name)}{nearest(name[:40], SUGGESTED)}")
    author = rest.pop(key)
    if isinstance(author, dict) and isinstance(author.get("name"), str):
        rest.setdefault("name", author["name"])
    return known


def answer_message(text: str) -> Message:
    """Return a recorded answer as a message, with its reasoning trace apart from its text."""
    trace, answer = split_reasoning(text)
    return assistant_message(answer, trace)


def with_reasoning(message: Message, trace: str) -> Message:
    """Return an assistant message with a trace that was recorded beside it, before one of its own that differs.

    A trace that the message's text says again is none.
    """
    trace = "" if says_again(message["content"], trace) else trace
    joined = join_traces([trace, message.get("reasoning_content", "")])
    return {**message, "reasoning_content": joined} if joined else message


def same_message(one: Message, other: Message) -> bool:
    """Return whether two messages have the same role, text and tool calls.

    White space at the ends and the ids of calls do not count: copies of a prompt often differ in them.
    """
    return (
        one["role"] == other["role"]
        and one["content"].strip() == other["content"].strip()
        and _functions(one) == _functions(other)
    )


def _functions(message: Message) -> list[dict]:
    """Return what a message calls."""
    return [call["function"] for call in message.get("tool_calls", [])]


def last_text(messages: list[Message], role: str) -> str | None:
    """Return the text of the last message of ``role``, or ``None``."""
    for message in reversed(messages):
        if message["role"] == role:
            return message["content"]
    return None


def trailing_assistant_count(messages: list[Message]) -> int:
    """Return how many messages at the end are the assistant's."""
    count = 0
    while count < len(messages) and messages[-1 - count]["role"] == "assistant":
        count += 1
    return count


def assistant_message(
    text: str, reasoning_content: str | None = None, tool_calls: str | None = None, turn: int = 0
) -> Message:
    """Return a model's reply as a message; the arguments are those of ``assistant_messages``."""
    message: Message = {"role": "assistant", "content": text}
    if reasoning_content:
        message["reasoning_content"] = reasoning_content
    calls = read_reply_calls(tool_calls, turn) if tool_calls else []
    if calls:
        message["tool_calls"] = calls
    return message


def assistant_messages(
    text: str | None, reasoning_content: str | None = None, tool_calls: str | None = None, turn: int = 0
) -> str | None:
    """Return a model's reply as the JSON text of a list with one assistant message.

    Args:
        text: The reply's text; ``None`` where there is no reply, and the result is then ``None`` too.
        reasoning_content: The reasoning trace, which becomes a key of the message unless it is empty.
        tool_calls: The tool calls as JSON text, which become a key of the message unless it is empty.
        turn: How many turns with calls stand before the reply in its conversation.
    """
    if text is None:
        return None
    return json.dumps([assistant_message(text, reasoning_content, tool_calls, turn)], ensure_ascii=False)
