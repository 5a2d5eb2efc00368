"""What the steps that make prompts share: which seeds they work on, when a new prompt is one, and the table of them."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import polars as pl

from curate.generate._texts import refuses, tagged, unquoted
from curate.steps.quoting import ask_user
from schemas.errors import UserError
from schemas.messages import blank, dump

TAG = "prompt"
QUOTED = ("<given>", "<example>", "<passage>", "<persona>", "<prompt>")  # the tags of our requests


class New(NamedTuple):
    """A new prompt: the row of its first parent, its turns (JSON text), a note, other parents' rows, an answer."""

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


def table(made: Iterable[New]) -> pl.DataFrame:
    """Return new prompts as the table that a ``prompts`` step returns."""
    rows = [(n.row, n.messages, dump(n.note, "note"), n.parents, n.ground_truth) for n in made]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def single(row: int, text: str, note: dict[str, Any], **more: Any) -> New:
    """Return a new prompt that is one user turn."""
    return New(row, ask_user(text), note, **more)


def new_prompt(reply: str | None) -> str | None:
    """Return the prompt in a reply that was asked for one between ``<prompt>`` tags; None where there is none."""
    text = tagged(reply, TAG)
    text = unquoted(text) if text else None
    return text if text and usable(text) and not echoes(text) else None


def echoes(text: str) -> bool:
    """Return whether a text repeats a request of ours: it holds a tag that quotes something there."""
    return any(tag in text.lower() for tag in QUOTED)


def usable(text: str) -> bool:
    """Return whether a text can be a prompt: it has a letter or a digit, and is not a model's refusal."""
    return any(c.isalnum() for c in text) and not refuses(text)


def ends_with_user(turns: list[dict] | None) -> bool:
    """Return whether the last turn is the user's and says something."""
    return bool(turns) and turns[-1]["role"] == "user" and not blank(turns[-1]["content"])


def at_least_one(step: str, **numbers: int) -> None:
    """Raise ``UserError`` unless each number is 1 or more."""
    for name, value in numbers.items():
        if value < 1:
            raise UserError(f"generate {step}: {name}: expected a whole number of at least 1, found {value}")


def texts_given(step: str, name: str, given: list[str]) -> list[str]:
    """Return the different texts that a setting lists. Raises ``UserError`` where there is none, or a blank one."""
    if not given or any(blank(text) for text in given):
        raise UserError(f"generate {step}: {name}: expected a list of texts that say something, found {given!r}")
    return list(dict.fromkeys(given))
