"""A conversation as HTML: a block a turn, with its role, reasoning, tool calls, and whether it is learnt."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from cli.pages.texts import shown
from schemas.json_text import parse
from schemas.learnt_turns import is_learnt

ROLES = ("system", "developer", "user", "assistant", "tool")
MOST_TURNS = 200  # of a conversation on a page
TURN = Markup(
    '<div class="turn {role}{learnt}"><span class="role">{name}</span>{marks}{reasoning}{content}{calls}</div>'
)
REASONING = Markup(
    '<details class="reasoning"><summary>reasoning</summary><div class="text" dir="auto">{}</div></details>'
)
CONTENT = Markup('<div class="text" dir="auto">{}</div>')
CALL = Markup('<div class="call"><span class="name">{}</span><pre dir="ltr">{}</pre></div>')


def conversation(messages: Any, *, learnt: bool | None = None) -> Markup:
    """Return messages as HTML.

    Args:
        messages: A list of messages, or its JSON text; a text that is none is shown as it is.
        learnt: Whether the assistant's turns are learnt, but for those that are marked as context only; ``None`` marks
            no turn.
    """
    turns = parsed(messages)
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        return CONTENT.format(shown(messages if isinstance(messages, str) else json.dumps(messages, default=str)))
    html = Markup().join(_turn(turn, learnt) for turn in turns[:MOST_TURNS])
    left = len(turns) - MOST_TURNS
    return html + (Markup('<p class="cut">{:,} more turns</p>').format(left) if left > 0 else Markup())


def parsed(messages: Any) -> Any:
    """Return the value of a JSON text, or what was given where it is none."""
    if not isinstance(messages, str) or messages[:1] not in ("[", "{"):
        return messages
    try:
        return parse(messages)
    except ValueError:
        return messages


def _turn(turn: Mapping[str, Any], learnt: bool | None) -> Markup:
    role = str(turn.get("role", "?"))
    is_taught = bool(learnt) and role == "assistant" and is_learnt({**turn, "role": role})
    mark = "learnt" if is_taught else "context only" if learnt and role == "assistant" else ""
    trace = turn.get("reasoning_content")
    calls = turn.get("tool_calls")
    content = turn.get("content")
    return TURN.format(
        role=role if role in ROLES else "other",
        learnt=" learnt" if is_taught else "",
        name=shown(role, 40) + (Markup(" ") + shown(turn["name"], 80) if turn.get("name") else Markup()),
        marks=Markup('<span class="mark">{}</span>').format(mark) if mark else Markup(),
        reasoning=REASONING.format(shown(trace)) if trace else Markup(),
        content=CONTENT.format(_content(content)) if content not in (None, "", []) else Markup(),
        calls=Markup().join(map(_call, calls)) if isinstance(calls, list) else Markup(),
    )


def _content(content: Any) -> Markup:
    """Return a turn's content: a text, or the texts of its parts; any other part is named."""
    if not isinstance(content, Sequence) or isinstance(content, str):
        return shown(content if isinstance(content, str) else json.dumps(content, default=str, ensure_ascii=False))
    parts = [
        part.get("text", f"[{part.get('type', 'part')}]") if isinstance(part, Mapping) else str(part)
        for part in content
    ]
    return shown("\n".join(map(str, parts)))


def _call(call: Any) -> Markup:
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    function = function if isinstance(function, Mapping) else {}
    arguments = parsed(function.get("arguments", {}))
    whole = (
        arguments if isinstance(arguments, str) else json.dumps(arguments, indent=2, ensure_ascii=False, default=str)
    )
    return CALL.format(shown(function.get("name", "?"), 200), shown(whole))
