"""Draws the curves of a training, from TRL's log, as an SVG picture: a small plot for each figure that matters.

It is written by hand: matplotlib would be a further dependency of 30 MB, and its SVG is one for light pages only. The
picture follows the reader's light or dark theme by CSS, in a browser and on the hub.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from train.reports.curves.curve_axes import Axis, label, step_axis, value_axis
from train.reports.curves.curve_panels import Line, Panel, panels
from train.reports.curves.curve_points import Points, smoothed, thinned
from train.reports.svg import colour_rules, cut, escaped, svg_text

WIDTH, HEIGHT, COLUMNS = 300, 180, 3  # of a panel, in pixels; panels in a row
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 30, 24  # the room around a plot
HEAD, LINE, FOOT, MARGIN = 38, 14, 10, 8
FEW = 40  # points: each is a dot
CLEAR = 0.3  # the opacity of a curve under its running mean
# Class -> (property, light, dark).
COLOURS = {
    "paper": ("fill", "#ffffff", "#0d1117"), "ink": ("fill", "#1f2328", "#e6edf3"),
    "note": ("fill", "#59636e", "#9198a1"), "grid": ("stroke", "#e4e7eb", "#262c36"),
    "axis": ("stroke", "#8b949e", "#6e7681"), "best": ("stroke", "#59636e", "#9198a1"),
    "line0": ("stroke", "#2f6fde", "#5b9bff"), "line1": ("stroke", "#b3409a", "#e07cc9"),
    "line2": ("stroke", "#0f8a7e", "#3cc4b4"), "eval": ("stroke", "#c2570c", "#ff9a4d"),
    "text0": ("fill", "#2f6fde", "#5b9bff"), "text1": ("fill", "#b3409a", "#e07cc9"),
    "text2": ("fill", "#0f8a7e", "#3cc4b4"),
}  # fmt: skip
FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"


def curves(title: str, history: Iterable[Mapping[str, Any]], best: Mapping[str, Any] | None = None) -> str:
    """Return the curves of a training as the text of an SVG file; an empty text where no figure was logged.

    Args:
        title: The training's name, to stand above the plots.
        history: TRL's log: entries with their ``step``, in order. A figure of an evaluation begins with ``eval_``.
        best: Which model is kept if it is not the last (``train.best_checkpoint.best_model``).
    """
    history = list(history)
    shown, left_out = panels(history)
    if not shown:
        return ""
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    width = max(2, columns) * WIDTH + 2 * MARGIN
    room = width - LEFT - 2 * MARGIN
    last = max(float(x) for panel in shown for line in panel.lines for x, _ in (*line.points, *line.evaluated))
    kept = (best or {}).get("step")
    legend = _legend(shown, kept, left_out, round(room / 6))
    top = HEAD + LINE * len(legend)
    height = top + rows * HEIGHT + FOOT
    plots = []
    for i, panel in enumerate(shown):
        x, y = MARGIN + i % columns * WIDTH, top + i // columns * HEIGHT
        plots.append(f'<g transform="translate({x} {y})">{_plot(panel, last, best if kept else None)}</g>')
    head = [svg_text(LEFT + MARGIN, 22, cut(title, round(room / 9)), "ink", size=15, weight=600)]
    head += [svg_text(LEFT + MARGIN, 40 + LINE * i, line, "note", size=11) for i, line in enumerate(legend)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escaped(title)}: curves"><style>{_style()}</style>'
        f'<rect class="paper" width="{width}" height="{height}" rx="6"/>{"".join(head)}{"".join(plots)}</svg>\n'
    )


def _legend(shown: list[Panel], kept: int | None, left_out: int, width: int) -> list[str]:
    """Return what the lines mean, as far as they are there: lines of at most ``width`` letters."""
    lines = [line for panel in shown for line in panel.lines]
    parts = ["strong: a running mean"] if any(_mean(line) for line in lines) else []
    parts += ["rings: evaluations"] if any(line.evaluated for line in lines) else []
    parts += [f"dashed: step {kept:,}, which is kept"] if kept else []
    lost = sum(panel.lost for panel in shown)
    parts += [f"gaps: not a number ({lost:,})"] if lost else []
    parts += [f"not drawn: {left_out:,} more"] if left_out else []
    lines_of_text = ["x: optimizer steps"]
    for part in parts:
        longer = f"{lines_of_text[-1]} \u00b7 {part}"
        lines_of_text[-1:] = [longer] if len(longer) <= width else [lines_of_text[-1], part]
    return lines_of_text


def _plot(panel: Panel, last: float, best: Mapping[str, Any] | None) -> str:
    """Return one plot: its name and last value, the axes, the curves, and the step of the model that is kept."""
    steps = step_axis(last, LEFT, WIDTH - RIGHT)
    values = value_axis(panel.values, HEIGHT - BOTTOM, TOP, logarithmic=panel.logarithmic)
    parts = [_name(panel), _grid(steps, values)]
    if best:
        x = steps.at(best["step"])
        parts.append(f'<path class="best" stroke-dasharray="3 3" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
    for i, line in enumerate(panel.lines):
        colour = f"line{i}"
        mean = _mean(line)
        parts.append(_curve(line.points, steps, values, colour, 1.2 if mean else 1.8, CLEAR if mean else 1))
        parts += [_dots(_at(line.points, steps, values), colour, 1.6)] if len(line.points) <= FEW else []
        parts.append(_curve(mean, steps, values, colour, 2.0, 1))
        parts.append(_evaluations(line, steps, values, "eval" if len(panel.lines) == 1 else colour, best))
    return "".join(parts)


def _name(panel: Panel) -> str:
    """Return the names of a panel's figures, in the colours of their lines, and the last values."""
    several = len(panel.lines) > 1
    room = 19 if several else 26
    names = [
        f'<tspan class="{f"text{i}" if several else "ink"}">{escaped(cut(line.name, room))}</tspan>'
        for i, line in enumerate(panel.lines)
    ]
    scale = '<tspan class="note" font-weight="400"> log</tspan>' if panel.logarithmic else ""
    end = "" if several or panel.lines[0].last is None else label(panel.lines[0].last)
    title = "<title>" + escaped(", ".join(line.name for line in panel.lines)) + "</title>"
    return (
        f'{title}<text x="{LEFT}" y="19" font-size="12.5" font-weight="600">{"&#160; ".join(names)}{scale}</text>'
        + svg_text(WIDTH - RIGHT, 19, end, "note", size=11.5, anchor="end")
    )


