"""Give each tool call of a conversation an id, and each result the id of the call that it answers."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.call_ids import call_id
from schemas.exact_json import Rewritten
from schemas.messages import Message
from schemas.tool_calls import id_text

RESULT_IDS = ("tool_call_id", "tool_use_id", "toolCallId", "call_id")  # keys of a result
INEXACT = "calls whose arguments are not kept digit for digit"
UNASKED = "tool results without a call that they answer"


class CallLinks:
    """The calls of a conversation up to some message.

    ``turns`` is how many turns had calls; ``used`` are the ids of calls; ``waiting`` are the calls without a result, of
    the turns since the last result; ``ours`` are the ids of those of them whose ids may still change; ``named`` are the
    ids that results name; ``counts`` are what a user is told of.
    """

    def __init__(self, counts: Counter[str]) -> None:
        """Start before the first message."""
        self.turns, self.used, self.waiting, self.answered = 0, set[str](), list[dict[str, Any]](), False
        self.ours, self.named = set[str](), set[str]()
        self.counts = counts

    def after(self) -> "CallLinks":
        """Return these links to go on from, as each of several answers does; the counts are the same."""
        made = CallLinks(self.counts)
        made.turns, made.used, made.waiting, made.answered = self.turns, {*self.used}, [*self.waiting], self.answered
        return made

    def link(self, messages: Sequence[Message]) -> list[Message]:
        """Return the next messages of the conversation, each call with an id and each result with its call's."""
        self.ours = set()  # not those of messages that were returned before
        self.named = {
            found
            for one in messages
            if one["role"] == "tool" and len(one) > 2 and (found := _named_id(one)) is not None
        }
        return [
            self._with_ids(message)
            if message.get("tool_calls")
            else self._with_call(message)
            if message["role"] == "tool"
            else message
            for message in messages
        ]

    def _with_ids(self, message: Message) -> Message:
        """Return a turn whose calls all have ids."""
        if self.answered:
            self.waiting, self.answered = [], False
        self.used.update(call["id"] for call in message["tool_calls"] if "id" in call)
        calls = []
        for number, call in enumerate(message["tool_calls"]):
            function = call["function"]
            if isinstance(function["arguments"], Rewritten):
                self.counts[INEXACT] += 1
            if "id" not in call:
                call = {"id": self._new_id(number, function), **call}
                self.ours.add(call["id"])
            calls.append(call)
        self.waiting += calls
        self.turns += 1
        return {**message, "tool_calls": calls}

    def _new_id(self, number: int, function: dict) -> str:
        again = 0
        while (made := call_id(self.turns, number, function, again)) in self.used:
            again += 1
        self.used.add(made)
        return made

    def _with_call(self, message: Any) -> Message:
        """Return a result with the id of the call that it answers: the one it names, or else the first that waits.

        A call that had no id takes the id that the result in its place names.
        """
        self.answered = True
        given = self._given(message) if len(message) > 2 else None
        if given is None and self.waiting:
            others = [call for call in self.waiting if call["id"] not in self.named]
            given = _answered(others or self.waiting, message)["id"]
        elif given is not None and given not in self.used:
            open_calls = [call for call in self.waiting if call["id"] in self.ours]
            if open_calls:
                _answered(open_calls, message)["id"] = given  # a copy of the message's call
                self.used.add(given)
        if given is None or given not in self.used:
            self.counts[UNASKED] += 1
        self.waiting = [call for call in self.waiting if call["id"] != given]
        if message.get("tool_call_id") == given:
            return message
        made: Any = {"role": message["role"], "content": message["content"]}
        made |= {} if given is None else {"tool_call_id": given}
        return made | {key: value for key, value in message.items() if key not in RESULT_IDS}

    def _given(self, message: Any) -> str | None:
        """Return the id of a call that a result names; an ``id`` of its own may be that of a call that waits."""
        found, own = _named_id(message), message.get("id")
        return own if found is None and any(own == call["id"] for call in self.waiting) else found


def _named_id(result: Mapping[str, Any]) -> str | None:
    """Return the id that a result has as that of its call."""
    return next((found for key in RESULT_IDS if (found := id_text(result.get(key)))), None)


def _answered(calls: list[dict[str, Any]], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call that a result answers: the first of the function that it names, else the first."""
    name = _name_of(result)
    return next((call for call in calls if call["function"]["name"] == name), calls[0])


def _name_of(result: Mapping[str, Any]) -> Any:
    """Return the name of the function that gave a result, which may stand in its text: ``{"name", "content"}``."""
    name, text = result.get("name"), result["content"]
    if name is None and text.startswith("{") and '"name"' in text[:20]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        name = found.get("name") if {"name", "content"} == found.keys() else None
    return name
