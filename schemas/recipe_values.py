"""Put the values of a recipe's section ``values`` where its texts name them: ``${assistant}``.

With ``values: {assistant: Ada}`` the text ``Your name is ${assistant}.`` is ``Your name is Ada.`` A text that is one
name and nothing else becomes the value itself, a number too. ``$${`` is a plain ``${``. A recipe without the section is
left as it is, so that ``${name}`` can be a group of ``generate: replace`` in it.

A value is put in as it stands, unquoted: where a text is a pattern, set ``literal: true`` (``score: regex``), and keep
values out of SQL.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from schemas.errors import UserError, kind_of, unknown

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
LONGEST = 10_000  # characters of a value: a name, a sentence, not a file
SECTION = "values"
Place = Callable[[tuple[str | int, ...]], str]


def with_values(data: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return a recipe's values with every ``${name}`` in its texts replaced.

    Args:
        data: The recipe as plain values: mappings, lists, texts, numbers.
        place: Returns ``file:line`` of the keys that lead to a value.

    Raises:
        UserError: The section is no mapping of names to texts and numbers, or a text names a value that it lacks.
    """
    if SECTION not in data:
        return data
    known = _checked(data[SECTION], place)
    rest = {key: _filled(value, known, (key,), place) for key, value in data.items() if key != SECTION}
    return {**rest, SECTION: known}


def check_override(data: dict[str, Any], text: str) -> None:
    """Raise ``UserError`` where ``--set values.NAME=...`` names a value that the recipe's section does not have."""
    section, dot, name = text.partition("=")[0].partition(".")
    if section == SECTION and dot:
        known = data.get(SECTION)
        if not isinstance(known, dict) or name not in known:
            raise unknown("value called", name, known if isinstance(known, dict) else (), f"--set {text!r:.80}")


def _checked(values: Any, place: Place) -> dict[str, Any]:
    """Return the section, if it maps names to texts, numbers and truth values."""
    if not isinstance(values, dict):
        raise UserError(
            f"{place((SECTION,))}: values: expected a mapping of names to texts or numbers, such as "
            f"{{assistant: Ada}}, found {kind_of(values, 'nothing')}"
        )
    for name, value in values.items():
        where = place((SECTION, name))
        if not NAME.fullmatch(name):
            raise UserError(f"{where}: values: expected a name of letters, digits and _, found {name!r:.80}")
        if not isinstance(value, str | int | float):
            raise UserError(f"{where}: values.{name}: expected text or a number, found {kind_of(value, 'nothing')}")
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{where}: values.{name}: expected a finite number, found {value}")
        if isinstance(value, str) and (not value.strip() or len(value) > LONGEST):
            found = f"{len(value):,} characters" if value.strip() else "an empty one"
            raise UserError(f"{where}: values.{name}: expected a text of 1 to {LONGEST:,} characters, found {found}")
    return values


def _filled(value: Any, known: dict[str, Any], keys: tuple[str | int, ...], place: Place) -> Any:
    """Return a value of the recipe, and all that is in it, with the references replaced."""
    if isinstance(value, dict):
        return {key: _filled(one, known, (*keys, key), place) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known, (*keys, index), place) for index, one in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = REFERENCE.fullmatch(value)
    if whole and whole[0] != "$${":
        return _named(whole, known, keys, place)
    return REFERENCE.sub(lambda found: _as_text(found, known, keys, place), value)


def _as_text(found: re.Match, known: dict[str, Any], keys: tuple[str | int, ...], place: Place) -> str:
    """Return the text in place of a match of ``REFERENCE``."""
    if found[0] == "$${":
        return "${"
    value = _named(found, known, keys, place)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(found: re.Match, known: dict[str, Any], keys: tuple[str | int, ...], place: Place) -> Any:
    """Return the value that a reference names."""
    name, closed = found[1].strip(), found[2]
    if not closed or not NAME.fullmatch(name):
        raise UserError(
            f"{place(keys)}: {'.'.join(map(str, keys))}: expected ${{NAME}}, found {found[0]!r:.80}; "
            "a plain ${ is written $${ in a recipe with 'values'"
        )
    if name not in known:
        raise unknown("value (in 'values') called", name, known, place(keys))
    return known[name]
