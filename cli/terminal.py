r"""The one place where text goes to the terminal: nothing of a file, a server or a model steers it.

``terminal_text`` escapes, ``say`` prints a line; tables and progress go through ``cli.plain_console``, which reads no
text as markup. A test of the layout finds what is printed in any other way.
"""

import json
import re
from typing import Any

import typer

# C0 but for tab and line end, C1, the marks and overrides of direction, other line ends, half a surrogate pair.
STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def terminal_text(text: str) -> str:
    r"""Return text with escapes such as ``\x1b`` for what could steer a terminal; tabs and line ends stay."""
    return STEERING.sub(_escape, text)


def say(text: str, *, err: bool = False) -> None:
    """Print a line to stdout, or to stderr, made safe for a terminal."""
    typer.echo(terminal_text(text), err=err)


def json_text(value: Any, **how: Any) -> str:
    r"""Return JSON that holds the value exactly, and in which what could steer a terminal is written as ``\u001b``."""
    return safe_json(json.dumps(value, ensure_ascii=False, **how))


def safe_json(text: str) -> str:
    r"""Return a JSON text of the same value, in which what could steer a terminal is written as ``\u001b``."""
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
