"""Find the rows in a JSON value that is one mapping: under a key, as columns, by id, by split, or the mapping itself.

``{"data": [...]}``, ``{"train": [...], "test": [...]}``, ``{"prompt": [...], "completion": [...]}`` and what pandas'
``to_json`` writes are read; what else is beside the rows is said.
"""

from dataclasses import replace
from typing import Any

from curate.sources.files.raw_row import Reading
from curate.sources.files.splits import NAMES, canonical, choose_split
from curate.sources.rows.layout_names import CONVERSATIONS, MESSAGES, PROMPTS, PROMPTS_WITH_ANSWERS
from schemas.errors import UserError, kind_of
from schemas.messages import short_repr

# Keys under which a list of rows is often wrapped.
LIST_KEYS = (
    "data", "rows", "examples", "train", "instances", "items", "records", "samples", "dataset", "entries", "list",
    "results", "questions", "prompts", "problems", "tasks", "conversations", "dialogues", "documents", "content",
)  # fmt: skip
ROW_KEYS = {*PROMPTS, *PROMPTS_WITH_ANSWERS, *MESSAGES, *CONVERSATIONS, "chosen", "text"}
# A text or turns under one of these make a mapping a row, whatever else it holds.
CLEAR_ROW_KEYS = {"prompt", "instruction", "question", "problem", "messages", "conversations", "conversation"}
DEEPEST = 3  # mappings that may wrap the rows: {"data": {"train": {"rows": [...]}}}
SHOWN = 8  # names of keys in a message


def rows_of(whole: dict[str, Any], reading: Reading, where: str, depth: int = 1) -> list[Any]:
    """Return the rows in a mapping; one that is a row itself is the only row.

    Raises:
        UserError: The rows cannot be told; the message says what the mapping holds.
    """
    if _is_row(whole):
        reading.without_splits(where)
        return [whole]
    splits = _splits(whole, reading)
    if splits:
        return _of_splits(whole, splits, reading, where, depth)
    found = _pandas_split(whole) or _columns(whole, where) or _by_id(whole)
    if found:
        reading.without_splits(where)
        reading.note(found[0])
        return found[1]
    lists = {key: value for key, value in whole.items() if _is_list_of_mappings(value)}
    key = _list_key(whole, lists, reading.split)
    if key is not None:
        if key != reading.split:
            reading.without_splits(where)
        others = [name for name in whole if name != key]
        beside = f"; the other keys are not read: {_names(others)}" if others else ""
        if beside or key.lower() not in LIST_KEYS:
            reading.note(f"the rows are the list {key!r}{beside}")
        return [_viewer_row(item) for item in whole[key]]
    if len(lists) > 1:
        held = ", ".join(f"{short_repr(name, 40)} ({len(value):,})" for name, value in list(lists.items())[:SHOWN])
        raise UserError(
            f"{where}: expected one list of rows, found a mapping with the lists {held}; "
            f"choose one with split: {next(iter(lists))}"
        )
    wrapped = [key for key in whole if key.lower() in LIST_KEYS and isinstance(whole[key], dict)]
    if len(wrapped) == 1 and depth < DEEPEST:
        if len(whole) > 1:
            others = [name for name in whole if name != wrapped[0]]
            reading.note(f"the rows are under {wrapped[0]!r}; the other keys are not read: {_names(others)}")
        return rows_of(whole[wrapped[0]], reading, f"{where}: {wrapped[0]}", depth + 1)
    reading.without_splits(where)
    return [whole]  # a row of a layout of the user's own, or one that is refused by its keys


def _is_row(whole: dict[str, Any]) -> bool:
    """Return whether a mapping is itself a row: it has a text, or turns, under a key of a row."""
    if any(_is_text_or_turns(whole.get(key)) for key in CLEAR_ROW_KEYS):
        return True
    lists = [value for value in whole.values() if isinstance(value, list)]
    if any(_is_list_of_mappings(value) and not _is_text_or_turns(value) for value in lists):
        return False
    if len(lists) == 1 and any(lists[0] is whole.get(key) for key in (*MESSAGES, *CONVERSATIONS)):
        return all(isinstance(turn, str) for turn in lists[0]) and bool(lists[0])
    return any(_is_text_or_turns(whole.get(key)) for key in ROW_KEYS)


