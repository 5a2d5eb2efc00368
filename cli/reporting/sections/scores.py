"""How the scores of each scorer are spread, model by model."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

from cli.reporting.charts import Drawing, histogram, label
from cli.reporting.section import Section, figure, percent, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

BINS = 20
MOST_SCORERS = 12
MOST_MODELS = 4

QUERY = f"""
WITH scored AS (
    SELECT s.scorer, coalesce(c.model, CASE WHEN c.completion_id IS NULL THEN 'prompts' ELSE 'no model' END) AS model,
           s.value
    FROM scores AS s LEFT JOIN completions AS c ON c.completion_id = s.row_id
    WHERE s.value IS NOT NULL AND isfinite(s.value)
),
ends AS (
    SELECT scorer, min(value) AS low, max(value) AS high, bool_and(value = floor(value)) AS whole
    FROM scored GROUP BY 1
),
bins AS (
    SELECT *, CASE WHEN whole THEN greatest(1, ceil((high - low + 1) / {BINS}))
                   WHEN high > low THEN (high - low) / {BINS} ELSE 1 END AS width,
           low - CASE WHEN whole OR high = low THEN 0.5 ELSE 0 END AS start
    FROM ends
)
SELECT scorer, model, low, high, whole, width, start,
       least({BINS - 1}, floor((value - start) / width))::INT AS bin, count(*) AS n, sum(value) AS total
FROM scored JOIN bins USING (scorer) GROUP BY ALL ORDER BY scorer, model, bin
"""


def scores(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return a histogram of each scorer's scores for each model; None where there are no scores."""
    found = rows(con, QUERY)
    failed = {row["scorer"]: row["n"] for row in rows(
        con, "SELECT scorer, count(*) AS n FROM scores WHERE value IS NULL GROUP BY 1")}  # fmt: skip
    if not found:
        return None
    by_scorer = {name: list(held) for name, held in groupby(found, key=lambda row: row["scorer"])}
    by_scorer |= {"by_hand": by_scorer.pop("by_hand")} if "by_hand" in by_scorer else {}  # last: of few rows
    cards = [
        _card(place, scorer, held, failed.get(scorer, 0))
        for place, (scorer, held) in enumerate([*by_scorer.items()][:MOST_SCORERS])
    ]
    left = len(by_scorer) - len(cards)
    total = sum(row["n"] for row in found)
    title = "; ".join(f"{label(card['scorer'], 30)} gives {figure(card['mean'])} on average" for card in cards[:2])
    about = f"{counted(total, 'score')} of {counted(len(by_scorer), 'scorer')}, none sampled" + (
        f"; the first {len(cards)} scorers are drawn, {left} are not" if left else ""
    )
    return Section("scores", "Scores", title, f"{about}. A bar is the share of a model's candidates.", {"cards": cards})


def _card(place: int, scorer: str, held: list[dict[str, Any]], failed: int) -> dict[str, Any]:
    models = {name: list(bins) for name, bins in groupby(held, key=lambda row: row["model"])}
    chosen = sorted(models, key=lambda name: -sum(row["n"] for row in models[name]))[:MOST_MODELS]
    n = sum(row["n"] for row in held)
    notes = [f"{counted(failed, 'row')} without a score: an error"] if failed else []
    if len(models) > len(chosen):
        notes.append(f"{counted(len(models) - len(chosen), 'more model')} not drawn")
    return {
        "scorer": scorer, "mean": sum(row["total"] for row in held) / n, "n": n, "notes": notes,
        "drawings": [_drawing(f"scores-{place}-{at}", scorer, name, models[name]) for at, name in enumerate(chosen)],
    }  # fmt: skip


def _drawing(name: str, scorer: str, model: str, bins: list[dict[str, Any]]) -> Drawing:
    start, width, whole = (bins[0][key] for key in ("start", "width", "whole"))
    n = sum(row["n"] for row in bins)
    ends = [start, max(start + width, bins[0]["high"] + (0.5 if whole else 0))]
    gap = 0.1 if whole and width == 1 else 0  # bars of single values stand apart
    data = []
    for row in bins:
        low, high = start + row["bin"] * width, start + (row["bin"] + 1) * width
        said = f"at {low + 0.5:,.0f}" if gap else f"between {figure(low)} and {figure(high)}"
        data.append({"low": low + gap, "high": high - gap, "value": row["n"] / n, "kind": "accent",
                     "tip": f"{row['n']:,} of {n:,} {said}"})  # fmt: skip
    mean = sum(row["total"] for row in bins) / n
    top = percent(next((row["n"] for row in bins if row["high"] < start + (row["bin"] + 1) * width), 0) / n)
    about = f"{counted(n, 'score')}, mean {figure(mean)}"
    if gap:
        about += f", {top} at {bins[0]['high']:,.0f}"
    return histogram(name, label(model, 44), data, label(f"score by {scorer}"), "share", about=about,
                     whole=bool(gap), ends=ends)  # fmt: skip
