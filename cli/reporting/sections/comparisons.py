"""Comparisons of arms that were trained on several seeds: a forest of differences with their intervals."""

from math import isfinite
from typing import TYPE_CHECKING, Any

from cli.reporting.charts import Drawing, forest, label
from cli.reporting.section import OWN_SCORERS, Section, figure, rows, signed
from schemas.counted import counted
from train.evaluating.own_rows import OWN

if TYPE_CHECKING:
    import duckdb

MOST = 8  # cards
KINDS = {"better": "kept", "worse": "dropped"}


def comparisons(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the differences of the table ``comparisons``, with their seeds; None where nothing was compared."""
    found = rows(
        con,
        f"""SELECT comparison_id, dataset, split, scorer, better, arm, versus, seed, seeds, prompts, families, mean,
                  versus_mean, difference, low, high, p_holm, verdict, why, run_id
           FROM comparisons
           ORDER BY run_id DESC NULLS LAST, comparison_id, scorer IN ({OWN_SCORERS}), split, scorer, arm, versus,
                    seed""",
    )
    whole = [row for row in found if row["seed"] is None]
    if not whole:
        return None
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in whole:
        groups.setdefault((row["comparison_id"], row["split"], row["scorer"]), []).append(row)
    seeds: dict[tuple[str, ...], list[float]] = {}
    for row in found:
        if row["seed"] is not None and row["difference"] is not None:
            seeds.setdefault(_pair(row), []).append(row["difference"])
    cards = [_card(place, held, seeds) for place, held in enumerate([*groups.values()][:MOST])]
    ids, left = {row["comparison_id"] for row in whole}, len(groups) - len(cards)
    return Section(
        "comparisons", "Comparison", _title(whole),
        f"{counted(len(ids), 'comparison')}, the latest first. A point is the mean difference of two arms, its line "
        "the 95% interval (Student's t over the seeds), a small stroke one seed's difference. p is corrected by Holm."
        + (f" {counted(left, 'more card')} not shown: 'gristmill show comparisons' has them." if left > 0 else ""),
        {"cards": cards},
    )  # fmt: skip


def _pair(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("comparison_id", "split", "scorer", "arm", "versus"))


def _title(whole: list[dict[str, Any]]) -> str:
    told = [row for row in whole if row["verdict"] in KINDS and row["scorer"] not in OWN]
    row = (told or whole)[0]
    what = f"by {label(row['scorer'], 24)} on {label(row['split'], 24)}" if row["split"] else f"by {row['scorer']}"
    arm, versus = label(row["arm"], 24), label(row["versus"], 24)
    if row not in told:
        return f"{arm} and {versus} are not told apart {what}"
    return f"{arm} is {row['verdict']} than {versus} {what}: {signed(row['difference'])}"


def _card(place: int, held: list[dict[str, Any]], seeds: dict[tuple[str, ...], list[float]]) -> dict[str, Any]:
    first = held[0]
    return {
        "scorer": first["scorer"], "split": first["split"], "lower": first["better"] == "lower", "id": first[
            "comparison_id"], "prompts": first["prompts"], "families": first["families"], "seeds": first["seeds"],
        "drawing": _drawing(f"comparison-{place}", held, seeds),
        "rows": [{**row, "mean": figure(row["mean"]), "versus_mean": figure(row["versus_mean"]),
                  "difference": signed(row["difference"]), "p": "–" if row["p_holm"] is None else
                  "<0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}"} for row in held],
    }  # fmt: skip


def _drawing(name: str, held: list[dict[str, Any]], seeds: dict[tuple[str, ...], list[float]]) -> Drawing:
    data: list[dict[str, Any]] = []
    for place, row in enumerate(held):
        kind = KINDS.get(row["verdict"], "other")
        low, high = (end if end is not None and isfinite(end) else None for end in (row["low"], row["high"]))
        versus = f"{label(row['arm'], 20)} − {label(row['versus'], 20)}"
        tip = f"{versus}: {signed(row['difference'])}"
        tip += f" ({signed(low)} to {signed(high)})" if low is not None and high is not None else ""
        data.append({"row": place, "label": f"{versus}   {signed(row['difference'])}", "value": row["difference"],
                     "low": low, "high": high, "kind": kind, "tip": f"{tip}; {label(row['verdict'])}"})  # fmt: skip
        data += [{"row": place, "dot": value, "kind": kind} for value in seeds.get(_pair(row), [])]
    legend = (("kept", "better"), ("dropped", "worse"), ("other", "not told apart"))
    return forest(name, "Differences", data, "difference of the mean scores", legend=legend)
