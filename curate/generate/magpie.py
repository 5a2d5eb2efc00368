"""Prompts that an aligned model writes itself, given its template up to the user's turn (Magpie, arXiv 2406.08464).

Only the system turns of seeds are used, to steer the prompts; without one the model chooses freely. A seed's samples
differ only by random sampling, so use a temperature near 1, few seeds and a large ``n``: seeds with the same system
turn (or none) send the same request, and get the same prompts.
"""

import polars as pl

from curate.generate._new_prompts import NewPrompt, prompt_table
from curate.generate._reply_text import column, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import turns_of
from schemas.json_text import dump
from schemas.messages import Message, dump_turns

USER = {"role": "user", "content": None}


def prompts(messages: pl.Series) -> Asking:
    """Ask for one user turn per row and return those that are not blank, after the seed's system turns."""
    seeds = [_system(turns_of(text)) for text in texts(messages)]
    replies = yield Ask(column(None if turns is None else dump([*turns, USER], "messages") for turns in seeds))
    made = []
    for row, (turns, reply) in enumerate(zip(seeds, texts(replies), strict=True)):
        text = (reply or "").strip()
        if turns is not None and any(c.isalnum() for c in text):
            made.append(
                NewPrompt(row, dump_turns([*turns, {"role": "user", "content": text}], "messages"), {"magpie": True})
            )
    return prompt_table(made)


def _system(turns: list[Message] | None) -> list[Message] | None:
    """Return the system turns that a prompt begins with; None if there is no prompt."""
    if turns is None:
        return None
    others = (index for index, turn in enumerate(turns) if turn["role"] not in ("system", "developer"))
    return turns[: next(others, len(turns))]
