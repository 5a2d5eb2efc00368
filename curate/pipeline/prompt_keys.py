"""The keys of prompts by which a split finds their families: turns, a column's value, a recorded family, as numbers.

Texts are levelled: Unicode's compatibility form, lower case, one space for white space. System texts do not count, as
one question is often asked under several; only where all turns of the user are the same for very many prompts do they.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.random_order import text_draws
from curate.algorithms.text.ngrams import nfkc, one_space
from schemas.json_text import parse

DEPTH = 4  # how far a prompt is followed: its first turn, its first two, its first three, all of it
ONE_TURN = r'^\s*\[\s*\{\s*"role"\s*:\s*"user"\s*,\s*"content"\s*:\s*"(?:[^"\\]|\\.)*"\s*\}\s*\]\s*$'


class PromptKeys(NamedTuple):
    """The keys of prompts, a row a prompt (uint64; 0 stands for none).

    Attributes:
        path: The beginnings of a prompt, ``DEPTH`` of them: its first turn of the user, its first two, its first three,
            and all of it, its system text too. A prompt with fewer turns has all of it for the others.
        turns: How many turns of the user it has (int64).
        users: All its turns of the user.
        by: The value of the column that the recipe names.
        family: The family that was recorded for a prompt that was made from another.
        root: The family that a prompt made from this one has.
        later: Every turn of the user after the first, and the row that has it (two columns).
    """

    path: np.ndarray
    turns: np.ndarray
    users: np.ndarray
    by: np.ndarray
    family: np.ndarray
    root: np.ndarray
    later: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """All of a prompt."""
        return self.path[:, -1]

    def first(self, rows: int) -> "PromptKeys":
        """Return the keys of the first ``rows`` prompts."""
        own = self.later[self.later[:, 1] < rows]
        return PromptKeys(*(column[:rows] for column in self[:-1]), own)


def family_of(messages: str) -> str:
    """Return the family of a prompt, which all prompts made from it share: a hash of its messages."""
    return hashlib.sha256(messages.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def prompt_keys(prompts: pl.DataFrame, by: str | None, *, recorded: bool) -> PromptKeys:
    """Return the keys of prompts.

    Args:
        prompts: Prompts, with the columns ``messages``, ``prompt``, ``family`` and the one that ``by`` names.
        by: A column, or a key of ``metadata`` after ``metadata.``; prompts with one value of it are of one family.
        recorded: Whether any prompt has a recorded family.
    """
    turns, whole = _turns(prompts)
    counts = turns.list.len().cast(pl.Int64).to_numpy()
    path = np.repeat(_numbers(whole)[:, None], DEPTH, axis=1)
    users = np.where(counts > 0, _numbers(turns.list.join("\0")), path[:, -1])
    for depth in range(1, DEPTH):
        longer = np.flatnonzero(counts > depth)
        path[longer, depth - 1] = _numbers(turns.gather(longer).list.head(depth).list.join("\0"))
        just = counts == depth
        path[just, depth - 1] = users[just]
    family = prompts["family"] if "family" in prompts.columns else pl.Series([None] * prompts.height, dtype=pl.String)
    none = np.zeros(prompts.height, np.uint64)
    return PromptKeys(
        path,
        counts,
        users,
        _numbers(by_values(prompts, by)) if by else none,
        _numbers(family) if recorded else none,
        _numbers(pl.Series([family_of(m or "") for m in prompts["messages"]], dtype=pl.String)) if recorded else none,
        _later(turns),
    )


def _later(turns: pl.Series) -> np.ndarray:
    after = pl.DataFrame({"row": np.arange(len(turns), dtype=np.uint64), "turn": turns.list.slice(1)})
    after = after.filter(pl.col("turn").list.len() > 0).explode("turn")
    return np.stack([_numbers(after["turn"].cast(pl.String)), after["row"].to_numpy()], axis=1)


def concat_keys(parts: list[PromptKeys]) -> PromptKeys:
    """Return the keys of several tables of prompts in one."""
    none = np.zeros(0, np.uint64)
    empty = PromptKeys(
        np.zeros((0, DEPTH), np.uint64), np.zeros(0, np.int64), *(none,) * 4, np.zeros((0, 2), np.uint64)
    )
    starts = np.cumsum([0, *(len(part.turns) for part in parts)]).tolist()
    moved = [
        part._replace(later=part.later + np.array([0, start], np.uint64))
        for part, start in zip(parts, starts, strict=False)
    ]
    return PromptKeys(*(np.concatenate(columns) for columns in zip(empty, *moved, strict=True)))


def turn_texts(prompts: pl.DataFrame, depth: np.ndarray) -> pl.Series:
    """Return of each prompt the turn of the user that ``depth`` counts from 0; its last, or its system text, after it.

    Args:
        prompts: Prompts, with the columns ``messages`` and ``prompt``.
        depth: A number from 0 to ``DEPTH`` - 1 for each prompt.
    """
    texts: list[str] = []
    simple = _simple(prompts)
    for messages, prompt, plain, at in zip(prompts["messages"], prompts["prompt"], simple, depth, strict=True):
        if plain and at == 0:
            texts.append(prompt)
            continue
        users, others = _roles(messages)
        if at < len(users):
            texts.append(users[-1] if at == DEPTH - 1 else users[at])
        else:
            texts.append(users[-1] if at == DEPTH - 1 and len(users) >= DEPTH else "\n".join(others))
    return pl.Series("text", texts, dtype=pl.String)


def by_values(prompts: pl.DataFrame, by: str) -> pl.Series:
    """Return the value of a column, or of a key of ``metadata``, of each prompt as text; null for none and for blanks.

    Numbers that are equal have one text; lists and mappings are JSON.
    """
    column, _, path = by.partition(".")
    values: list[Any] = prompts[column].to_list()
    if path:
        values = [_at(value, path) for value in values]
    texts = [None if v is None else v if isinstance(v, str) else _text(v) for v in values]
    series = pl.Series("by", texts, dtype=pl.String).str.strip_chars()
    return series.set(series == "", None)


def metadata_keys(prompts: pl.DataFrame) -> Iterator[str]:
    """Yield the keys of the prompts' metadata as ``by`` names them, as often as they come."""
    for value in prompts["metadata"].drop_nulls():
        held = parse(value)
        yield from (f"metadata.{key}" for key in (held if isinstance(held, dict) else ()))


