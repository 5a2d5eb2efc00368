"""OpenAI's fine-tuning files, which Together and Fireworks read too: SFT, and DPO of one answer turn each."""

import json
from typing import Any

from curate.export.about import About
from curate.export.arrow_schema import JSON, JSONS
from curate.export.formats.hub import quoted
from curate.export.turns import SEVERAL, Turn, open_ai_turns, turns_of

KINDS = ("sft", "preference")
SINK = "jsonl"
HOLDS = ("prompt", "completion", "chosen", "rejected", "tools")
MARK = ("weight", 0)
NO_ID = "a tool call without an id"


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the types of the columns, for the card."""
    if kind == "sft":
        return {"messages": JSONS, **({"tools": JSONS} if "tools" in names else {})}
    return {"input": JSON, "preferred_output": JSONS, "non_preferred_output": JSONS}


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return ``messages`` and ``tools``, or ``input`` with two outputs; traces are lost, and what no message has."""
    prompt, lost = open_ai_turns(turns_of(one["prompt"]), mark=MARK, trace="drop")
    tools = {"tools": json.loads(one["tools"])} if one.get("tools") else {}
    if kind == "sft":
        answer, more = open_ai_turns(turns_of(one["completion"]), mark=MARK, trace="drop")
        messages = [*prompt, *answer]
        return ({"messages": messages, **tools}, _names(lost, more)) if _have_ids(messages) else (None, (NO_ID,))
    sides = {}
    for ours, theirs in (("chosen", "preferred_output"), ("rejected", "non_preferred_output")):
        answer = turns_of(one[ours])
        if len(answer) > 1:
            return None, (SEVERAL,)
        sides[theirs], more = open_ai_turns(answer, mark=MARK, trace="drop")
        lost += more
    if not _have_ids([*prompt, *sides["preferred_output"], *sides["non_preferred_output"]]):
        return None, (NO_ID,)
    calls = {"parallel_tool_calls": True} if tools else {}
    return {"input": {"messages": prompt, **tools, **calls}, **sides}, _names(lost)


def _names(*lost: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({name for names in lost for name in names}))


def _have_ids(messages: list[Turn]) -> bool:
    """Return whether all calls have an id, which OpenAI asks for."""
    return all(call.get("id") for turn in messages for call in turn.get("tool_calls", ()))


def files(about: About) -> dict[str, str]:
    """Return no further files."""
    return {}


def train(about: About) -> str:
    """Return the line that uploads the file."""
    made = f'OpenAI().files.create(file=open({quoted(about.first_file)}, "rb"), purpose="fine-tune")'
    return f"python -c 'from openai import OpenAI; print({made}.id)'"
