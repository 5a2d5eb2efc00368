"""The values of a result as a person reads them, in one line each."""

import datetime
import json
from decimal import Decimal
from typing import Any, NamedTuple

from cli.terminal import terminal_text

MOST = 2_000  # characters of a value that a table shows
# The characters that a byte is shown as, as DuckDB has them: \xAB for what is no plain character, or a quote.
BYTES = {code: f"\\x{code:02X}" for code in range(256) if not 32 <= code < 127 or code in b"\\'\""}


class Cell(NamedTuple):
    """A value to show: its text in a line, whether it is a number, whether there is none, and the whole text."""

    text: str
    is_number: bool = False
    is_null: bool = False
    whole: str = ""


def cell(value: Any) -> Cell:
    """Return a value to show.

    A number has what matters of its digits, so that a column stays narrow; ``--format json`` has all of them.
    """
    if value is None:
        return Cell("null", is_null=True)
    if isinstance(value, bool):
        return Cell("true" if value else "false")
    if isinstance(value, int | float | Decimal):
        return Cell(number_text(value), is_number=True)
    if isinstance(value, datetime.datetime):
        return Cell(value.isoformat(" ", "seconds"))
    if isinstance(value, bytes):
        value = blob_text(value)
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)
    return Cell(one_line(text), whole=terminal_text(text))


def blob_text(value: bytes) -> str:
    r"""Return bytes as DuckDB prints them: plain characters as they are, others and quotes as ``\xAB``."""
    return value.decode("latin-1").translate(BYTES)


def number_text(value: float | Decimal) -> str:
    """Return a number in few characters: a whole number as it is, others with four digits or one decimal.

    What looks whole is whole: 0.99999 is ``1.0``, not ``1``.
    """
    if isinstance(value, int):
        return str(value)
    if value != value or abs(value) == float("inf"):
        return str(value)
    if abs(value) >= 1e15:
        return f"{value:.4g}"
    if value == int(value):
        return str(int(value))
    text = f"{value:.4g}"
    return f"{value:.1f}" if abs(value) >= 1000 or text.lstrip("-").isdecimal() else text


def one_line(text: str) -> str:
    """Return a text as one line, at most ``MOST`` characters of it: a line's end as an arrow, controls as escapes."""
    cut = text if len(text) <= MOST else f"{text[: MOST - 1]}…"
    return terminal_text(cut.replace("\r\n", "⏎").replace("\n", "⏎").replace("\t", " "))