def _is_text_or_turns(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return _is_list_of_mappings(value) and bool({"role", "from"} & value[0].keys())


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _list_key(whole: dict[str, Any], lists: dict[str, list], split: str | None) -> str | None:
    """Return the key whose list holds the rows: the one that is named, the usual one, or the only one."""
    if split in lists:
        return split
    usual = [key for key in lists if key.lower() in LIST_KEYS]
    if len(usual) == 1:
        return usual[0]
    if len(lists) == 1:
        return next(iter(lists))
    empty = [key for key, value in whole.items() if value == [] and key.lower() in LIST_KEYS]
    return empty[0] if not lists and len(empty) == 1 else None


def _splits(whole: dict[str, Any], reading: Reading) -> dict[str, str]:
    """Return the keys that name splits, each with the split, where every list or mapping is under such a key."""
    held = {key: canonical(key) for key, value in whole.items() if isinstance(value, list | dict) and value}
    named = {key: split for key, split in held.items() if key.lower() in NAMES}
    return named if named and len(named) == len(held) else {}


def _of_splits(whole: dict[str, Any], splits: dict[str, str], reading: Reading, where: str, depth: int) -> list[Any]:
    chosen = choose_split(set(splits.values()), reading.split, where)
    rows: list[Any] = []
    for key, split in splits.items():
        value = whole[key]
        if split not in chosen:
            continue
        if isinstance(value, dict) and depth >= DEEPEST:
            raise UserError(f"{where}: {key}: expected a list of rows, found {kind_of(value)}")
        inner = replace(reading, split=None)
        rows += value if isinstance(value, list) else rows_of(value, inner, f"{where}: {key}", depth + 1)
    left = [key for key, split in splits.items() if split not in chosen]
    if left:
        reading.note(f"read the split {', '.join(sorted(chosen))}; left out: {_names(left)}")
    others = [key for key in whole if key not in splits]
    if others:
        reading.note(f"keys beside the splits are not read: {_names(others)}")
    return rows


def _pandas_split(whole: dict[str, Any]) -> tuple[str, list[Any]] | None:
    """Return the rows of ``{"columns": [...], "data": [[...], ...]}``, as pandas writes it, with what they are."""
    columns, data = whole.get("columns"), whole.get("data")
    if not isinstance(columns, list) or not isinstance(data, list) or whole.keys() - {"columns", "data", "index"}:
        return None
    names = [str(name) for name in columns]
    if not data or not all(isinstance(row, list) and len(row) == len(names) for row in data):
        return None
    return "rows of the layout 'split' of pandas", [dict(zip(names, row, strict=True)) for row in data]


def _columns(whole: dict[str, Any], where: str) -> tuple[str, list[Any]] | None:
    """Return the rows of a mapping of columns: lists of values, or mappings from row numbers to values."""
    if not any(key in ROW_KEYS for key in whole):
        return None
    if all(isinstance(value, dict) and value and all(key.isdigit() for key in value) for value in whole.values()):
        rows = {number: {} for column in whole.values() for number in column}
        for name, column in whole.items():
            for number, value in column.items():
                rows[number][name] = value
        return "read as columns", list(rows.values())
    if not all(isinstance(value, list) for value in whole.values()):
        return None
    if not any(_is_column_of_rows(value) for key, value in whole.items() if key in ROW_KEYS):
        return None
    lengths = {name: len(value) for name, value in whole.items()}
    if len(set(lengths.values())) > 1:
        held = ", ".join(f"{short_repr(name, 40)} {count:,}" for name, count in list(lengths.items())[:SHOWN])
        raise UserError(f"{where}: looks like columns, whose lengths differ: {held}; expected a list of rows")
    return "read as columns", [dict(zip(whole, values, strict=True)) for values in zip(*whole.values(), strict=True)]


def _is_column_of_rows(value: list[Any]) -> bool:
    """Return whether a list has a text or a list of turns for each row."""
    return bool(value) and all(isinstance(item, str | list) or item is None for item in value)


def _by_id(whole: dict[str, Any]) -> tuple[str, list[Any]] | None:
    """Return the rows of a mapping from ids to rows; a row gets its key as ``id`` (``key`` where it has an id)."""
    if not whole or not all(isinstance(value, dict) and value for value in whole.values()):
        return None
    if not all(any(key in ROW_KEYS for key in row) for row in whole.values()):
        return None
    rows = []
    for name, row in whole.items():
        own = "id" if str(row.get("id", name)) == name else "key"
        rows.append({**row, own: row.get(own, name)})
    if all(name == str(number) for number, name in enumerate(whole)):  # row numbers say nothing
        rows = list(whole.values())
    return "rows by their ids", rows


def _viewer_row(item: Any) -> Any:
    """Return the row in an item of the hub's data set viewer: ``{"row_idx": 0, "row": {...}}``."""
    is_viewer = isinstance(item, dict) and "row_idx" in item and isinstance(item.get("row"), dict)
    return item["row"] if is_viewer else item


def _names(keys: list[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(short_repr(key, 40) for key in keys[:SHOWN]) + more
