"""The picture of a training's curves: which figures it has, and that each case of a log makes a picture to look at."""

import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from train.reports.curves.curve_axes import Axis, label, round_step, value_axis
from train.reports.curves.curve_panels import PANELS, panels
from train.reports.curves.curve_points import smoothed, thinned
from train.reports.curves.curves import curves
from train.reports.svg import cut

SVG = "{http://www.w3.org/2000/svg}"


def log(steps: int, **figures: Any) -> list[dict[str, Any]]:
    """Return a log of these figures: functions of the step, or constants."""
    return [
        {"step": i, **{n.replace("__", "/"): f(i) if callable(f) else f for n, f in figures.items()}}
        for i in range(1, steps + 1)
    ]


def names(history: list[dict[str, Any]]) -> list[str]:
    return [" ".join(line.name for line in panel.lines) for panel in panels(history)[0]]


def drawn(svg: str) -> ET.Element:
    """Return the picture as XML, after a look at all numbers of its paths."""
    assert not re.search(r"nan|inf|None", " ".join(re.findall(r' (?:d|cx|cy|x|y)="([^"]*)"', svg)))
    return ET.fromstring(svg)


def texts(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in drawn(svg).iter(f"{SVG}text")]


def test_the_loss_leads_offline_and_the_reward_online():
    assert names(log(3, learning_rate=1e-4, entropy=1.0, loss=2.0, mean_token_accuracy=0.5, grad_norm=1.0)) == [
        "loss", "mean_token_accuracy", "entropy", "learning_rate", "grad_norm"
    ]  # fmt: skip
    pairs = {"loss": 0.7, "rewards__margins": 0.1, "rewards__chosen": 0.2, "rewards__rejected": 0.1, "grad_norm": 1.0}
    assert names(log(3, **pairs)) == ["loss", "rewards/margins", "rewards/chosen rewards/rejected", "grad_norm"]
    online = {"loss": 0.0, "reward": 1.0, "rewards__a__mean": 0.5, "rewards__b__mean": 0.5, "rewards__a__std": 0.1}
    more = {"kl": 0.1, "completions__mean_length": 9.0, "completions__max_length": 12.0, "num_tokens": 40.0}
    shown = ["reward", "rewards/a/mean", "rewards/b/mean", "kl", "completions/mean_length", "loss"]
    assert names(log(3, **online, **more)) == shown
    assert names(log(3, reward=1.0, rewards__a__mean=1.0)) == ["reward"]  # the only one is the reward itself


def test_a_trainers_own_figures_follow_and_more_are_counted():
    own = {f"own{i}": float(i) for i in range(20)}
    shown, left_out = panels(log(2, loss=1.0, grad_norm=1.0, **own))
    assert len(shown) == PANELS and left_out == 22 - PANELS
    assert [panel.lines[0].name for panel in shown[:3]] == ["loss", "grad_norm", "own0"]
    assert f"not drawn: {left_out} more" in texts(curves("t", log(2, loss=1.0, grad_norm=1.0, **own)))[1]


@pytest.mark.parametrize("steps", [1, 2, 19, 40, 41, 500])
def test_any_number_of_steps_is_drawn(steps: int):
    svg = curves("demo: sft", log(steps, loss=lambda i: 1 / i, learning_rate=2e-5, grad_norm=0.0))
    assert texts(svg)[0] == "demo: sft" and {"learning_rate", "grad_norm"} <= {*texts(svg)}
    assert ("strong: a running mean" in svg) == (steps >= 20)
    assert len(list(drawn(svg).iter(f"{SVG}circle"))) == (3 * steps if steps <= 40 else 0)


def test_a_log_without_figures_makes_no_picture():
    odd = [{"step": 1, "loss": "3"}, {"loss": 3.0}, {"step": None, "loss": 1.0}, {"step": math.nan, "loss": 1.0}]
    for history in ([], odd, log(3, loss=math.nan), log(3, loss=None), log(3, epoch=1.0, num_tokens=4.0, x=True)):
        assert curves("t", history) == ""


