"""Checks dataset rows before any model is loaded, and makes the datasets that TRL trains on.

TRL's own errors name neither row nor column, and it accepts some mistakes: a prompt that is rendered twice, a pair of
equal answers, an unknown role. A row that is not a conversation is an error here. A row that is one but teaches nothing
is left out, and the table ``training_rows`` keeps the reason.
"""

import json
from typing import Any

import polars as pl

from schemas.errors import UserError
from schemas.messages import ROLES
from train.examples.examples import FATES
from train.tables import MESSAGE_COLUMNS

LIKELY_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}


def check_rows(rows: pl.DataFrame, dataset_type: str) -> pl.DataFrame:
    """Return the dataset rows that teach nothing, with the reason.

    Such a row has an empty answer, an answer that repeats the prompt's messages, or two equal answers.

    Args:
        rows: Rows with ``row_id`` and the message columns of their type.
        dataset_type: 'sft', 'preference', 'unpaired' or 'prompt'.

    Returns:
        A table with ``row_id`` and ``fate`` (the reason), in the order of ``rows``.

    Raises:
        UserError: A row is not a conversation: not JSON, no messages, an unknown role, a message without content, a
            prompt that ends in an assistant's message or an answer that does not. The error names row and column.
    """
    dropped: dict[str, list[str]] = {"row_id": [], "fate": []}
    columns = MESSAGE_COLUMNS[dataset_type]
    for row in rows.select("row_id", *columns).iter_rows(named=True):
        conversations = {column: _conversation(row[column], row["row_id"], column) for column in columns}
        reason = _nothing_to_learn(conversations)
        if reason:
            dropped["row_id"].append(row["row_id"])
            dropped["fate"].append(reason)
    return pl.DataFrame(dropped, schema=FATES)


def to_dataset(rows: pl.DataFrame, dataset_type: str, *, first_index: int = 0) -> Any:
    """Return rows as a ``datasets.Dataset`` in TRL's conversational prompt-completion form.

    Message columns become lists of messages whose keys stay as they were. They are stored as JSON, because Arrow would
    give every message the keys that one of them has. ``tools`` stays JSON text, and is there only if some row has it.

    Args:
        rows: Rows that ``check_rows`` has checked.
        dataset_type: 'sft', 'preference', 'unpaired' or 'prompt'.
        first_index: The ``row_index`` of the first row; the others count on from it.
    """
    from datasets import Dataset

    columns = [*MESSAGE_COLUMNS[dataset_type], *(["tools"] if has_tools(rows) else [])]
    items = [
        {c: row[c] if c == "tools" else json.loads(row[c]) for c in columns} | {"row_index": first_index + index}
        for index, row in enumerate(rows.select(columns).iter_rows(named=True))
    ]
    return Dataset.from_list(items, on_mixed_types="use_json")


def has_tools(rows: pl.DataFrame) -> bool:
    """Return whether some row has tools."""
    return "tools" in rows.columns and rows["tools"].null_count() < rows.height


def refuse_tools(rows: pl.DataFrame, where: str) -> None:
    """Raise ``UserError`` where a prompt of online training has tools: TRL would not show them to the model."""
    if has_tools(rows):
        raise UserError(
            f"{where}: row {rows.drop_nulls('tools')['row_id'][0]}, column tools: TRL would not "
            f"show a row's tools to the model; leave such rows out with 'where: \"tools is null\"'"
        )


def _conversation(text: str | None, row_id: str, column: str) -> list[dict[str, Any]]:
    """Parse a column's JSON text and check its messages."""
    where = f"row {row_id}, column {column}"
    try:
        messages = json.loads(text) if text else None
    except ValueError as error:
        raise UserError(f"{where}: not JSON ({error}); expected a list of messages") from None
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise UserError(
            f'{where}: expected a list of messages such as [{{"role": "user", "content": ...}}], '
            f"found {str(text)[:60]!r}"
        )
    for number, message in enumerate(messages, 1):
        _check_message(message, f"{where}, message {number}")
    last = messages[-1]["role"]
    if column == "prompt" and last not in ("user", "tool"):
        raise UserError(f"{where}: ends in a turn of role {last!r}; a prompt ends in one of 'user' or 'tool'")
    if column != "prompt" and last != "assistant":
        raise UserError(f"{where}: ends in a turn of role {last!r}; an answer ends in one of 'assistant'")
    return messages


def _check_message(message: dict[str, Any], where: str) -> None:
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        hint = LIKELY_ROLES.get(str(role))
        raise UserError(
            f"{where}: no role {role!r}; "
            + (f"did you mean {hint!r}? " if hint else "")
            + f"(there are: {', '.join(ROLES)})"
        )
    if content is None and not message.get("tool_calls"):
        raise UserError(f"{where}: a turn of role {role!r} without content")
    if not isinstance(content, str | list | None):
        raise UserError(f"{where}: content: expected text, found {type(content).__name__}")


def _nothing_to_learn(conversations: dict[str, list[dict[str, Any]]]) -> str | None:
    """Return why a row, given as its message columns, teaches nothing; None if it does."""
    prompt = conversations["prompt"]
    for column, answer in conversations.items():
        if column == "prompt":
            continue
        if not any(_has_content(message) for message in answer if message["role"] == "assistant"):
            return f"{column} is empty"
        if answer[: len(prompt)] == prompt:
            return f"{column} repeats the prompt's turns"
    if "chosen" in conversations and conversations["chosen"] == conversations["rejected"]:
        return "chosen and rejected are the same"
    return None


def _has_content(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return bool(message.get("tool_calls")) or bool(content.strip() if isinstance(content, str) else content)
