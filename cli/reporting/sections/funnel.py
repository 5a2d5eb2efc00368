"""The funnel: what each stage of a run got and kept, and why it dropped the rest."""

from typing import TYPE_CHECKING, Any

from cli.reporting.charts import bars, label
from cli.reporting.section import Section, one, percent, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST_STAGES = 30
MOST_REASONS = 30
WANTED = ("seed", "not drawn", "not chosen")  # what is left out by design, which is no finding


def funnel(con: "duckdb.DuckDBPyConnection", run_id: str | None) -> Section | None:
    """Return the funnel of a run, from the view ``funnel``; None where it has no stages."""
    found = rows(con, "SELECT stage, reason, rows_in, kept, dropped FROM funnel WHERE run_id = ?", [run_id])
    stages = _stages(found)
    if not stages:
        return None
    shown = stages[:MOST_STAGES]
    reasons = _reasons(found)
    about = f"Every stage of the run {run_id} that makes or drops rows, in the recipe's order"
    if len(stages) > len(shown):
        about += f"; the first {len(shown)} of {len(stages)}"
    drawing = bars(
        "funnel-stages",
        "Rows kept and dropped, stage by stage",
        [part for place, stage in enumerate(shown) for part in _parts(place, stage)],
        "rows",
        legend=(("kept", "kept, or made"), ("dropped", "dropped; the reason is under the pointer")),
    )
    return Section(
        "funnel", "Funnel", _title(reasons, stages), f"{about}. Nothing is sampled.",
        {"drawing": drawing, "reasons": [{**row, "example": _example(con, row)} for row in reasons[:MOST_REASONS]],
         "left": max(0, len(reasons) - MOST_REASONS)},
    )  # fmt: skip


def _stages(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a mapping for each stage: its name, rows in, rows kept, and the reasons with what they dropped."""
    stages: dict[str, dict[str, Any]] = {}
    for row in found:
        stage = stages.setdefault(row["stage"], {"stage": row["stage"], "in": row["rows_in"], "kept": 0, "dropped": []})
        if row["reason"] is None:
            stage["kept"] += row["kept"] or 0
        else:
            stage["dropped"].append((row["reason"], row["dropped"]))
    parts = {name.rpartition(".")[0] for name in stages}
    # the last row of a dataset repeats what its last part kept
    return [stage for name, stage in stages.items() if not (name.startswith("datasets.") and name in parts)]


def _reasons(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what dropped rows, the most first, what is by design last; what is alike in several datasets is one."""
    held: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in found:
        if row["reason"] is None or not row["dropped"]:
            continue
        key = (row["reason"], row["dropped"], row["rows_in"], row["stage"].rpartition(".")[2])
        share = percent(row["dropped"] / row["rows_in"]) if row["rows_in"] else "–"
        held.setdefault(key, {**row, "share": share, "alike": -1})["alike"] += 1
    return sorted(held.values(), key=lambda row: (row["reason"] in WANTED, -row["dropped"]))


def _parts(place: int, stage: dict[str, Any]) -> list[dict[str, Any]]:
    whole = stage["kept"] + sum(n for _, n in stage["dropped"])
    said = f"{stage['kept']:,} of {whole:,}" if stage["dropped"] else f"{whole:,}"
    parts = [("kept", "kept", stage["kept"]), *(("dropped", reason, n) for reason, n in stage["dropped"])]
    return [
        {"row": place, "part": part, "kind": kind, "value": n, "label": f"{label(stage['stage'], 38)}   {said}"
         if part == 0 else None, "tip": f"{label(stage['stage'])}: {n:,} {'' if kind == 'kept' else 'dropped: '}"
         f"{label(reason)}"}
        for part, (kind, reason, n) in enumerate(parts)
    ]  # fmt: skip


def _title(reasons: list[dict[str, Any]], stages: list[dict[str, Any]]) -> str:
    chief = next((row for row in reasons if row["reason"] not in WANTED and ".control" not in row["stage"]), None)
    if chief is None:
        why = f"only by design: {reasons[0]['reason']}" if reasons else "nothing"
        return f"{counted(len(stages), 'stage')}; what is dropped: {why}"
    if not chief["rows_in"]:
        return f"{counted(chief['dropped'], 'row')} dropped: {chief['reason']}"
    what = "prompts" if chief["stage"].startswith("prompts") else "candidates" if _on_candidates(chief) else "rows"
    return f"{chief['share']} of {chief['rows_in']:,} {what} are dropped: {chief['reason']}"


def _on_candidates(row: dict[str, Any]) -> bool:
    return row["stage"].startswith("completions") or row["stage"].endswith((".select", ".where"))


def _example(con: "duckdb.DuckDBPyConnection", row: dict[str, Any]) -> str | None:
    """Return the text of a dropped row, the same one each time; None where its text is not held any more."""
    return one(
        con,
        """SELECT min_by(coalesce(response, prompt), md5(row_id)) FROM dropped
           WHERE stage = ? AND reason = ?""",
        [row["stage"], row["reason"]],
    )
