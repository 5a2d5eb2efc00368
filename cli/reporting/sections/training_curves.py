"""The curves of trainings: loss, reward and what else a trainer logged, over the steps."""

import re
from math import isfinite
from typing import TYPE_CHECKING, Any

from cli.reporting.charts import SERIES, Drawing, label, lines
from cli.reporting.section import Section, counted, figure, rows, seconds
from schemas.json_text import parse

if TYPE_CHECKING:
    import duckdb

METRICS = {
    "loss": "loss", "eval_loss": "loss on held-out rows", "reward": "reward", "rewards/margins": "margin of rewards",
    "rewards/accuracies": "pairs ranked right", "kl": "KL to the reference", "entropy": "entropy",
    "mean_token_accuracy": "tokens predicted right", "completions/mean_length": "tokens of an answer",
}  # fmt: skip
MOST_TRAININGS = 40
MOST_DRAWINGS = 12
MOST_POINTS = 150  # of a curve
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
    arms = _arms(shown)
    drawings = []
    for trainer in dict.fromkeys(row["trainer"] for row in shown):
        for metric, what in METRICS.items():
            held = [row for row in shown if row["trainer"] == trainer and len(_points(row, metric)) > 1]
            if held:
                drawings.append(_drawing(f"curve-{len(drawings)}", trainer, metric, what, held, arms))
    table = [{**row, "time": seconds(row["seconds"]), "first": _end(row, 0), "last": _end(row, -1)} for row in shown]
    about = f"{counted(len(found), 'training')}" + (
        f", of which the latest {len(shown)} are shown" if len(found) > len(shown) else ""
    )
    return Section(
        "training_curves", "Training", _title(shown), f"{about}. Curves of more than {MOST_POINTS} steps have every "
        "n-th step. Trainings that differ only in their seed have one colour.",
        {"drawings": drawings[:MOST_DRAWINGS], "left": max(0, len(drawings) - MOST_DRAWINGS), "trainings": table},
    )  # fmt: skip


def _arm(row: dict[str, Any]) -> str:
    return SEED.sub("", str(row["name"]))


def _arms(shown: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return for each trainer the colour of each arm; of more than there are colours, the others are grey."""
    found: dict[str, dict[str, str]] = {}
    for row in shown:
        held = found.setdefault(row["trainer"], {})
        held.setdefault(_arm(row), SERIES[len(held)] if len(held) < len(SERIES) else "other")
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
    points = _points(row, "loss")
    if len(points) < 2:
        return f"{counted(len(shown), 'training')}, of which none has a curve"
    return (
        f"{label(row['name'], 30)} ({row['trainer']}): loss {figure(points[0][1], 2)} → {figure(points[-1][1], 2)} in "
        f"{counted(int(points[-1][0]), 'step')}"
    )


def _drawing(
    name: str, trainer: str, metric: str, what: str, held: list[dict[str, Any]], arms: dict[str, dict[str, str]]
) -> Drawing:
    colours = arms[trainer]
    data = []
    for line, row in enumerate(reversed(held)):  # the latest on top
        points = _points(row, metric)
        every = -(-len(points) // MOST_POINTS)
        for place, (x, y) in enumerate(points):
            if place % every == 0 or place == len(points) - 1:
                tip = f"{label(row['name'], 40)} ({row['training_id'][:6]}), step {x:,}: {figure(y)}"
                data.append({"x": x, "y": y, "line": line, "colour": colours[_arm(row)], "tip": tip})
    used = dict.fromkeys(_arm(row) for row in held)
    legend = [(colours[arm], arm) for arm in used if colours[arm] != "other"]
    others = len(used) - len(legend)
    legend += [("other", counted(others, "other"))] if others else []
    title = f"{trainer}: {what}"
    return lines(name, title, data, "step", what, legend=tuple(legend), about=f"{counted(len(held), 'training')}")
