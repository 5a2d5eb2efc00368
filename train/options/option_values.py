"""Checks an option's value against its type and its choices, as the config class writes them."""

import ast
import difflib
from collections.abc import Callable, Iterable
from typing import Any

from schemas.errors import UserError, short_repr
from train.options.config_fields import ConfigField

NAMES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "dict": (dict,),
    "list": (list,),
    "None": (type(None),),
}


def check_value(name: str, value: Any, field: ConfigField, where: str) -> None:
    """Check the value of an option.

    A type that is made of other classes than Python's own is left to TRL, which checks it as its config is built.

    Raises:
        UserError: The value has another type, or is none of the choices.
    """
    if field.choices and value is not None and not _is_choice(value, field):
        raise UserError(f"{where}: {wrong_choice(name, value, field.choices)}")
    if not field.choices and _accepts(ast.parse(field.kind, mode="eval").body, value) is False:
        raise UserError(f"{where}: {name}: expected {_shown(field.kind)}, found {short_repr(value)}")


def wrong_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return what to say of a value that is none of an option's choices: the nearest one, and all of a few."""
    choices, given = tuple(choices), str(value).lower()
    close = difflib.get_close_matches(given, choices, n=1, cutoff=0.75)
    close = close or [one for one in choices if given and one.startswith(given)]
    close = close or difflib.get_close_matches(given, choices, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    few = choices if len(choices) <= 15 else choices[:8]
    more = f" and {len(choices) - len(few)} more" if len(few) < len(choices) else ""
    return f"no value of {name} called {short_repr(value)}{hint} (there are: {', '.join(few)}{more})"


def _is_choice(value: Any, field: ConfigField) -> bool:
    if isinstance(value, list) and "list[" in field.kind:
        return bool(value) and all(one in field.choices for one in value)
    return value in field.choices


def _shown(kind: str) -> str:
    """Return a type in a recipe's words."""
    for python, written in (
        ("Optional[", "null or ["),
        ("Union", ""),
        ("Literal", "one of "),
        ("None", "null"),
        ("typing.", ""),
    ):
        kind = kind.replace(python, written)
    return kind.replace("Any", "anything") if kind.count("[") == kind.count("]") else kind


def _accepts(kind: ast.expr, value: Any) -> bool | None:
    """Return whether a value is of a type; None where it is a class that is not known here."""
    if isinstance(kind, ast.BinOp):
        return _any_of([kind.left, kind.right], value)
    if isinstance(kind, ast.Constant):
        return (value is None) if kind.value is None else None
    if isinstance(kind, ast.Subscript):
        return _accepts_generic(kind, value)
    allowed = NAMES.get(ast.unparse(kind))
    if allowed is None:
        return None
    return isinstance(value, allowed) and not (isinstance(value, bool) and bool not in allowed)


def _accepts_generic(kind: ast.Subscript, value: Any) -> bool | None:
    outer = ast.unparse(kind.value).removeprefix("typing.")
    inner = kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
    readers: dict[str, Callable[[], bool | None]] = {
        "Optional": lambda: value is None or _accepts(inner[0], value),
        "Union": lambda: _any_of(inner, value),
        "Literal": lambda: _is_literal(inner, value),
        "list": lambda: _is_list(inner[0], value),
        "dict": lambda: isinstance(value, dict),
        "tuple": lambda: isinstance(value, list) and len(value) == len(inner),
    }
    return readers[outer]() if outer in readers else None


def _is_list(kind: ast.expr, value: Any) -> bool | None:
    """Return whether a value is a list of a type. One value alone is left to TRL, which takes some (``beta: 0.1``)."""
    if isinstance(value, list):
        return _all_of([_accepts(kind, one) for one in value])
    return False if value is None or _accepts(kind, value) is False else None


def _is_literal(kinds: list[ast.expr], value: Any) -> bool | None:
    values = [one.value for one in kinds if isinstance(one, ast.Constant)]
    patterned = any("[" in str(one) for one in values)  # 'pissa_niter_[number of iters]'
    return value in values or (None if patterned and isinstance(value, str) else False)


def _any_of(kinds: list[ast.expr], value: Any) -> bool | None:
    found = [_accepts(one, value) for one in kinds]
    return True if True in found else None if None in found else False


def _all_of(found: list[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True
