"""Fits a conversation to a chat template: what ``template_support`` found that the template prints, and in which form.

Nothing is changed that a template takes as it is. What a template can't print in any form is named by ``not_shown``.
"""

import hashlib
import json
import re
from typing import Any

from curate.models.chat.chat_template import in_parts
from curate.models.chat.template_support import Support

OURS = ("weight", "train")  # keys of a message that say what is learnt; no template is given them
SYSTEM_FIRST = "system text in the first user turn"
SYSTEM_LATER = "later system text in a user turn"
SYSTEM_JOINED = "system texts joined"
DEVELOPER = "developer turns as system turns"
ARGUMENTS = "tool calls' arguments as JSON text"
IDS = "tool call ids of nine characters"
NAMES = "tool results with their tools' names"
PARTS = "texts as parts of the type 'text'"
SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")
BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def fit(messages: list[Any], support: Support) -> tuple[list[Any], frozenset[str]]:
    """Return a conversation as a template can print it, and the names of what was changed for that.

    Args:
        messages: The messages, in our form. They are not changed; the same list is returned where they fit.
        support: What the template prints.
    """
    if _is_plain(messages, support) and not support.content_parts:
        return messages, frozenset()
    changed: set[str] = set()
    fitted = _fit_system(messages, support, changed)
    if support.tool_calls:
        fitted = _fit_calls(fitted, support, changed)
    bare = [message if _is_bare(message) else {k: v for k, v in message.items() if k not in OURS} for message in fitted]
    if support.content_parts:
        bare = [in_parts(message) for message in bare]
        changed.add(PARTS)
    return (messages if bare == messages else bare), frozenset(changed)


def not_shown(messages: list[Any], tools: list[Any] | None, support: Support) -> list[str]:
    """Return the names of what a conversation has and a template prints nothing of.

    A reasoning trace counts where it is that of the last assistant turn: many templates leave earlier ones out on
    purpose, as the model did not see them when it wrote its next turn.

    Args:
        messages: The messages, in our form, fitted or not.
        tools: The descriptions of the tools, or None.
        support: What the template prints.
    """
    lost = {}
    if not support.turns:
        lost["turns"] = True
    called = [message for message in messages if message.get("tool_calls")]
    beside = any(message.get("content") for message in called)
    last = next((message for message in reversed(messages) if message["role"] == "assistant"), {})
    lost["tools"] = bool(tools) and not support.tools
    lost["tool calls"] = bool(called) and not (support.tool_calls and (tools or not support.needs_tools))
    if support.tool_calls:
        several = any(len(message["tool_calls"]) > 1 for message in called)
        lost["parallel tool calls"] = several and not support.parallel_calls
        lost["tool calls beside a text"] = beside and not support.calls_beside_text
        lost["text beside tool calls"] = beside and not support.text_beside_calls
    lost["tool results"] = not support.tool_results and any(message["role"] == "tool" for message in messages)
    if last.get("reasoning_content"):
        shown = support.reasoning_beside_calls if last.get("tool_calls") else support.reasoning
        lost["reasoning"] = not shown
    return [name for name, is_lost in lost.items() if is_lost]


def _is_bare(message: dict[str, Any]) -> bool:
    return len(message) == 2 or not any(key in message for key in OURS)


def _is_plain(messages: list[Any], support: Support) -> bool:
    """Return whether all messages are texts of user and assistant, after a system text that the template prints."""
    rest = messages[1:] if messages and messages[0]["role"] == "system" and support.system else messages
    return all(len(message) == 2 and message["role"] in ("user", "assistant") for message in rest) and (
        rest is messages or len(messages[0]) == 2
    )


def _fit_system(messages: list[Any], support: Support, changed: set[str]) -> list[Any]:
    """Put system texts where the template prints them: into the user's turn that follows, or the one before."""
    found: list[Any] = []
    waiting: list[str] = []  # system texts that await a user's turn
    for message in messages:
        role = message["role"]
        if role == "developer" and not (support.later_developer if found else support.developer):
            message, role = {**message, "role": "system"}, "system"
            changed.add(DEVELOPER)
        if role == "system" and not (support.later_system if found else support.system) and not waiting:
            before = found[-1] if found else None
            if before is not None and before["role"] in ("system", "developer"):
                found[-1] = {**before, "content": _join(before["content"], message["content"])}
                changed.add(SYSTEM_JOINED)
            else:
                waiting.append(message["content"])
        elif role == "system" and waiting:
            waiting.append(message["content"])
        elif waiting:
            _place(found, waiting, message, changed)
            waiting = []
        else:
            found.append(message)
    if waiting:
        _place(found, waiting, None, changed)
    return found


