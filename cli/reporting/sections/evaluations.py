"""What the evaluations found: each model's mean, and its change from the model that its training began with."""

import re
from math import isfinite
from typing import TYPE_CHECKING, Any

from cli.reporting.charts import Drawing, forest, label
from cli.reporting.section import OWN_SCORERS, Section, figure, rows, signed
from schemas.counted import counted
from train.evaluating.own_rows import OWN, RECORDED, START_ANSWERS, START_LOSS, TEXTS

if TYPE_CHECKING:
    import duckdb

MOST_GROUPS = 10
MOST_MODELS = 12
SEED = re.compile(r"\.seed\d+$")
LOSSES = (START_ANSWERS, TEXTS, RECORDED, START_LOSS)  # of gristmill's own scorers: lower is better


def evaluations(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the view ``leaderboard`` by dataset, split and scorer; None where nothing was evaluated."""
    found = rows(
        con,
        f"""SELECT model, training_id, dataset, split, scorer, mean, answers, nulls, start, change, low, high, prompts
           FROM leaderboard ORDER BY scorer IN ({OWN_SCORERS}), dataset, split, scorer, mean DESC, model""",
    )
    if not found:
        return None
    seeds = {row["model"] for row in found if SEED.search(str(row["model"]))}
    found = [row for row in found if row["model"] not in seeds] or found
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in found:
        row["interval"] = all(row[end] is not None and isfinite(row[end]) for end in ("low", "high"))
        groups.setdefault((row["dataset"], row["split"], row["scorer"]), []).append(row)
    cards = [_card(place, *item) for place, item in enumerate([*groups.items()][:MOST_GROUPS])]
    left = len(groups) - len(cards)
    answers = sum(row["answers"] for row in found)
    about = (
        f"The mean scores of {counted(answers, 'answer')} to held-out prompts, none sampled. A change is from the "
        "model that the training began with, over the prompts that both have a score for; its line is the 95% "
        "interval, Student's t over families of prompts, and there is none below ten families."
    )
    if seeds:
        about += f" {counted(len(seeds), 'model')} of further seeds left out: their means are under Comparison."
    more = f" {counted(left, 'more table')} not shown: 'gristmill show leaderboard' has them." if left > 0 else ""
    return Section("evaluations", "Evaluation", _title(found), about + more, {"cards": cards})


def _card(place: int, group: tuple[str, ...], held: list[dict[str, Any]]) -> dict[str, Any]:
    shown = held[:MOST_MODELS]
    dataset, split, scorer = group
    changed = [row for row in shown if row["change"] is not None]
    names = [row["model"] for row in shown]
    return {
        "scorer": scorer, "split": split, "dataset": dataset, "left": len(held) - len(shown),
        "lower": scorer in LOSSES, "answers": _answers(shown),
        "models": [
            {**row, "mean": figure(row["mean"]), "change": signed(row["change"]) if row["change"] is not None else "",
             "interval": f"{signed(row['low'])} to {signed(row['high'])}" if row["interval"] else "",
             "id": (row["training_id"] or "")[:6] if names.count(row["model"]) > 1 else ""}
            for row in shown
        ],
        "drawing": _drawing(f"evaluation-{place}", changed) if changed else None,
    }  # fmt: skip


def _answers(shown: list[dict[str, Any]]) -> str:
    """Return how many answers of each model have a score, and how many have none."""
    counts = [row["answers"] for row in shown]
    text = f"{counts[0]:,}" if len(set(counts)) == 1 else f"{min(counts):,} to {max(counts):,}"
    nulls = sum(row["nulls"] for row in shown)
    return f"{text} answers of each model" + (f"; {nulls:,} in all have no score" if nulls else "")


def _drawing(name: str, changed: list[dict[str, Any]]) -> Drawing:
    data = []
    for place, row in enumerate(changed):
        low, high = (row["low"], row["high"]) if row["interval"] else (None, None)
        kind = "other"
        if low is not None and high is not None and low * high > 0:
            kind = "kept" if low > 0 else "dropped"
        text = f"{label(row['model'], 26)}   {signed(row['change'])}"
        tip = f"{label(row['model'])} against {label(row['start'])}: {signed(row['change'])}"
        tip += f" ({signed(low)} to {signed(high)})" if row["interval"] else ", no interval"
        data.append({"row": place, "label": text, "value": row["change"], "low": low, "high": high,
                     "kind": kind, "tip": f"{tip}, {counted(row['prompts'], 'prompt')}"})  # fmt: skip
    legend = (("kept", "higher"), ("dropped", "lower"), ("other", "not told apart"))
    return forest(name, "Change from the start", data, "change of the mean score", legend=legend)


def _title(found: list[dict[str, Any]]) -> str:
    changed = [row for row in found if row["change"] is not None and row["scorer"] not in OWN]
    if not changed:
        row = found[0]
        return f"{label(row['model'], 30)} scores {figure(row['mean'])} by {label(row['scorer'], 30)}"
    row = max(changed, key=lambda row: (row["interval"], row["answers"], row["change"]))
    return (
        f"{label(row['model'], 30)} changes {label(row['scorer'], 30)} by {signed(row['change'])} on "
        f"{label(row['split'], 30)}, to {figure(row['mean'])}"
    )
