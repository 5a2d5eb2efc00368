"""Apply ``fields`` of a recipe's source, which maps our names to the names of a file's keys.

``{"prompt": "question", "ground_truth": "meta.answer", "completions": ["a.solution", "b.solution"]}`` is an example; a
dotted name leads into a mapping of the row. It is needed where the keys of a file are not recognised by themselves.
Several keys of the ground truth become one mapping: ``{"ground_truth": ["test", "entry_point"]}``.
"""

from typing import Any

from schemas.errors import BadRow, UserError, nearest, unknown
from schemas.json_text import parse

SEVERAL = ("completions", "ground_truth")  # names that a list of keys may stand for
NAMES = (
    "prompt",
    "messages",
    "system",
    "tools",
    "ground_truth",
    "metadata",
    "completions",
    "completion",
    "chosen",
    "rejected",
    "label",
    "context",
    "history",
    "model",
    "reasoning_content",
)


def check_fields(fields: Any) -> dict[str, str | list[str]]:
    """Return ``fields``; raise ``UserError`` where it does not map names in ``NAMES`` to names of keys."""
    if not isinstance(fields, dict) or not fields:
        raise UserError(f"fields: expected a mapping such as {{prompt: question}}, found {fields!r}")
    for name, value in fields.items():
        if name not in NAMES:
            raise unknown("field called", name, NAMES, "fields")
        names = value if isinstance(value, list) and name in SEVERAL else [value]
        if not names or not all(isinstance(n, str) and n for n in names):
            several = ", or a list of them" if name in SEVERAL else ""
            raise UserError(f"fields.{name}: expected the name of a key in the file{several}, found {value!r}")
    return fields


def map_fields(row: dict, fields: dict[str, str | list[str]], seen: set[str]) -> tuple[dict, dict]:
    """Return the parts of a row that ``fields`` names, under our names, and the rest of the row.

    Args:
        row: A row of the file; it is not changed.
        fields: The mapping, as ``check_fields`` returned it. A list of names under ``completions`` gives one candidate
            for each; a candidate taken from ``model.key`` has the model's name and the keys beside it. A list of names
            under ``ground_truth`` gives a mapping of them, by their last parts.
        seen: Filled with the names in ``fields`` that this row has.

    Raises:
        BadRow: The row lacks the prompt.
    """
    rest, mapped = dict(row), {}
    for name, source in fields.items():
        names = source if isinstance(source, list) else [source]
        paths = {n: path for n in names if (path := _find_path(row, n))}
        seen.update(paths)
        if not paths and name in ("prompt", "messages"):
            raise BadRow(f"no {names[0]!r}, which 'fields' names as the {name}")
        if isinstance(source, list) and name == "ground_truth":
            mapped[name] = {path[-1]: _value_at(row, path) for path in paths.values()} or None
        elif isinstance(source, list):
            mapped[name] = [_candidate_at(row, path, names) for path in paths.values()] or None
        elif paths:
            value = _value_at(row, paths[source])
            mapped[name] = [value] if name == "completions" and _is_one_text(value) else value
        for path in paths.values():
            rest = _without(rest, path[:1] if name == "completions" and isinstance(source, list) else path)
    return mapped, rest


def _is_one_text(value: Any) -> bool:
    """Return whether a value is a text, and not a list as JSON text."""
    if not isinstance(value, str):
        return False
    try:
        return not isinstance(parse(value), list)
    except ValueError:
        return True


def check_seen(fields: dict[str, str | list[str]], seen: set[str], known: set[str], where: str) -> None:
    """Raise ``UserError`` for a name in ``fields`` that no row has.

    Args:
        fields: The mapping.
        seen: The names in it that a row had.
        known: All names that rows had, from which the nearest is suggested.
        where: The file, as an error names it.
    """
    for name, source in fields.items():
        for key in source if isinstance(source, list) else [source]:
            if key not in seen:
                raise UserError(f"{where}: fields.{name}: no row has a key {key!r}{nearest(key, known)}")


def key_names(row: dict) -> set[str]:
    """Return the keys of a row, and the keys of the mappings in it as dotted names."""
    inner = {f"{key}.{name}" for key, value in row.items() if isinstance(value, dict) for name in value}
    return inner | {str(key) for key in row}


def _find_path(row: dict, name: str) -> tuple[str, ...] | None:
    """Return the keys that lead to a dotted name, or ``None``; a key that itself has the dots comes first."""
    if name in row:
        return (name,)
    value: Any = row
    keys = tuple(name.split("."))
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return keys


def _value_at(row: dict, path: tuple[str, ...]) -> Any:
    """Return the value that a path of keys leads to."""
    value: Any = row
    for key in path:
        value = value[key]
    return value


def _candidate_at(row: dict, path: tuple[str, ...], names: list[str]) -> Any:
    """Return one candidate, with the keys beside it where its mapping holds no other candidate of ``names``."""
    value = _value_at(row, path)
    if not isinstance(value, str | list):
        return value
    key = "response" if isinstance(value, str) else "messages"
    if len(path) == 1:
        return {key: value, "model": path[0]}
    owner = ".".join(path[:-1])
    is_only_one = sum(name.startswith(f"{owner}.") for name in names) == 1
    if not is_only_one:
        return {key: value, "model": ".".join(path)}
    beside = {k: v for k, v in _value_at(row, path[:-1]).items() if k != path[-1]}
    return {**beside, key: value, "model": owner}


def _without(row: dict, path: tuple[str, ...]) -> dict:
    """Return the row without one key, at any depth, and without the mappings that this leaves empty."""
    if path[0] not in row:
        return row
    rest = {k: v for k, v in row.items() if k != path[0]}
    if len(path) > 1 and isinstance(row[path[0]], dict):
        inner = _without(row[path[0]], path[1:])
        if inner:
            rest[path[0]] = inner
    return rest
