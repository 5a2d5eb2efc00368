"""What changed in a recipe between two runs: the values that differ, the steps that came and went."""

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import polars as pl

from curate.storage.records import RunInfo

Difference = tuple[str, str | None, str | None]


def recipe_changes(before: RunInfo, after: RunInfo) -> pl.DataFrame:
    """Return the values of the two recipes that differ, as ``where``, ``before`` and ``after``.

    The values are JSON, null for what is not there; what is not set is left out. Steps are numbered as in the later
    recipe, one that went as in the earlier.
    """
    found = _differences(before.get("resolved") or {}, after.get("resolved") or {})
    schema = {"where": pl.String, "before": pl.String, "after": pl.String}
    return pl.DataFrame([*found], schema=schema, orient="row")


def _differences(old: Any, new: Any, place: str = "") -> Iterator[Difference]:
    """Yield where two values differ: within mappings by key, within steps by verb and use, within lists by place."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            if key != "line":  # of the recipe's file
                yield from _differences(old.get(key), new.get(key), f"{place}.{key}" if place else str(key))
    elif _are_steps(old) and _are_steps(new):
        yield from _of_steps(old, new, place)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{place}[{number}]")
    elif old != new:
        yield place, _json(old), _json(new)


def _are_steps(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(step, dict) and "verb" in step for step in value)


def _of_steps(old: list[dict], new: list[dict], place: str) -> Iterator[Difference]:
    """Yield where two lists of steps differ; a step of the same verb and use, in the same order, is the same step."""
    kinds = [[f"{step['verb']} {step.get('use')}" for step in steps] for steps in (old, new)]
    for kind, i, j, k, m in SequenceMatcher(None, *kinds, autojunk=False).get_opcodes():
        if kind == "equal":
            for number, (one, other) in enumerate(zip(old[i:j], new[k:m], strict=True), start=k):
                yield from _differences(one, other, f"{place}[{number}]")
        else:
            for number, step in enumerate(old[i:j], start=i):
                yield f"{place}[{number}]", _json(_step(step)), None
            for number, step in enumerate(new[k:m], start=k):
                yield f"{place}[{number}]", None, _json(_step(step))


def _step(step: dict) -> dict:
    """Return a step as a recipe has it: its verb, with its settings."""
    settings = step.get("settings")
    use = {"use": step["use"]} if step.get("use") else {}
    return {str(step["verb"]): use | settings if isinstance(settings, dict) else use or settings}


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(_set(value), ensure_ascii=False)


def _set(value: Any) -> Any:
    """Return a value without the parts that are not set, and without the lines of the recipe's file."""
    if isinstance(value, dict):
        return {key: _set(part) for key, part in value.items() if part is not None and part != [] and key != "line"}
    return [_set(part) for part in value] if isinstance(value, list) else value
