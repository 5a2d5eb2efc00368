"""A picture (SVG) as PNG, in light colours, where the extra ``png`` is installed."""

import importlib
import importlib.util
import re

DARK = re.compile(r"@media \(prefers-color-scheme:dark\)\{(?:[^{}]*\{[^{}]*\})*\}")
ZOOM = 2  # pixels of the PNG for one of the SVG


def png(svg: str) -> bytes | None:
    """Return a picture as PNG, twice as large; None where the library (resvg) is not installed.

    Args:
        svg: The text of an SVG file.
    """
    if importlib.util.find_spec("resvg_py") is None:
        return None
    resvg = importlib.import_module("resvg_py")
    return bytes(resvg.svg_to_bytes(svg_string=DARK.sub("", svg), zoom=ZOOM))