def test_evaluations_are_rings_and_the_kept_model_is_marked():
    history = log(30, loss=lambda i: 2 - i / 20)
    for step, value in ((10, 1.9), (20, 1.5), (30, 1.7)):
        history.append({"step": step, "eval_loss": value, "eval_runtime": 1.0})
    svg = curves("t", history, {"metric": "eval_loss", "value": 1.5, "step": 20})
    rings = [one for one in drawn(svg).iter(f"{SVG}circle") if "ring" in one.attrib["class"]]
    (kept,) = [one for one in drawn(svg).iter(f"{SVG}circle") if one.attrib["r"] == "4.5"]
    assert len(rings) == 3 and (kept.attrib["cx"], kept.attrib["cy"]) == (rings[1].attrib["cx"], rings[1].attrib["cy"])
    assert "rings: evaluations" in svg and "dashed: step 20, which is kept" in svg
    (line,) = [one for one in drawn(svg).iter(f"{SVG}path") if one.attrib["class"] == "best"]
    assert line.attrib["d"].startswith(f"M{kept.attrib['cx']} ")
    nothing = {"metric": "eval_loss", "value": None, "step": None}
    assert "which is kept" not in curves("t", history, nothing) and "dashed" not in curves("t", history)


def test_what_is_no_number_is_a_gap_and_is_counted():
    values = {3: math.nan, 4: math.inf, 7: None}
    svg = curves("t", log(10, loss=lambda i: values.get(i, float(i))))
    (path,) = [one.attrib["d"] for one in drawn(svg).iter(f"{SVG}path") if one.attrib["class"] == "line0"]
    assert path.count("M") == 3 and "gaps: not a number (3)" in svg


@pytest.mark.parametrize("values", [(1e308, -1e308), (5e-324, 0.0), (1e-310, 3e-310), (1e300, -1e300), (5e-324, 1e300)])
def test_values_at_the_ends_of_a_float_are_drawn(values: tuple[float, float]):
    svg = curves("t", [{"step": i, "loss": one, "kl": 1.0} for i, one in enumerate(values)])
    assert drawn(svg) is not None and "nan" not in svg and "inf" not in svg


def test_a_long_log_keeps_its_extremes():
    high, low = 70_001, 20_002
    history = log(100_000, loss=lambda i: {high: 9.0, low: 0.1}.get(i, 2.0 + (i % 7) / 100))
    history += [{"step": 100_000, "eval_loss": 2.0}]
    svg = curves("t", history)
    assert len(svg) < 60_000
    (raw, _) = [one.attrib["d"] for one in drawn(svg).iter(f"{SVG}path") if one.attrib["class"] == "line0"]
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", raw)]
    axis = value_axis([0.1, 9.0], 156, 30, logarithmic=False)
    assert min(heights) == pytest.approx(axis.at(9.0), abs=0.1) and max(heights) == pytest.approx(axis.at(0.1), abs=0.1)


def test_the_scale_is_logarithmic_where_a_loss_spans_decades():
    assert [one.logarithmic for one in panels(log(40, loss=lambda i: 3 * 0.8**i, entropy=lambda i: 0.8**i))[0]] == [
        True, False
    ]  # fmt: skip
    for values in (lambda i: 2 - i / 40, lambda i: 0.8**i - 0.5, lambda i: 0.0):
        assert not panels(log(40, loss=values))[0][0].logarithmic
    assert "loss log" in texts(curves("t", log(40, loss=lambda i: 3 * 0.8**i)))


