"""The text of conversations and responses as a judge reads it, with tool calls, their results, tools and reasoning.

A call is shown as JSON between ``<call>`` tags, behind the text of its turn; the tools that the prompt offers between
``<tools>`` tags, one a line. Every tag of ours is broken in all texts, so that no text can end the place where it is
quoted, or pose as a call.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from curate.score._answer_turns import answer_turns
from curate.steps.quoting import enclose, escape
from schemas.json_text import parse
from schemas.messages import ROLES, Message

# The tags around what a judge is shown. All of them are broken in every text, so that none can pose as another.
TAGS = "conversation|response|response_a|response_b|reference|tools|call|reasoning"
TURN_TAGS = "|".join(("conversation", *ROLES, TAGS))
LONGEST_TOOLS = 20_000  # characters of tools that are shown in full
_CALL = re.compile(r"<call>\n(\{.*\})\n</call>")


class Shown(NamedTuple):
    """A response as a judge reads it: its text, or None and why there is none."""

    text: str | None
    problem: str | None = None


def shown_response(response: str | None, completion: str | None, trace: str | None) -> Shown:
    """Return a response as a judge reads it, to be put between tags.

    Args:
        response: The text of its last turn, without a trace.
        completion: Its turns as JSON text, where there may be tool calls or several turns; or None.
        trace: The reasoning trace of its last turn (empty where it has none), where the judge is to see traces; else
            None.
    """
    turns = answer_turns(response, completion)
    if isinstance(turns, str):
        return Shown(None, turns)
    if trace:
        turns[-1] = {**turns[-1], "reasoning_content": trace}
    if len(turns) == 1:
        return Shown(_bodies(turns, TAGS, reasoning=bool(trace))[0])
    return Shown(_enclosed(turns, _bodies(turns, TURN_TAGS, reasoning=trace is not None)))


def shown_responses(response: pl.Series, completion: pl.Series, traces: pl.Series | None) -> list[Shown]:
    """Return every response of columns as ``shown_response`` does; ``traces`` is None where they are not shown."""
    columns = [response.cast(pl.String), completion.cast(pl.String)]
    shown = [None] * len(response) if traces is None else [trace or "" for trace in traces.cast(pl.String)]
    return [shown_response(*row) for row in zip(*columns, shown, strict=True)]


def shown_text(text: str) -> str:
    """Return a plain text, such as a reference, to be put between tags."""
    return escape(text, TAGS)


def shown_conversation(turns: list[Message], *, reasoning: bool) -> str:
    """Return a conversation between tags, each turn between tags of its role.

    Args:
        turns: The turns.
        reasoning: Whether the traces of the assistant's turns are shown.
    """
    return enclose("conversation", _enclosed(turns, _bodies(turns, TURN_TAGS, reasoning=reasoning)))


def shown_tools(tools: str | None, *others: str) -> str | None:
    """Return the tools of a prompt between tags, or None where there are none.

    A list of more than ``LONGEST_TOOLS`` characters shows in full the tools that are called, then as many as there is
    room for; of the others their names, and how many these are.

    Args:
        tools: The tools as JSON text.
        *others: What else the judge is shown; the tools called there are shown in full.
    """
    try:
        found = parse(tools) if tools else None
    except ValueError:
        found = [tools]
    found = found if isinstance(found, list) or not found else [found]
    if not found:
        return None
    lines = [_tool_line(tool) for tool in found]
    if sum(map(len, lines)) <= LONGEST_TOOLS:
        return enclose("tools", "\n".join(line for line in lines))
    called = {json.loads(one).get("name") for text in others for one in _CALL.findall(text)}
    names = [str(_function(tool).get("name") or "no name") for tool in found]
    room, kept = LONGEST_TOOLS, set()
    for place in sorted(range(len(found)), key=lambda place: names[place] not in called):
        if names[place] in called or len(lines[place]) <= room:
            kept.add(place)
            room -= len(lines[place])
    left = ", ".join(escape(name, TURN_TAGS) for place, name in enumerate(names) if place not in kept)[:LONGEST_TOOLS]
    rest = f"{len(found) - len(kept)} further tools, by name only: {left}"
    return enclose("tools", "\n".join([line for place, line in enumerate(lines) if place in kept] + [rest]))


def _enclosed(turns: Sequence[Any], bodies: list[str]) -> str:
    return "\n".join(enclose(turn["role"], body) for turn, body in zip(turns, bodies, strict=True))


def _bodies(turns: Sequence[Any], tags: str, *, reasoning: bool) -> list[str]:
    """Return the text of each turn, with what it calls; results of several calls say which one they are of."""
    bodies = []
    waiting: list[tuple[Any, str]] = []  # several calls of one turn that have no result yet: the id, a name
    for turn in turns:
        parts, calls = [], turn.get("tool_calls") or []
        if reasoning and turn.get("reasoning_content"):
            parts.append(enclose("reasoning", escape(turn["reasoning_content"], tags)))
        if turn["role"] == "tool" and waiting:
            given = turn.get("tool_call_id")
            answered = next((one for one in waiting if given is not None and one[0] == given), waiting[0])
            waiting.remove(answered)
            parts.append(f"Result of {answered[1]}:")
        if turn.get("content") or not (parts or calls):
            parts.append(escape(turn.get("content") or "", tags))
        parts += [enclose("call", escape(_call_text(call), tags)) for call in calls]
        if calls:
            named = [(call.get("id"), _call_name(number, call)) for number, call in enumerate(calls, 1)]
            waiting = named if len(calls) > 1 else []
        bodies.append("\n".join(parts))
    return bodies


def _call_text(call: dict[str, Any]) -> str:
    function = _function(call)
    return json.dumps({"name": function.get("name"), "arguments": function.get("arguments")}, ensure_ascii=False)


def _call_name(number: int, call: dict[str, Any]) -> str:
    return f"call {number} ({escape(str(_function(call).get('name')), TURN_TAGS)})"


def _function(value: Any) -> dict[str, Any]:
    """Return the function of a call or a tool: that under ``function``, or the value itself."""
    function = value.get("function", value) if isinstance(value, dict) else value
    return function if isinstance(function, dict) else {}


def _tool_line(tool: Any) -> str:
    shown = tool if isinstance(tool, str) else json.dumps(_function(tool) or tool, ensure_ascii=False)
    return escape(shown, TURN_TAGS)