def _grid(steps: Axis, values: Axis) -> str:
    """Return the lines of the ticks with their labels, and the axis of steps."""
    parts = []
    for value, text in values.ticks(4):
        y = values.at(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(svg_text(LEFT - 6, y + 3.8, text, "note", size=11, anchor="end"))
    parts.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    for value, _ in steps.ticks(4):
        if value == int(value):
            parts.append(
                svg_text(steps.at(value), HEIGHT - BOTTOM + 15, label(value), "note", size=11, anchor="middle")
            )
    return "".join(parts)


def _mean(line: Line) -> Points:
    """Return the running mean of a figure; none of the learning rate, which has no noise."""
    return [] if line.name == "learning_rate" else smoothed(line.points)


def _at(points: Points, steps: Axis, values: Axis) -> Points:
    """Return the pixels of points, as many as can be seen."""
    return thinned([(steps.at(x), None if y is None else values.at(y)) for x, y in points], width=2.0)


def _curve(points: Points, steps: Axis, values: Axis, colour: str, width: float, opacity: float) -> str:
    """Return a curve, with a gap where a value is no number."""
    if not points:
        return ""
    path = _path(_at(points, steps, values))
    return f'<path class="{colour}" stroke-width="{width}" opacity="{opacity}" d="{path}"/>'


def _evaluations(line: Line, steps: Axis, values: Axis, colour: str, best: Mapping[str, Any] | None) -> str:
    """Return a figure's evaluations: a ring for each, joined; a disc for the one whose model is kept."""
    if not line.evaluated:
        return ""
    at = _at(line.evaluated, steps, values)
    shape = f'<path class="{colour}" stroke-width="1.5" d="{_path(at)}"/>'
    shape += _dots(at, f"{colour} ring", 2.8) if len(line.evaluated) <= FEW else ""
    if best and best.get("metric") == f"eval_{line.name}" and best.get("value") is not None:
        place = f'cx="{steps.at(best["step"]):.1f}" cy="{values.at(best["value"]):.1f}"'
        shape += f'<circle class="{colour} disc" {place} r="4.5"/>'
    return shape


def _path(points: Points) -> str:
    """Return the data of a path; a point alone between gaps is a dot, as the ends of lines are round."""
    parts, pen = [], False
    for i, (x, y) in enumerate(points):
        if y is None:
            pen = False
            continue
        alone = not pen and (i + 1 == len(points) or points[i + 1][1] is None)
        parts.append(f"{'L' if pen else 'M'}{x:.1f} {y:.1f}{'h0' if alone else ''}")
        pen = True
    return "".join(parts)


def _dots(points: Points, colour: str, radius: float) -> str:
    return "".join(
        f'<circle class="{colour}{"" if "ring" in colour else " disc"}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'
        for x, y in points
        if y is not None
    )


def _style() -> str:
    """Return the CSS: the light colours, and the dark ones for a reader who prefers them."""
    light, dark = colour_rules(COLOURS)
    filled = [(name, light, dark) for name, (kind, light, dark) in COLOURS.items() if kind == "stroke"]
    light += "".join(f".{name}.disc{{fill:{colour}}}" for name, colour, _ in filled)
    dark += "".join(f".{name}.disc{{fill:{colour}}}" for name, _, colour in filled)
    paper = COLOURS["paper"]
    return (
        f"text{{{FONT}}}path{{fill:none;stroke-linecap:round;stroke-linejoin:round}}{light}"
        f".ring{{fill:{paper[1]};stroke-width:1.5}}"
        f"@media (prefers-color-scheme:dark){{{dark}.ring{{fill:{paper[2]}}}}}"
    )
