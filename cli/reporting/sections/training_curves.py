"""The curves of trainings: loss, reward and what else a trainer logged, over the steps."""

import re
from math import isfinite
from typing import TYPE_CHECKING, Any

from cli.reporting.charts import SERIES, Drawing, label, lines
from cli.reporting.curves import MOST_POINTS, mean_curve, smoothed, thinned, window
from cli.reporting.section import Section, figure, rows, seconds
from schemas.counted import counted
from schemas.json_text import parse

if TYPE_CHECKING:
    import duckdb

METRICS = {
    "loss": "loss", "eval_loss": "loss on held-out rows", "reward": "reward", "rewards/margins": "margin of rewards",
    "rewards/accuracies": "pairs ranked right", "kl": "KL to the reference", "entropy": "entropy",
    "completions/mean_length": "tokens of an answer",
}  # fmt: skip
ONLINE = ("entropy", "completions/mean_length")  # shown only of a training that samples answers
MOST_TRAININGS = 40
MOST_DRAWINGS = 12
SEED = re.compile(r"\.seed\d+$")


def training_curves(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the curves of the latest trainings, by trainer and metric; None where nothing was trained."""
    found = rows(
        con,
        """SELECT training_id, name, trainer, dataset, model, rows, steps, seconds, metrics::VARCHAR AS metrics
           FROM trainings ORDER BY run_id DESC NULLS LAST, name, training_id""",
    )
    if not found:
        return None
    shown = found[:MOST_TRAININGS]
    for row in shown:
        row["history"] = _history(row.pop("metrics"))
    _name_arms(shown)
    arms = _arms(shown)
    drawings = []
    for trainer in dict.fromkeys(row["trainer"] for row in shown):
        for metric, what in METRICS.items():
            held = [row for row in shown if row["trainer"] == trainer and len(_points(row, metric)) > 1]
            if held and (metric not in ONLINE or any(_points(row, "reward") for row in held)):
                drawings.append(_drawing(f"curve-{len(drawings)}", f"{trainer}: {what}", metric, held, arms[trainer]))
    table = [{**row, "time": seconds(row["seconds"]), "first": _end(row, 0), "last": _end(row, -1)} for row in shown]
    about = f"{counted(len(found), 'training')}" + (
        f", of which the latest {len(shown)} are shown" if len(found) > len(shown) else ""
    )
    return Section(
        "training_curves", "Training", _title(shown), f"{about}. A faint line is a training; a strong one is "
        "the mean of those that differ only in their seed, smoothed. A line has at most "
        f"{MOST_POINTS:,} points.",
        {"drawings": drawings[:MOST_DRAWINGS], "left": max(0, len(drawings) - MOST_DRAWINGS), "trainings": table},
    )  # fmt: skip


def _name_arms(shown: list[dict[str, Any]]) -> None:
    """Set ``arm``: the same for trainings that differ only in their seed, as far as their names and steps tell."""
    for row in shown:
        row["arm"] = SEED.sub("", str(row["name"]))
    steps: dict[str, set[Any]] = {}
    for row in shown:
        steps.setdefault(row["arm"], set()).add(row["steps"])
    for row in shown:
        if len(steps[row["arm"]]) > 1:
            row["arm"] = f"{row['arm']}, {counted(row['steps'] or 0, 'step')}"


def _arms(shown: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return for each trainer the colour of each arm; of more than there are colours, the others are grey."""
    found: dict[str, dict[str, str]] = {}
    for row in shown:
        held = found.setdefault(row["trainer"], {})
        held.setdefault(row["arm"], SERIES[len(held)] if len(held) < len(SERIES) else "other")
    return found


def _history(text: str | None) -> list[dict[str, Any]]:
    try:
        held = parse(text or "{}")
    except ValueError:
        return []
    history = held.get("history") if isinstance(held, dict) else None
    return [step for step in history if isinstance(step, dict)] if isinstance(history, list) else []


def _points(row: dict[str, Any], metric: str) -> list[tuple[float, float]]:
    points = [(step.get("step"), step.get(metric)) for step in row["history"]]
    return [(x, y) for x, y in points if _is_number(x) and _is_number(y)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _end(row: dict[str, Any], at: int) -> str:
    points = _points(row, "loss")
    return figure(points[at][1]) if points else "–"


def _title(shown: list[dict[str, Any]]) -> str:
    row = next((row for row in shown if len(_points(row, "loss")) > 1), shown[0])
    metric = "reward" if len(_points(row, "reward")) > 1 else "loss"  # the loss of GRPO is about 0 at every step
    points = _points(row, metric)
    if len(points) < 2:
        return f"{counted(len(shown), 'training')}, of which none has a curve"
    (_, first), (step, last) = points[0], points[-1]
    steps = counted(int(step), "step")
    return f"{label(row['name'], 30)} ({row['trainer']}): {metric} {figure(first, 2)} → {figure(last, 2)} in {steps}"


def _drawing(name: str, title: str, metric: str, held: list[dict[str, Any]], colours: dict[str, str]) -> Drawing:
    by_arm: dict[str, list[list[tuple[float, float]]]] = {}
    for row in held:
        by_arm.setdefault(row["arm"], []).append(_points(row, metric))
    data: list[dict[str, Any]] = []
    windows = []
    for arm, curves in reversed(by_arm.items()):  # the latest on top
        mean = smoothed(mean_curve(curves))
        windows.append(window(len(mean)))
        for points in curves if len(curves) > 1 or windows[-1] > 1 else []:
            data += _faint(points, len(data), colours[arm])
        data += [
            {"x": x, "y": y, "line": f"mean {len(windows)}", "colour": colours[arm],
             "tip": f"{label(arm, 40)}, step {x:,}: {figure(y)}"}
            for x, y in thinned(mean)
        ]  # fmt: skip
    legend = [(colours[arm], arm) for arm in by_arm if colours[arm] != "other"]
    others = len(by_arm) - len(legend)
    legend += [("other", counted(others, "other"))] if others else []
    about = counted(len(held), "training") + (f", smoothed over {max(windows)} steps" if max(windows) > 1 else "")
    return lines(name, title, data, "step", title.rpartition(": ")[2], legend=tuple(legend), about=about)


def _faint(points: list[tuple[float, float]], line: int, colour: str) -> list[dict[str, Any]]:
    return [{"x": x, "y": y, "line": f"training {line}", "colour": colour, "faint": True} for x, y in thinned(points)]
