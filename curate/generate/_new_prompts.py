"""Shared by the steps that make prompts: checks of seeds and settings, and the table of new prompts."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeGuard

import polars as pl

from curate.generate._reply_text import refuses, tagged_text, unquoted
from curate.steps.quoting import ask_user
from schemas.errors import UserError
from schemas.json_text import blank, dump
from schemas.messages import Message

MOST = 10_000  # of a number of new prompts, turns or rounds
TAG = "prompt"
QUOTED = ("<given>", "<example>", "<passage>", "<persona>", "<prompt>")  # the tags in our requests


class NewPrompt(NamedTuple):
    """A new prompt.

    Attributes:
        row: Row of its first parent.
        messages: Its turns, as JSON text.
        note: How it was made.
        parents: Rows of its other parents, or None.
        ground_truth: An answer to it, or None.
    """

    row: int
    messages: str
    note: dict[str, Any]
    parents: list[int] | None = None
    ground_truth: str | None = None


SCHEMA = {
    "row": pl.Int64,
    "messages": pl.String,
    "note": pl.String,
    "parents": pl.List(pl.Int64),
    "ground_truth": pl.String,
}


def prompt_table(made: Iterable[NewPrompt]) -> pl.DataFrame:
    """Return new prompts in the table that a ``prompts`` step returns."""
    rows = [(n.row, n.messages, dump(n.note, "note"), n.parents, n.ground_truth) for n in made]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def one_turn_prompt(row: int, text: str, note: dict[str, Any], **more: Any) -> NewPrompt:
    """Return a new prompt of one user turn. ``more`` are further fields of ``NewPrompt``."""
    return NewPrompt(row, ask_user(text), note, **more)


def prompt_in_reply(reply: str | None) -> str | None:
    """Return the prompt between ``<prompt>`` tags in a reply; None if there is no usable one."""
    text = tagged_text(reply, TAG)
    text = unquoted(text) if text else None
    return text if text and usable(text) and not echoes(text) else None


def echoes(text: str) -> bool:
    """Return whether a text repeats our request: it holds one of the tags that quote texts there."""
    return any(tag in text.lower() for tag in QUOTED)


def usable(text: str) -> bool:
    """Return whether a text can be a prompt: it has a letter or a digit, and is not a model's refusal."""
    return any(c.isalnum() for c in text) and not refuses(text)


def ends_with_user(turns: list[Message] | None) -> TypeGuard[list[Message]]:
    """Return whether the last turn is the user's and not blank."""
    return bool(turns) and turns[-1]["role"] == "user" and not blank(turns[-1]["content"])


def check_counts(step: str, **numbers: int) -> None:
    """Raise ``UserError`` unless each of a step's settings is from 1 to ``MOST``."""
    for name, value in numbers.items():
        if not 1 <= value <= MOST:
            raise UserError(f"generate {step}: {name}: expected a whole number from 1 to {MOST:,}, found {value:,}")


def check_texts(step: str, name: str, given: list[str]) -> list[str]:
    """Return the distinct texts of a setting. Raises ``UserError`` if the list is empty or a text is blank."""
    if not given or any(blank(text) for text in given):
        raise UserError(f"generate {step}: {name}: expected a list of texts that say something, found {given!r}")
    return list(dict.fromkeys(given))
