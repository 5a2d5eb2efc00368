"""The same conversation with the assistant's turns by this model: each is asked anew, the others are kept.

The turns are asked for in order, each after the new ones before it, so that the model answers in its own history. An
opening of the assistant's, before the user has said anything, is kept; several turns in a row become one. Conversations
with tools are left alone: the results in them answer calls that the old turns made, and new turns would make others. A
prompt without an assistant's turn to ask for gives nothing, nor does one of which a turn failed.
"""

import polars as pl

from curate.generate._prompts import New, ends_with_user, table
from curate.generate._texts import column, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import turns_of
from schemas.messages import blank, dump_turns


def prompts(messages: pl.Series) -> Asking:
    """Ask for every assistant turn anew and return the conversations; the note says how many (``regenerated``)."""
    plans = [_plan(turns_of(text)) for text in texts(messages)]
    now: list[list[dict]] = [[] for _ in plans]
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
    return table(
        New(row, dump_turns([*now[row], *plan[-1]], "messages"), {"regenerated": len(plan) - 1})
        for row, plan in enumerate(plans)
        if len(plan) > 1
    )


def _plan(turns: list[dict] | None) -> list[list[dict]]:
    """The turns kept, in parts: an assistant turn is asked for between one part and the next. Empty: left alone."""
    if not ends_with_user(turns) or any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns):
        return []
    parts: list[list[dict]] = [[]]
    last = ""
    for turn in turns:
        if turn["role"] != "assistant":
            parts[-1].append(turn)
        elif last == "user":
            parts.append([])
        elif last != "assistant":
            parts[-1].append(turn)  # an opening
        last = turn["role"] if turn["role"] in ("user", "assistant") else last
    return parts
