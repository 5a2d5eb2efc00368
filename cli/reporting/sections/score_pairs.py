"""Any two scores of the same candidates against each other, chosen by the reader."""

from typing import TYPE_CHECKING, Any

from cli.pages.script_json import script_json
from cli.reporting.charts import SERIES, label, scatter
from cli.reporting.section import Section, one, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST_POINTS = 3_000
MOST_SCORERS = 12
LENGTH = "length of the response (characters)"


def score_pairs(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return a sample of candidates with all their scores; None where no candidate has a score."""
    names = [
        row["scorer"]
        for row in rows(con, """SELECT scorer, count(*) AS n FROM scores JOIN completions ON completion_id = row_id
                                WHERE value IS NOT NULL GROUP BY 1 ORDER BY n DESC, scorer""")
    ]  # fmt: skip
    if not names:
        return None
    chosen = names[:MOST_SCORERS]
    total = one(con, "SELECT count(*) FROM completions")
    found = rows(
        con,
        """WITH drawn AS (SELECT completion_id, model, length(response) AS length FROM completions
                          ORDER BY md5(completion_id) LIMIT ?)
           SELECT completion_id AS id, any_value(model) AS model, any_value(length) AS length,
                  map(list(scorer), list(value)) AS scores
           FROM drawn JOIN scores ON row_id = completion_id WHERE value IS NOT NULL GROUP BY 1 ORDER BY md5(id)""",
        [MOST_POINTS],
    )
    models = sorted({str(row["model"]) for row in found})
    axes = [*chosen, LENGTH]
    data = {
        "axes": [label(name) for name in axes],
        "points": [_point(row, chosen, models) for row in found],
        "colours": SERIES,
        "spec": scatter("", ""),
    }
    sampled = (
        f"{len(found):,} of {total:,} candidates, drawn by their ids"
        if total > MOST_POINTS
        else f"All {total:,} candidates"
    )
    pair = f"{label(axes[0], 24)} against {label(axes[1], 36)}"
    return Section(
        "score_pairs", "Two scores", f"Do the scorers agree? {pair}",
        f"{sampled}; {counted(len(chosen), 'scorer')} and the length to choose from. A point is a candidate; its id is "
        "under the pointer. Points that would lie on each other are moved a little apart.",
        {"axes": data["axes"], "data": script_json(data), "legend_entries": _legend(models)},
    )  # fmt: skip


def _point(row: dict[str, Any], scorers: list[str], models: list[str]) -> list[Any]:
    """Return a candidate as its id, the number of its model's colour, and its values, one for each axis."""
    place = min(models.index(str(row["model"])), len(SERIES) - 1)
    return [str(row["id"])[:60], place, *(row["scores"].get(name) for name in scorers), row["length"]]


def _legend(models: list[str]) -> list[tuple[str, str]]:
    if len(models) < 2:
        return []
    shown = [(SERIES[at], name) for at, name in enumerate(models[: len(SERIES)])]
    more = len(models) - len(SERIES)
    return [*shown[:-1], (SERIES[-1], f"{shown[-1][1]} and {more} more")] if more > 0 else shown