def test_text_is_escaped_and_cut():
    svg = curves("<script>&\x1b[31m\u0000\ud800" + "\u65e5\u672c" * 90, log(2, **{"a</text><b>": 1.0, "x" * 80: 2.0}))
    drawn(svg)
    assert "<script" not in svg and "<b>" not in svg and "\x1b" not in svg and "\ud800" not in svg
    shown = texts(svg)
    assert shown[0].endswith("\u2026") and any(one.endswith("x\u2026") and len(one) <= 26 for one in shown)
    assert cut("ab", 2) == "ab" and cut("abc", 2) == "a\u2026" and cut("\u65e5\u672c", 3) == "\u65e5\u2026"


def test_a_dark_page_has_its_own_colours_and_nothing_runs():
    svg = curves("t", log(3, loss=1.0))
    assert "@media (prefers-color-scheme:dark)" in svg and ".paper{fill:#0d1117}" in svg
    assert not re.search(r"script|href|url\(|onload|@import", svg)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.0, 1.0, ["0", "0.25", "0.50", "0.75", "1.00"]),
        (0.6931, 0.6934, ["0.6931", "0.6932", "0.6933", "0.6934"]),
        (0.0, 2e-5, ["0", "5e-6", "1e-5", "1.5e-5", "2e-5"]),
        (0.0, 0.001, ["0", "2.5e-4", "5e-4", "7.5e-4", "1e-3"]),
        (-40.0, 0.0, ["-40", "-30", "-20", "-10", "0"]),
        (0.0, 100_000.0, ["0", "25k", "50k", "75k", "100k"]),
        (10_000.0, 10_010.0, ["10.0000k", "10.0025k", "10.0050k", "10.0075k", "10.0100k"]),
        (0.0, 3e15, ["0", "1e15", "2e15", "3e15"]),
    ],
)
def test_ticks_are_round_and_their_labels_differ(low: float, high: float, shown: list[str]):
    assert [text for _, text in Axis(low, high, 0, 100).ticks(4)] == shown


def test_labels_steps_and_scales_of_one_value():
    assert [label(value) for value in (0.0, 0.02337, 1.0, 4.06e-4, 2e-5, 123456.0, -0.5)] == [
        "0", "0.02337", "1", "4.06e-4", "2e-5", "123.5k", "-0.5"
    ]  # fmt: skip
    assert [round_step(least) for least in (0.3, 1.0, 21.0, 26.0, 7e-6)] == pytest.approx([0.5, 1.0, 25.0, 50.0, 1e-5])
    for value in (0.0, 5.0, -1e-30, 1e300):
        axis = value_axis([value, value], 100, 0, logarithmic=False)
        assert axis.at(value) == pytest.approx(50) and axis.ticks(4)
    assert [text for _, text in value_axis([1e-26, 1.0], 100, 0, logarithmic=True).ticks(4)] == [
        "1e-24", "1e-16", "1e-8", "1"
    ]  # fmt: skip


def test_the_running_mean_is_of_the_numbers_in_a_window():
    points = [(float(i), math.sin(i)) for i in range(100)]
    mean = smoothed(points)
    assert mean[50] == (50.0, pytest.approx(sum(math.sin(i) for i in range(48, 53)) / 5))
    assert mean[0] == (0.0, pytest.approx(sum(math.sin(i) for i in range(3)) / 3))
    gaps = [(x, None if 40 <= x < 60 else y) for x, y in points]
    assert smoothed(gaps)[50] == (50.0, None) and smoothed(gaps)[39][1] == pytest.approx(
        sum(math.sin(i) for i in range(37, 40)) / 3
    )
    assert smoothed(points[:19]) == []


def test_a_bucket_keeps_its_ends_its_extremes_and_a_gap():
    points = [(i / 10, float(i % 5)) for i in range(10)] + [(1.0, None), (1.1, 3.0)]
    assert thinned(points, 1.0) == [(0.0, 0.0), (0.9, 4.0), (1.1, 3.0)] or len(thinned(points, 1.0)) <= 6
    assert thinned([(0.0, 1.0), (0.2, None), (1.5, 2.0)], 1.0) == [(0.0, 1.0), (1.5, None), (1.5, 2.0)]
