"""Jinja's environment for the templates of the report and of the viewer, and the shipped files beside them."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from cli.pages.conversation import conversation
from cli.pages.texts import one_line, shown

HERE = Path(__file__).parent
ASSETS = HERE / "assets"


def environment(*folders: Path) -> jinja2.Environment:
    """Return an environment that finds templates in these folders, then in those that all pages share.

    It escapes every value, and a name that is missing is an error.
    """
    loader = jinja2.FileSystemLoader([*folders, HERE / "templates"])
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    made.filters |= {"shown": shown, "one_line": one_line, "conversation": conversation, "number": number}
    return made


@cache
def asset(name: str) -> str:
    """Return the text of a shipped file of the folder ``assets``."""
    return (ASSETS / name).read_text(encoding="utf-8")


def number(value: Any) -> str:
    """Return a number for a person: ``12,345``, ``0.613``; an empty text for ``None``, any other value as it is."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value:,.0f}"
        if value.is_integer() and abs(value) < 1e15
        else f"{value:,.4g}"
    )
