"""Fields: what the keys of a file are in our words, where they are not recognised by themselves.

``{"prompt": "question", "ground_truth": "meta.answer", "completions": ["a.solution", "b.solution"]}`` maps our names to
dotted names of the file's.
"""

from typing import Any

from schemas.errors import UserError, nearest, unknown
from schemas.messages import BadRow

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
)


def check_fields(fields: Any) -> dict[str, str | list[str]]:
    """Return ``fields`` where it maps our names to names; else raise ``UserError``."""
    if not isinstance(fields, dict) or not fields:
        raise UserError(f"fields: expected a mapping such as {{prompt: question}}, found {fields!r}")
    for name, value in fields.items():
        if name not in NAMES:
            raise unknown("field of ours called", name, NAMES, "fields")
        names = value if isinstance(value, list) and name == "completions" else [value]
        if not names or not all(isinstance(n, str) and n for n in names):
            several = ", or a list of them" if name == "completions" else ""
            raise UserError(f"fields.{name}: expected the name of a key in the file{several}, found {value!r}")
    return fields


def map_fields(row: dict, fields: dict[str, str | list[str]], seen: set[str]) -> tuple[dict, dict]:
    """Return what ``fields`` takes from a row, under our names, and the rest of the row.

    ``seen`` collects the file's names that this row has. A candidate taken from ``model.key`` carries its model's
    name and what stands beside it. Raises ``BadRow`` where the row lacks the prompt.
    """
    rest, mapped = dict(row), {}
    for name, source in fields.items():
        names = source if isinstance(source, list) else [source]
        places = {n: place for n in names if (place := _find(row, n))}
        seen.update(places)
        if not places and name in ("prompt", "messages"):
            raise BadRow(f"no {names[0]!r}, which 'fields' names as the {name}")
        if isinstance(source, list):
            mapped[name] = [_recorded(row, place, names) for place in places.values()] or None
        elif places:
            value = _value(row, places[source])
            text = name == "completions" and isinstance(value, str) and not value.lstrip().startswith("[")
            mapped[name] = [value] if text else value
        for place in places.values():
            rest = _without(rest, place[:1] if isinstance(source, list) else place)
    return mapped, rest


def check_seen(fields: dict[str, str | list[str]], seen: set[str], known: set[str], where: str) -> None:
    """Raise ``UserError`` for a name in ``fields`` that no row has. ``known`` are the names that rows have."""
    for name, source in fields.items():
        for one in source if isinstance(source, list) else [source]:
            if one not in seen:
                raise UserError(f"{where}: fields.{name}: no row has a key {one!r}{nearest(one, known)}")


def names_of(row: dict) -> set[str]:
    """Return the keys of a row, and those of the mappings in it as dotted names."""
    inner = {f"{key}.{name}" for key, value in row.items() if isinstance(value, dict) for name in value}
    return inner | {str(key) for key in row}


def _find(row: dict, name: str) -> tuple[str, ...] | None:
    """Return the keys that lead to a dotted name; a key that has dots itself comes first."""
    if name in row:
        return (name,)
    value: Any = row
    keys = tuple(name.split("."))
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return keys


def _value(row: dict, place: tuple[str, ...]) -> Any:
    value: Any = row
    for key in place:
        value = value[key]
    return value


def _recorded(row: dict, place: tuple[str, ...], names: list[str]) -> Any:
    """Return one candidate; with what stands beside it, where it is the only candidate there."""
    value = _value(row, place)
    if not isinstance(value, str | list):
        return value
    if len(place) == 1:
        return {"response" if isinstance(value, str) else "messages": value, "model": place[0]}
    beside = {k: v for k, v in _value(row, place[:-1]).items() if k != place[-1]}
    owner = ".".join(place[:-1])
    alone = sum(n.startswith(f"{owner}.") for n in names) == 1
    own = {"response" if isinstance(value, str) else "messages": value, "model": owner if alone else ".".join(place)}
    return {**(beside if alone else {}), **own}


def _without(row: dict, place: tuple[str, ...]) -> dict:
    """Return the row without one key, at any depth, and without the mappings that this leaves empty."""
    if place[0] not in row:
        return row
    left = {k: v for k, v in row.items() if k != place[0]}
    if len(place) > 1 and isinstance(row[place[0]], dict):
        inner = _without(row[place[0]], place[1:])
        if inner:
            left[place[0]] = inner
    return left
