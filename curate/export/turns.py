"""Turns of conversations in the forms of other programs, with the names of what is lost in them."""

import json
from collections.abc import Iterable
from typing import Any

from schemas.json_text import blank, dump
from schemas.learnt_turns import MARK_KEYS, is_learnt, mark_name

KNOWN = {"role", "content", "name", "tool_call_id", "tool_calls", "reasoning_content"}
TRACES, MARKS, FURTHER = "reasoning traces", "marks of turns that are not learnt", "further keys of turns"
IDS, TOOLS, SEVERAL = "ids of tool calls", "tools", "an answer of several turns"
Turn = dict[str, Any]


def turns_of(text: str) -> list[Turn]:
    """Return the turns that a column holds as JSON text."""
    return json.loads(text)


def open_ai_turns(
    turns: Iterable[Turn], *, mark: tuple[str, Any] | None, trace: str
) -> tuple[list[Turn], tuple[str, ...]]:
    """Return turns in OpenAI's form, in which the arguments of calls are JSON text, and what is lost.

    Args:
        turns: The turns in our form.
        mark: The key and the value that say of a turn that it is context only; None where nothing can.
        trace: What becomes of a reasoning trace: ``key`` keeps ``reasoning_content``, ``text`` writes it before the
            answer in ``<think>`` marks, ``drop`` leaves it out.
    """
    made, lost = [], set()
    for turn in turns:
        one = {"role": turn["role"], "content": turn["content"]}
        one |= {key: turn[key] for key in ("name", "tool_call_id") if key in turn}
        said = turn.get("reasoning_content")
        if said and trace == "text":
            one["content"] = with_trace(turn)
        elif said and trace == "key":
            one["reasoning_content"] = said
        elif said:
            lost.add(TRACES)
        if turn.get("tool_calls"):
            one["tool_calls"] = [_call(call) for call in turn["tool_calls"]]
        if turn["role"] == "assistant" and not is_learnt(turn):
            if mark is None:
                lost.add(MARKS)
            else:
                one[mark[0]] = mark[1]
        if has_further(turn):
            lost.add(FURTHER)
        made.append(one)
    return made, tuple(sorted(lost))


def with_trace(turn: Turn) -> str:
    """Return a turn's text behind its reasoning trace in ``<think>`` marks, as the models write it that have them."""
    said = turn.get("reasoning_content")
    return f"<think>\n{said}\n</think>\n\n{turn['content']}" if said else turn["content"]


def has_further(turn: Turn) -> bool:
    """Return whether a turn has keys beside those of our form, other than marks of what is learnt."""
    return not (turn.keys() <= KNOWN or all(key in KNOWN or mark_name(key) in MARK_KEYS for key in turn))


def is_plain(turns: list[Turn]) -> bool:
    """Return whether turns are a question, perhaps behind a system text: nothing else, and no mark."""
    roles = [turn["role"] for turn in turns]
    return roles in (["user"], ["system", "user"]) and all(turn.keys() == {"role", "content"} for turn in turns)


def is_text(turns: list[Turn]) -> bool:
    """Return whether an answer is one turn of text, perhaps with a reasoning trace, that is learnt."""
    return len(turns) == 1 and turns[0].keys() <= {"role", "content", "reasoning_content"}


def call_text(call: dict[str, Any]) -> str:
    """Return a call as JSON text with its name and arguments only."""
    return dump({"name": call["function"]["name"], "arguments": call["function"].get("arguments", {})}, "call")


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    given = function.get("arguments", {})
    arguments = given if isinstance(given, str) else dump(given, "arguments")
    return {**call, "type": call.get("type", "function"), "function": {**function, "arguments": arguments}}


def is_blank(turn: Turn) -> bool:
    """Return whether a turn has no text."""
    return blank(turn["content"])
