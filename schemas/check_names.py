"""Refuse names and numbers of a recipe that can't mean anything: an empty name, an option that is no number."""

import math
from collections.abc import Callable
from typing import Any

from schemas.errors import UserError
from schemas.recipe import Recipe

SECTIONS = ("models", "datasets", "train")
Place = Callable[[tuple[str | int, ...]], str]


def check_names(data: dict[str, Any], place: Place) -> None:
    """Raise ``UserError`` where a model, a dataset or a training has an empty name.

    Args:
        data: The recipe as plain values.
        place: Returns ``file:line`` of the keys that lead to a value.
    """
    for section in SECTIONS:
        named = data.get(section)
        for name in named if isinstance(named, dict) else ():
            if not name.strip():
                raise UserError(f"{place((section, name))}: {section}: expected a name, found {name!r}")


def check_numbers(recipe: Recipe) -> None:
    """Raise ``UserError`` where an option of a training or a setting of a dataset is not a finite number."""
    for section, entries in (("datasets", recipe.datasets), ("train", recipe.train)):
        for name, entry in entries.items():
            for key, value in entry:  # its fields, and the further keys
                if not _finite(value):
                    where = recipe.where(section, name, key)
                    raise UserError(f"{where}: {section}.{name}.{key}: expected a finite number, found {value!r:.80}")


def _finite(value: Any) -> bool:
    """Return whether no number in a value is infinite or NaN."""
    if isinstance(value, dict | list):
        return all(map(_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)
