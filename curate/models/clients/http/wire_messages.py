"""Writes stored messages and tools as OpenAI's schema has them: pure functions over JSON text.

Messages are stored with arguments as mappings, and with keys that OpenAI's schema does not have. A server gets the keys
of ``KEYS`` only, arguments as JSON text, an id with every call, and with every result the id of the call that it
answers.
"""

import json
import re
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import msgspec

from schemas.call_ids import call_id

KEYS = ("role", "content", "name", "tool_calls", "tool_call_id")
FUNCTION_KEYS = ("name", "description", "parameters", "strict")
NOT_IN_NAMES = re.compile(r"[\s<|\\/>]+")  # OpenAI refuses a name that holds any of them
LONGEST_NAME = 64  # characters


@dataclass(frozen=True)
class MessageForm:
    """The form of the messages that a server gets.

    Attributes:
        reasoning: Whether it gets the reasoning traces of earlier turns, as ``reasoning_content``.
        short_ids: Whether every id of a call is replaced by one of nine letters and digits.
        result_names: Whether a tool's result has the name that is stored with it.
        null_content: Whether a turn of calls alone has a null content: some servers refuse an empty text there, and
            null is what the schema says.
    """

    reasoning: bool = False
    short_ids: bool = False
    result_names: bool = True
    null_content: bool = True


PLAIN_FORM = MessageForm()


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    """A message that is sent as it is stored, as nearly all are."""

    role: Literal["system", "developer", "user", "assistant"]  # a tool's result needs the id of its call
    content: str


_decode_plain = msgspec.json.Decoder(list[_Plain]).decode


def sent_messages(messages: str, form: MessageForm = PLAIN_FORM) -> str:
    """Return stored messages (JSON text) as a server gets them; messages that need nothing are returned unchanged."""
    try:
        _decode_plain(messages)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    else:
        return messages
    try:
        turns = json.loads(messages)
    except (ValueError, RecursionError):
        return messages
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return messages
    named = {str(turn["tool_call_id"]) for turn in turns if turn.get("tool_call_id")}
    ids = _CallIds(form.short_ids, named)
    return json.dumps([_sent(turn, ids, form) for turn in turns], ensure_ascii=False, separators=(",", ":"))


def _sent(turn: dict[str, Any], ids: "_CallIds", form: MessageForm) -> dict[str, Any]:
    """Return one message as it is sent."""
    made = {key: turn[key] for key in KEYS if turn.get(key) is not None}
    made["content"] = _content(turn)
    role = turn.get("role")
    if role == "tool" and not form.result_names:
        made.pop("name", None)
    if "name" in made:
        name = NOT_IN_NAMES.sub("_", str(made.pop("name")).strip())[:LONGEST_NAME]
        made |= {"name": name} if name else {}
    calls = made.pop("tool_calls", None)
    if calls and isinstance(calls, list) and role == "assistant":
        made["tool_calls"] = ids.of_turn(calls)
        made["content"] = made["content"] or (None if form.null_content else "")
    made.pop("tool_call_id", None)
    if role == "tool":
        made["tool_call_id"] = ids.of_result(turn)
    trace = turn.get("reasoning_content")
    if form.reasoning and trace and role == "assistant":
        made["reasoning_content"] = trace
    return made


def _content(turn: dict[str, Any]) -> Any:
    """Return a message's text or parts; a refusal is a text, and a mapping (a tool's result) becomes JSON text."""
    content = turn.get("content")
    if content is None:
        content = turn.get("refusal") or ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and all(isinstance(part, dict) and "type" in part for part in content):
        return content
    return json.dumps(content, ensure_ascii=False)


class _CallIds:
    """Gives every call of a conversation an id of its own, and every result the id of the call that it answers."""

    def __init__(self, short: bool, named: set[str]) -> None:
        self.short = short
        self.named = named  # by results
        self.turns = 0  # with calls, so far
        self.used: set[str] = set()
        self.open: list[tuple[str, str, str]] = []  # calls without a result: the stored id, the id sent, the name

    def of_turn(self, calls: list[Any]) -> list[dict[str, Any]]:
        """Return the calls of one turn as they are sent."""
        sent = [self._of_call(call, number) for number, call in enumerate(calls) if isinstance(call, dict)]
        self.turns += 1
        return sent

    def _of_call(self, call: dict[str, Any], number: int) -> dict[str, Any]:
        """Return a call as it is sent. An id that an earlier turn has used is replaced: results would be ambiguous."""
        inner = call.get("function")
        function = inner if isinstance(inner, dict) else call
        name, arguments = str(function.get("name") or ""), function.get("arguments")
        stored = "" if call.get("id") is None else str(call["id"])
        sent = stored
        if not sent or sent in self.used or self.short:
            sent = self._made(number, {"name": name, "arguments": arguments})
        self.used.add(sent)
        self.open.append((stored, sent, name))
        return {"id": sent, "type": "function", "function": {"name": name, "arguments": _arguments(arguments)}}

    def of_result(self, turn: dict[str, Any]) -> str:
        """Return the id of the call that a result answers: the call of its id, else of its name, else the next one."""
        given = "" if turn.get("tool_call_id") is None else str(turn["tool_call_id"])
        name = turn.get("name")
        others = [call for call in self.open if not (given and call[0])]
        others = [call for call in others if call[0] not in self.named] or others
        matches = (
            [call for call in self.open if given and call[0] == given]
            or [call for call in others if name and call[2] == name]
            or others
        )
        if not matches:  # it answers no call that is there: the server says what it thinks of that
            return given if given and not self.short else self._made(0, {"id": given, "name": name})
        self.open.remove(matches[0])
        return matches[0][1]

    def _made(self, number: int, function: dict[str, Any]) -> str:
        """Return an id that depends on the place and the content of a call only, and that no other call has."""
        return next(
            made for again in count() if (made := call_id(self.turns, number, function, again)) not in self.used
        )


def _arguments(value: Any) -> str:
    """Return a call's arguments as JSON text. A text is sent as it is, also where it is not JSON."""
    if isinstance(value, str):
        return value if value.strip() else "{}"
    return json.dumps({} if value is None else value, ensure_ascii=False)


def sent_tools(tools: str) -> list[Any]:
    """Return stored tools (JSON text) in OpenAI's form, without the keys that it does not have."""
    found = json.loads(tools)
    return [_sent_tool(tool) for tool in (found if isinstance(found, list) else [found])]


def _sent_tool(tool: Any) -> Any:
    """Return a tool as it is sent; one of another kind than a function is returned unchanged."""
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return tool
    described = {key: function[key] for key in FUNCTION_KEYS if function.get(key) is not None}
    return {"type": "function", "function": described}
