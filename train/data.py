"""Dataset rows as TRL wants them, checked before any model is loaded.

TRL's own errors name neither row nor column, and some mistakes it accepts: a prompt rendered twice, a pair whose two
answers are the same, an unknown role. What makes a row unusable by its shape is an error; what leaves it nothing to
teach is a reason to leave it out, which ``table training_rows`` keeps.
"""

import json
from typing import Any

import polars as pl

from schemas.errors import UserError

# Type of dataset -> the columns that hold messages: the prompt first, then the answers.
MESSAGES = {"sft": ("prompt", "completion"), "preference": ("prompt", "chosen", "rejected"), "prompt": ("prompt",)}
ROLES = ("system", "developer", "user", "assistant", "tool")


def refuse(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Check dataset rows of a type ('sft', 'preference', 'prompt').

    Returns those that cannot teach anything, with ``row_id`` and ``fate`` (the reason): an empty answer, an answer
    that repeats the prompt's turns, a pair of equal answers. Raises ``UserError`` naming the row id and the column
    for a row that is not a conversation: not JSON, no turns, an unknown role, a turn without content, a prompt that
    ends in an assistant's turn or an answer that does not.
    """
    dropped: dict[str, list[str]] = {"row_id": [], "fate": []}
    columns = MESSAGES[kind]
    for row in rows.select("row_id", *columns).iter_rows(named=True):
        turns = {column: _conversation(row[column], row["row_id"], column) for column in columns}
        reason = _nothing_to_learn(turns)
        if reason:
            dropped["row_id"].append(row["row_id"])
            dropped["fate"].append(reason)
    return pl.DataFrame(dropped, schema={"row_id": pl.String, "fate": pl.String})


def to_dataset(rows: pl.DataFrame, kind: str, *, first: int = 0) -> Any:
    """Make a ``datasets.Dataset`` in TRL's conversational prompt-completion form.

    Message columns become lists of turns whose keys stay as they were (stored as JSON: Arrow would fill the keys that
    one turn has into all others); ``tools`` stays JSON text and is there only if some row has it. ``row_index``
    (``first`` for the first row, and so on) finds the row again.
    """
    from datasets import Dataset

    columns = [*MESSAGES[kind], *(["tools"] if has_tools(rows) else [])]
    items = [
        {c: row[c] if c == "tools" else json.loads(row[c]) for c in columns} | {"row_index": first + index}
        for index, row in enumerate(rows.select(columns).iter_rows(named=True))
    ]
    return Dataset.from_list(items, on_mixed_types="use_json")


def has_tools(rows: pl.DataFrame) -> bool:
    """Whether some row brings tools."""
    return "tools" in rows.columns and rows["tools"].null_count() < rows.height


def _conversation(text: str | None, row_id: str, column: str) -> list[dict[str, Any]]:
    """Parse a column's JSON text and check its turns."""
    where = f"row {row_id}, column {column}"
    try:
        turns = json.loads(text) if text else None
    except ValueError as error:
        raise UserError(f"{where}: not JSON ({error}); expected a list of messages") from None
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, dict) for turn in turns):
        raise UserError(
            f'{where}: expected a list of messages such as [{{"role": "user", "content": ...}}], '
            f"found {str(text)[:60]!r}"
        )
    for number, turn in enumerate(turns, 1):
        _check_turn(turn, f"{where}, message {number}")
    last = turns[-1]["role"]
    if column == "prompt" and last not in ("user", "tool"):
        raise UserError(f"{where}: ends in a turn of role {last!r}; a prompt ends in one of 'user' or 'tool'")
    if column != "prompt" and last != "assistant":
        raise UserError(f"{where}: ends in a turn of role {last!r}; an answer ends in one of 'assistant'")
    return turns


def _check_turn(turn: dict[str, Any], where: str) -> None:
    role, content = turn.get("role"), turn.get("content")
    if role not in ROLES:
        hint = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}.get(str(role))
        raise UserError(
            f"{where}: no role {role!r}; "
            + (f"did you mean {hint!r}? " if hint else "")
            + f"(there are: {', '.join(ROLES)})"
        )
    if content is None and not turn.get("tool_calls"):
        raise UserError(f"{where}: a turn of role {role!r} without content")
    if not isinstance(content, str | list | None):
        raise UserError(f"{where}: content: expected text, found {type(content).__name__}")


def _nothing_to_learn(turns: dict[str, list[dict[str, Any]]]) -> str | None:
    """Why a row teaches nothing, or None."""
    prompt = turns["prompt"]
    for column, answer in turns.items():
        if column == "prompt":
            continue
        if not any(_says_something(turn) for turn in answer if turn["role"] == "assistant"):
            return f"{column} is empty"
        if answer[: len(prompt)] == prompt:
            return f"{column} repeats the prompt's turns"
    if "chosen" in turns and turns["chosen"] == turns["rejected"]:
        return "chosen and rejected are the same"
    return None


def _says_something(turn: dict[str, Any]) -> bool:
    content = turn.get("content")
    return bool(turn.get("tool_calls")) or bool(content.strip() if isinstance(content, str) else content)
