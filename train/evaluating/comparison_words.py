"""The comparison of models in words: the cells of its table, and what its intervals are. Terminal and card use them."""

from collections.abc import Mapping, Sequence
from typing import Any

from train.evaluating.signed import signed

CELLS = ("mean", "change", "p", "seen from")
CLEAR = 0.05  # a corrected p below it is a change
NAMED = 6  # scores that a sentence names
Row = Mapping[str, Any]  # a row of ``train.evaluating.comparison``


def cells_of(row: Row) -> dict[str, str]:
    """Return the figures of a row as text, by their columns; those that it has not are empty."""
    return {
        "mean": number(row["mean"]) or "-",
        "change": change(row),
        "p": "" if row["p_holm"] is None else "<.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}",
        "seen from": number(row["smallest"]),
    }


def change(row: Row) -> str:
    """Return a difference with its interval, or why it has none."""
    if row["difference"] is None:
        return row["why"] or ""
    if row["low"] is None:
        return f"{signed(row['difference'])} (no interval)"
    return f"{signed(row['difference'])} ({signed(row['low'])} to {signed(row['high'])})"


def number(value: float | None) -> str:
    """Return a figure with three decimals, fewer where it is large; empty for null."""
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3g}"


def verdict_lines(rows: Sequence[Row]) -> list[str]:
    """Return in words how each model's scores differ from the first model's; at most ``NAMED`` of each kind."""
    lines = []
    first = rows[0]["model"] if rows else ""
    for model in dict.fromkeys(row["model"] for row in rows if row["p_holm"] is not None):
        own = [row for row in rows if row["model"] == model and row["p_holm"] is not None]
        told = {"higher": [], "lower": [], "no change shown": []}
        for row in own:
            clear = row["p_holm"] < CLEAR and row["low"] is not None and not row["low"] <= 0 <= row["high"]
            kind = "no change shown" if not clear else "higher" if row["difference"] > 0 else "lower"
            change = f" ({signed(row['difference'])})" if clear else ""
            told[kind].append(f"{row['scorer']} in {row['split']}{change}")
        parts = [f"{kind}: {_few(names)}" for kind, names in told.items() if names]
        lines.append(f"{model} against {first}: {'; '.join(parts)}.")
    return lines


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def notes_on(rows: Sequence[Row]) -> list[str]:
    """Return what the intervals and p-values of the table are, and which are missing and why."""
    compared = [row for row in rows if row["difference"] is not None]
    tests = max((row["tests"] or 0 for row in rows), default=0)
    lines = []
    if any(row["low"] is not None for row in compared):
        corrected = f", corrected for {tests} comparisons (Holm)" if tests > 1 else ""
        lines.append(f"Change: 95% interval, Student's t over {_families(compared)}. p: of no change{corrected}.")
        if any(row["smallest"] is not None for row in compared):
            lines.append("Seen from: the smallest true change that 4 of 5 such evaluations would tell from none.")
    missing: dict[str, None] = {}
    for row in compared:
        if row["low"] is None and row["why"]:
            missing[f"No interval for {row['scorer']} in {row['split']}: {row['why']}."] = None
    return lines + list(missing)


def _families(compared: Sequence[Row]) -> str:
    """Return what the intervals are over: prompts, or families of prompts, with their numbers for each split."""
    if all(row["families"] == row["prompts"] for row in compared):
        return "prompts"
    told = {row["split"]: f"{row['families']:,} of {row['prompts']:,} in {row['split']}" for row in reversed(compared)}
    return f"families of like prompts ({', '.join(reversed(told.values()))})"