def _place(found: list[Any], waiting: list[str], message: Any, changed: set[str]) -> None:
    """Append a message behind system texts that no turn of their own can hold."""
    changed.add(SYSTEM_LATER if any(one["role"] != "system" for one in found) else SYSTEM_FIRST)
    if message is not None and message["role"] == "user":
        found.append({**message, "content": _join(*waiting, message["content"])})
        return
    if found and found[-1]["role"] == "user":
        found[-1] = {**found[-1], "content": _join(found[-1]["content"], *waiting)}
    else:
        found.append({"role": "user", "content": _join(*waiting)})
    if message is not None:
        found.append(message)


def _join(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)


def _fit_calls(messages: list[Any], support: Support, changed: set[str]) -> list[Any]:
    """Give calls and results the form that the template takes."""
    fitted: list[Any] = []
    open_calls: list[tuple[Any, str, str]] = []  # of calls without a result: the id they had, the id given, the name
    for place, message in enumerate(messages):
        if message.get("tool_calls"):
            calls = [_fit_call(call, (place, i), support, changed) for i, call in enumerate(message["tool_calls"])]
            open_calls = [
                (old.get("id"), new.get("id", ""), new["function"]["name"])
                for old, new in zip(message["tool_calls"], calls, strict=True)
            ]
            message = {**message, "tool_calls": calls}
            if not message.get("content") and support.call_content != "empty":
                message["content"] = None
                if support.call_content == "absent":
                    del message["content"]
        elif message["role"] == "tool" and (support.short_ids or support.result_names):
            message = _fit_result(message, open_calls, support, changed)
        fitted.append(message)
    return fitted


def _fit_call(call: dict[str, Any], place: tuple[int, int], support: Support, changed: set[str]) -> dict[str, Any]:
    """Return a call with the arguments and the id that the template takes."""
    function = call["function"]
    arguments = function.get("arguments")
    if support.arguments == "text" and not isinstance(arguments, str):
        call = {**call, "function": {**function, "arguments": json.dumps(arguments, ensure_ascii=False)}}
        changed.add(ARGUMENTS)
    if support.short_ids and not _is_short(call.get("id")):
        call = {**call, "id": _short_id(call.get("id"), place)}
        changed.add(IDS)
    return call


def _fit_result(
    message: dict[str, Any], open_calls: list[tuple[Any, str, str]], support: Support, changed: set[str]
) -> dict[str, Any]:
    """Return a result with the id and the name of the call that it answers: by its id, else by its order."""
    given = message.get("tool_call_id")
    index = next((i for i, (old, _, _) in enumerate(open_calls) if given is not None and old == given), None)
    if index is None and open_calls and given is None:
        index = 0
    call_id, name = ("", "") if index is None else open_calls.pop(index)[1:]
    if support.short_ids and not _is_short(given):
        message = {**message, "tool_call_id": call_id or _short_id(given, (0, 0))}
        changed.add(IDS)
    if support.result_names and name and not message.get("name"):
        message = {**message, "name": name}
        changed.add(NAMES)
    return message


def _is_short(call_id: Any) -> bool:
    return isinstance(call_id, str) and SHORT_ID.fullmatch(call_id) is not None


def _short_id(call_id: Any, place: tuple[int, int]) -> str:
    """Return nine characters [a-zA-Z0-9] that stand for an id, or for a call's place where it has none."""
    said = f"id {call_id}" if call_id is not None else f"place {place[0]} {place[1]}"
    number = int.from_bytes(hashlib.sha256(said.encode()).digest())
    letters = ""
    for _ in range(9):
        number, rest = divmod(number, len(BASE62))
        letters += BASE62[rest]
    return letters
