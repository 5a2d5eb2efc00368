"""Draws a comparison as an SVG picture: for each split and scorer the differences of all pairs, with their intervals.

A dot is a seed. The strong line is the interval over seeds, the thin one that over seeds and prompts. It is written by
hand, as the curves of a training are, and follows the reader's light or dark theme. A PNG of it has the light colours.
"""

import importlib
import importlib.util
import re
from typing import Any

import polars as pl

from train.arms.sentences import interval
from train.arms.verdicts import BETTER, WORSE
from train.evaluating.signed import signed
from train.reports.curves.curve_axes import Axis, value_axis
from train.reports.svg import colour_rules, cut, escaped, svg_text

WIDTH, MARGIN, LEFT, RIGHT = 860, 16, 230, 250
HEAD, TITLE, ROW, FOOT, GAP = 62, 26, 26, 30, 10  # heights in pixels
MOST = 24  # splits and scorers that are drawn; how many are left out is said
ZOOM = 2  # pixels of the PNG for one of the SVG
DARK = re.compile(r"@media \(prefers-color-scheme:dark\)\{(?:[^{}]*\{[^{}]*\})*\}")
PER_LETTER = 6.6  # pixels of a letter of the labels
# Class -> (property, light, dark).
COLOURS = {
    "paper": ("fill", "#ffffff", "#0d1117"), "ink": ("fill", "#1f2328", "#e6edf3"),
    "note": ("fill", "#59636e", "#9198a1"), "grid": ("stroke", "#e4e7eb", "#262c36"),
    "zero": ("stroke", "#59636e", "#9198a1"), "better": ("stroke", "#0f8a7e", "#3cc4b4"),
    "worse": ("stroke", "#c2570c", "#ff9a4d"), "same": ("stroke", "#59636e", "#9198a1"),
    "betterdot": ("fill", "#0f8a7e", "#3cc4b4"), "worsedot": ("fill", "#c2570c", "#ff9a4d"),
    "samedot": ("fill", "#59636e", "#9198a1"),
}  # fmt: skip
FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"


def drawing(title: str, rows: pl.DataFrame) -> str:
    """Return the picture of a comparison as the text of an SVG file.

    Args:
        title: What stands above it.
        rows: The rows of ``comparisons``.
    """
    groups = [(names, part) for names, part in rows.group_by("split", "scorer", maintain_order=True)]
    left_out, groups = len(groups[MOST:]), groups[:MOST]
    y, parts = float(HEAD), []
    for names, part in groups:
        drawn, height = _panel(names, part, y)
        parts.append(drawn)
        y += height + GAP
    seeds = rows["seeds"].max()
    key = f"difference of the mean score; dots: {seeds} seeds; strong: 95% over seeds; thin: for new prompts too"
    key += f"; {left_out} more are not drawn" if left_out else ""
    head = svg_text(MARGIN, 26, cut(title, 100), "ink", size=16, weight=600) + svg_text(
        MARGIN, 46, key, "note", size=12
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" width="{WIDTH}" height="{y:.0f}" '
        f'role="img" aria-label="{escaped(title)}: differences"><style>{_style()}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{y:.0f}" rx="6"/>{head}{"".join(parts)}</svg>\n'
    )


def png(svg: str) -> bytes | None:
    """Return a picture as PNG, twice as large; None where the library (resvg) is not installed.

    Args:
        svg: The text of an SVG file.
    """
    if importlib.util.find_spec("resvg_py") is None:
        return None
    resvg = importlib.import_module("resvg_py")
    return bytes(resvg.svg_to_bytes(svg_string=DARK.sub("", svg), zoom=ZOOM))


def _panel(names: tuple[Any, ...], rows: pl.DataFrame, top: float) -> tuple[str, float]:
    """Return the drawing of one split and scorer below ``top``, and its height."""
    pairs = rows.filter(pl.col("seed").is_null()).to_dicts()
    values = [0.0, *_known(rows, ("difference", "low", "high", "new_low", "new_high"))]
    axis = value_axis(values, LEFT, WIDTH - RIGHT, logarithmic=False)
    bottom = top + TITLE + ROW * len(pairs)
    lower = ", lower is better" if pairs[0]["better"] == "lower" else ""
    label = f"{names[1]}{f' on {names[0]}' if names[0] else ''}{lower}"
    parts = [svg_text(MARGIN, top + 16, cut(label, 60), "ink", size=13, weight=600), _scale(axis, top + TITLE, bottom)]
    for number, pair in enumerate(pairs):
        same = (pl.col("arm") == pair["arm"]) & (pl.col("versus") == pair["versus"]) & pl.col("seed").is_not_null()
        seeds = rows.filter(same)["difference"].drop_nulls().to_list()
        parts.append(_pair(pair, seeds, axis, top + TITLE + ROW * (number + 0.5)))
    return "".join(parts), bottom + FOOT - top


def _pair(pair: dict[str, Any], seeds: list[float], axis: Axis, y: float) -> str:
    """Return one pair of arms: its names, its intervals, its seeds, and its difference in figures."""
    colour = {BETTER: "better", WORSE: "worse"}.get(pair["verdict"], "same")
    room = round((LEFT - MARGIN - 12) / PER_LETTER)
    parts = [svg_text(MARGIN, y + 4, cut(f"{pair['arm']} - {pair['versus']}", room), "ink", size=12)]
    for low, high, width in ((pair["new_low"], pair["new_high"], 1.4), (pair["low"], pair["high"], 4.0)):
        if low is not None and high is not None:
            ends = f"M{axis.at(low):.1f} {y:.1f}H{axis.at(high):.1f}"
            parts.append(f'<path class="{colour}" stroke-width="{width}" d="{ends}"/>')
    parts += [f'<circle class="{colour}dot" cx="{axis.at(v):.1f}" cy="{y - 8:.1f}" r="2"/>' for v in seeds]
    if pair["difference"] is not None:
        at = axis.at(pair["difference"])
        parts.append(f'<circle class="{colour}dot" cx="{at:.1f}" cy="{y:.1f}" r="5"/>')
    said = f"{signed(pair['difference'])} ({interval(pair['low'], pair['high'])})"
    parts.append(svg_text(WIDTH - RIGHT + 14, y - 1, said, "ink", size=11.5))
    parts.append(svg_text(WIDTH - RIGHT + 14, y + 11, cut(pair["verdict"], 38), "note", size=10.5))
    return "".join(parts)


def _scale(axis: Axis, top: float, bottom: float) -> str:
    """Return the ticks of a panel with their labels, and the line of no difference."""
    parts = []
    for value, text in axis.ticks(5):
        x = axis.at(value)
        parts.append(f'<path class="grid" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>')
        parts.append(svg_text(x, bottom + 16, text, "note", size=11, anchor="middle"))
    x = axis.at(0.0)
    return "".join(parts) + f'<path class="zero" stroke-dasharray="3 3" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>'


def _known(rows: pl.DataFrame, columns: tuple[str, ...]) -> list[float]:
    return [value for name in columns for value in rows[name].drop_nulls().to_list()]


def _style() -> str:
    """Return the CSS: the light colours, and the dark ones for a reader who prefers them."""
    light, dark = colour_rules(COLOURS)
    return f"text{{{FONT}}}path{{fill:none;stroke-linecap:round}}{light}@media (prefers-color-scheme:dark){{{dark}}}"
