"""The charts of a report: Vega-Lite specifications by Altair, with fixed names of fields.

The names of scorers, models and stages are data, never a field's name or an expression. Colours are those of the style
sheet, by name. A label of a bar stands above it, so that none is cut on a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
from markupsafe import Markup

from cli.pages.script_json import script_json
from cli.pages.texts import UNSEEN

KINDS = ["kept", "dropped", "other", "random", "accent"]  # names of colours, for what has a meaning
SERIES = [f"series-{letter}" for letter in "abcdef"]  # names of colours, for models and trainings
STEP = 40  # pixels of a bar with its label
LONGEST_LABEL = 52  # characters; its whole text is shown under the pointer

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Drawing:
    """A chart of a page.

    Attributes:
        name: Its id, which is its own in the page.
        title: What it shows.
        spec: Its specification.
        height: Its height in pixels, for which room is left before it is drawn.
        about: A line under the title.
        legend: The names of colours with what they mean.
    """

    name: str
    title: str
    spec: dict[str, Any]
    height: int
    about: str = ""
    legend: tuple[tuple[str, str], ...] = ()

    @property
    def json(self) -> Markup:
        """The specification, for a script element."""
        return script_json(self.spec)


def label(value: Any, most: int = LONGEST_LABEL) -> str:
    """Return a text for a chart, which is no HTML: one line, unseen characters by their code points, cut in the middle.

    Args:
        value: The text.
        most: The most characters of it.
    """
    text = " ".join(str(value)[: 8 * most].split())
    text = UNSEEN.sub(lambda found: f"‹U+{ord(found[0]):04X}›", text)
    half = most // 2
    return text if len(text) <= most else f"{text[: most - half - 1]}…{text[-half:]}"


def bars(name: str, title: str, data: Rows, axis: str, **more: Any) -> Drawing:
    """Return horizontal bars, each with a label above it.

    Args:
        name: The id of the chart.
        title: What it shows.
        data: A row for each part of a bar: ``row`` (the bar's number), ``label``, ``value``, ``kind`` (a name of
            ``KINDS``), and ``tip``.
        axis: What the values are.
        more: ``about``, ``legend``; ``most`` is the end of the axis, ``form`` the format of its numbers.
    """
    most, form = more.pop("most", None), more.pop("form", ",~f")
    scale = alt.Scale(domain=[0, most], nice=False) if most else alt.Scale(zero=True)
    x = alt.X("value:Q", stack="zero", title=axis, scale=scale, axis=_numbers(form, grid=False))
    base = alt.Chart().encode(y=_places())
    drawn = _mark(base, "bar", size=12, yOffset=8, cornerRadius=2, stroke="var(--card)", strokeWidth=0.5).encode(
        x=x, color=_kinds(), order=alt.Order("part:Q"), tooltip=_tip()
    )
    return Drawing(
        name, title, _spec(alt.layer(drawn, _labels(base)), data, _rows_of(data) * STEP), _tall(data), **more
    )


def histogram(name: str, title: str, data: Rows, axis: str, count: str, **more: Any) -> Drawing:
    """Return bars of how often values are in a bin.

    Args:
        name: The id of the chart.
        title: What it shows.
        data: A row for each bin: ``low``, ``high``, ``value``, ``kind`` and ``tip``.
        axis: What the values are.
        count: What is counted.
        more: ``about``, ``legend``; ``form`` is the format of what is counted, ``height`` the chart's, ``ends``
            those of the first axis; ``whole`` has only whole numbers on it.
    """
    form, height, whole = more.pop("form", "~%"), more.pop("height", 130), more.pop("whole", False)
    ends = more.pop("ends", None)
    axis_of = alt.Axis(grid=False, tickMinStep=1, format=",d", tickCount=6) if whole else _numbers(",~f", grid=False)
    drawn = _mark(alt.Chart(), "bar", stroke="var(--card)", strokeWidth=1).encode(
        x=alt.X("low:Q", title=axis, axis=axis_of, scale=alt.Scale(domain=ends) if ends else alt.Undefined),
        x2=alt.X2("high:Q"),
        y=alt.Y("value:Q", title=count, axis=alt.Axis(format=form, tickCount=3)),
        y2=alt.datum(0),
        color=_kinds(),
        tooltip=_tip(),
    )
    return Drawing(name, title, _spec(drawn, data, height), height + 44, **more)


def lines(name: str, title: str, data: Rows, x: str, y: str, **more: Any) -> Drawing:
    """Return lines, one for each group.

    Args:
        name: The id of the chart.
        title: What it shows.
        data: A row for each point: ``x``, ``y``, ``line`` (the line's number), ``colour`` (a name of ``SERIES`` or
            ``KINDS``) and ``tip``; those of a ``faint`` line have no tip.
        x: What is on the first axis.
        y: What is on the second.
        more: ``about``, ``legend``; ``points`` draws them, ``zero`` begins the second axis at 0, ``whole`` has only
            whole numbers on the first.
    """
    points, whole, zero = more.pop("points", False), more.pop("whole", True), more.pop("zero", False)
    axis = alt.Axis(grid=False, tickMinStep=1, format=",d", tickCount=6) if whole else _numbers(",~f", grid=False)
    base = alt.Chart().encode(
        x=alt.X("x:Q", title=x, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=8)),
        y=alt.Y("y:Q", title=y, axis=alt.Axis(tickCount=4), scale=alt.Scale(zero=zero)),
        color=_colours([*SERIES, *KINDS], "colour"),
        detail="line:N",
    )
    faint = _mark(base.transform_filter("datum.faint"), "line", strokeWidth=1, opacity=0.22)
    strong = base.transform_filter("!datum.faint")
    line = _mark(strong, "line", strokeWidth=2, opacity=0.95)
    dots = _mark(strong, "point", filled=True, size=34 if points else 60, opacity=0.95 if points else 0)
    drawn = alt.layer(faint, line, dots.encode(tooltip=_tip()))
    return Drawing(name, title, _spec(drawn, data, 210), 256, **more)


def forest(name: str, title: str, data: Rows, axis: str, **more: Any) -> Drawing:
    """Return differences with their intervals, one below another, beside a line at zero.

    Args:
        name: The id of the chart.
        title: What it shows.
        data: A row for each difference: ``row``, ``label``, ``value``, ``low`` and ``high`` (null for no interval),
            ``kind`` and ``tip``; a row with ``dot`` in place of ``value`` is a seed's.
        axis: What the differences are.
        more: ``about``, ``legend``.
    """
    base = alt.Chart().encode(y=_places())
    x = alt.X("value:Q", title=axis, axis=_numbers("+,~f", grid=False), scale=alt.Scale(zero=True, padding=10))
    zero = _mark(base, "tick", color="var(--quiet)", size=18, thickness=1, yOffset=8).encode(x=alt.datum(0))
    span = _mark(base, "rule", strokeWidth=2.5, strokeCap="round", yOffset=8).encode(
        x=alt.X("low:Q", title=axis), x2=alt.X2("high:Q"), color=_kinds()
    )
    seeds = _mark(base, "point", shape="stroke", angle=90, size=60, opacity=0.55, yOffset=8).encode(
        x=alt.X("dot:Q", title=axis), color=_kinds()
    )
    middle = _mark(base, "point", filled=True, size=75, opacity=1, yOffset=8).encode(
        x=x, color=_kinds(), tooltip=_tip()
    )
    drawn = alt.layer(zero, span, seeds, middle, _labels(base))
    return Drawing(name, title, _spec(drawn, data, _rows_of(data) * STEP), _tall(data), **more)


def scatter(x: str, y: str) -> dict[str, Any]:
    """Return the specification of points of two scores, whose values and axis names a script fills in."""
    look = alt.Scale(zero=False, nice=False, padding=8)
    drawn = _mark(alt.Chart(), "point", filled=True, size=18, opacity=0.4).encode(
        x=alt.X("x:Q", title=x, scale=look, axis=alt.Axis(tickCount=5)),
        y=alt.Y("y:Q", title=y, scale=look, axis=alt.Axis(tickCount=5)),
        color=_colours(SERIES, "colour"),
        tooltip=_tip(),
    )
    return _spec(drawn, [], 340)


def _spec(drawn: "alt.Chart | alt.LayerChart | alt.FacetChart", data: Rows, height: int) -> dict[str, Any]:
    spec = drawn.properties(width="container", height=height, data=alt.Data(values=[{}])).to_dict()
    spec.pop("config", None)  # charts.js has the theme
    spec.pop("datasets", None)
    spec["data"] = {"values": list(data)}  # not through Altair, which would check each row
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def _places() -> alt.Y:
    return alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))


def _labels(base: alt.Chart) -> alt.Chart:
    held = base.transform_filter("isValid(datum.label)")
    drawn = _mark(held, "text", align="left", baseline="middle", dy=-9, fontSize=12)
    return drawn.encode(x=alt.value(0), text=alt.Text("label:N"), tooltip=_tip())


def _mark(base: alt.Chart, kind: str, **look: Any) -> alt.Chart:
    """Return a chart with this mark."""
    made = base.copy()
    made.mark = alt.MarkDef(type=kind, **look)  # ty: ignore[invalid-argument-type] - Altair checks it
    return made


def _tip() -> alt.Tooltip:
    return alt.Tooltip("tip:N", title=" ")


def _kinds() -> alt.Color:
    return _colours(KINDS, "kind")


def _colours(names: Sequence[str], field: str) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=[f"var(--{name})" for name in names])
    return alt.Color(f"{field}:N", scale=scale, legend=None)


def _numbers(form: str, *, grid: bool = True) -> alt.Axis:
    return alt.Axis(format=form, tickCount=5, grid=grid, labelOverlap="greedy", labelSeparation=8)


def _rows_of(data: Rows) -> int:
    return len({row["row"] for row in data})


def _tall(data: Rows) -> int:
    return _rows_of(data) * STEP + 40
