"""The same conversation with new assistant turns by this model; the other turns are kept.

The assistant turns are requested in order, each after the new ones before it, so that the model continues its own
history. An assistant turn before the first user turn is kept; several assistant turns in a row become one.
Conversations with tools are left out: their tool results answer calls of the old turns, and new turns would make other
calls. A prompt without an assistant turn to replace gives no new prompt, nor does one of which a request failed.
"""

import polars as pl

from curate.generate._new_prompts import NewPrompt, ends_with_user, prompt_table
from curate.generate._reply_text import column, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import turns_of
from schemas.json_text import blank
from schemas.messages import Message, dump_turns


def prompts(messages: pl.Series) -> Asking:
    """Ask for new assistant turns and return the conversations; the note has their number (``regenerated``)."""
    plans = [_plan(turns_of(text)) for text in texts(messages)]
    now: list[list[Message]] = [[] for _ in plans]
    for number in range(max((len(plan) for plan in plans), default=1) - 1):
        asked = [row for row, plan in enumerate(plans) if number < len(plan) - 1]
        for row in asked:
            now[row] += plans[row][number]
        waiting = set(asked)
        replies = yield Ask(column(dump_turns(t, "messages") if r in waiting else None for r, t in enumerate(now)))
        for row, reply in zip(asked, texts(replies.gather(asked)), strict=True):
            if reply is None or blank(reply):
                plans[row] = []
            else:
                now[row].append({"role": "assistant", "content": reply.strip()})
    return prompt_table(
        NewPrompt(row, dump_turns([*now[row], *plan[-1]], "messages"), {"regenerated": len(plan) - 1})
        for row, plan in enumerate(plans)
        if len(plan) > 1
    )


def _plan(turns: list[Message] | None) -> list[list[Message]]:
    """Return the kept turns in parts, with a new assistant turn between any two; empty to leave the prompt out."""
    if not ends_with_user(turns) or any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns):
        return []
    parts: list[list[Message]] = [[]]
    last = ""
    for turn in turns:
        if turn["role"] != "assistant":
            parts[-1].append(turn)
        elif last == "user":
            parts.append([])
        elif last != "assistant":
            parts[-1].append(turn)  # before the first user turn
        last = turn["role"] if turn["role"] in ("user", "assistant") else last
    return parts
