"""JSON within a ``<script type="application/json">``, where no text of it can end the element."""

import json
import re
from math import isfinite
from typing import Any

from markupsafe import Markup

MARKUP = re.compile(r"[<>&\u2028\u2029]")


def script_json(value: Any) -> Markup:
    """Return a value as compact JSON in which no character is markup; numbers that JSON has not are null."""
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False, default=str)
    return Markup(MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", text))  # noqa: S704 - escaped here


def _finite(value: Any) -> Any:
    """Return a value without infinities; floats have four significant digits more than a screen shows."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