def level(text: pl.Series) -> pl.Series:
    """Return texts in one form for those that differ in white space, case or width only; "" for null."""
    return one_space(nfkc(text.cast(pl.String).fill_null("")).str.to_lowercase())


def _turns(prompts: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Return the levelled turns of the user of each prompt that are not blank (lists), and all its levelled texts."""
    simple = _simple(prompts)
    one = level(prompts["prompt"])
    number = np.arange(prompts.height, dtype=np.int64)
    held = pl.DataFrame({"row": number, "text": one}).with_columns(user=True).filter(simple)
    rows: list[int] = []
    texts: list[str] = []
    user: list[bool] = []
    for row in np.flatnonzero(~simple.to_numpy()).tolist():
        users, others = _roles(prompts["messages"][row])
        rows += [row] * (len(users) + len(others))
        texts += users + others
        user += [True] * len(users) + [False] * len(others)
    kinds: dict[str, Any] = {"row": pl.Int64, "text": pl.String, "user": pl.Boolean}
    parsed = pl.DataFrame({"row": rows, "text": texts, "user": user}, schema=kinds)
    both = pl.concat([held, parsed.with_columns(level(parsed["text"]))])
    every = pl.DataFrame({"row": number})
    lists = both.group_by("row", maintain_order=True).agg(
        turns=pl.col("text").filter(pl.col("user") & (pl.col("text") != "")), whole=pl.col("text").str.join("\1")
    )
    lists = every.join(lists, on="row", how="left", maintain_order="left")
    turns = lists["turns"].fill_null([]) if lists.height else pl.Series("turns", [], dtype=pl.List(pl.String))
    # A prompt without text (an image alone, say) is like no other but an equal one.
    blank = lists["whole"].fill_null("").str.strip_chars("\1") == ""
    whole = "\2" + lists["whole"].fill_null("") if lists.height else pl.Series("whole", [], dtype=pl.String)
    return turns, whole.zip_with(~blank, "\3" + prompts["messages"].fill_null("")) if lists.height else whole


def _simple(prompts: pl.DataFrame) -> pl.Series:
    """Return which prompts are one turn of the user, whose text is the column ``prompt``."""
    return (prompts["messages"].str.contains(ONE_TURN) & prompts["prompt"].is_not_null()).fill_null(False)


def _roles(messages: str | None) -> tuple[list[str], list[str]]:
    """Return the texts of the user's turns that are not blank, and those of the other messages."""
    held = parse(messages) if messages else []
    users: list[str] = []
    others: list[str] = []
    for message in held if isinstance(held, list) else []:
        content = message.get("content") if isinstance(message, dict) else message
        text = content if isinstance(content, str) else _text(content) if content else ""
        (users if isinstance(message, dict) and message.get("role") == "user" else others).append(text)
    return [text for text in users if text.strip()], others


def _at(metadata: str | None, path: str) -> Any:
    """Return the value of a key in JSON text, ``a.b`` for a key of a mapping; a key that has dots comes first."""
    held = parse(metadata) if metadata else None
    if isinstance(held, dict) and path in held:
        return held[path]
    for key in path.split("."):
        held = held.get(key) if isinstance(held, dict) else None
    return held


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _numbers(text: pl.Series) -> np.ndarray:
    """Return a number of each text that depends on it alone, 0 for null (uint64)."""
    numbers = text_draws(text, 0).to_numpy()
    return np.where(text.is_null().to_numpy(), np.uint64(0), np.maximum(numbers, np.uint64(1)))
