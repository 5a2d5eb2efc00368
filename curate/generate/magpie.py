"""Prompts an aligned model writes itself, given its template up to the user's turn (Magpie, arXiv 2406.08464).

Seeds only lend their system turns, which steer what is asked; without one the model asks what it likes. What differs
between a seed's samples is the draw alone, so give a temperature near 1, few seeds and a large ``n``: seeds with the
same system turn (or none) send the same request, and get the same prompts.
"""

import polars as pl

from curate.generate._prompts import New, table
from curate.generate._texts import column, texts
from curate.steps.model_calls import Ask, Asking
from curate.steps.quoting import turns_of
from schemas.messages import dump, dump_turns

USER = {"role": "user", "content": None}


def prompts(messages: pl.Series) -> Asking:
    """Ask for a user turn a row and return those that say something, after the seed's system turns."""
    seeds = [_system(turns_of(text)) for text in texts(messages)]
    replies = yield Ask(column(None if turns is None else dump([*turns, USER], "messages") for turns in seeds))
    made = []
    for row, (turns, reply) in enumerate(zip(seeds, texts(replies), strict=True)):
        text = (reply or "").strip()
        if turns is not None and any(c.isalnum() for c in text):
            made.append(New(row, dump_turns([*turns, {"role": "user", "content": text}], "messages"), {"magpie": True}))
    return table(made)


def _system(turns: list[dict] | None) -> list[dict] | None:
    """The system turns that a prompt begins with; None where there is no prompt."""
    if turns is None:
        return None
    others = (index for index, turn in enumerate(turns) if turn["role"] not in ("system", "developer"))
    return turns[: next(others, len(turns))]
