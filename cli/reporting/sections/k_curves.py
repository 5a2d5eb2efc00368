"""What more candidates of a prompt are worth: the expected best score of k of them, scorer by scorer."""

from typing import TYPE_CHECKING, Any

from cli.reporting.charts import Drawing, label, lines
from cli.reporting.section import Section, figure, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST_SCORERS = 8


def k_curves(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the curve of each scorer, from the macro ``k_curve``; None where no prompt has two scored candidates."""
    names = [row["scorer"] for row in rows(con, """
        SELECT scorer, count(*) AS n FROM scores JOIN completions ON completion_id = row_id
        WHERE value IS NOT NULL AND NOT isnan(value) GROUP BY 1 ORDER BY n DESC, scorer""")]  # fmt: skip
    curves = {
        name: rows(con, "SELECT k, best, prompts FROM k_curve(?) WHERE k <= 64", [name])
        for name in names[:MOST_SCORERS]
    }
    curves = {name: curve for name, curve in curves.items() if len(curve) > 1}
    if not curves:
        return None
    drawings = [_drawing(f"k-curve-{place}", name, curve) for place, (name, curve) in enumerate(curves.items())]
    first = next(iter(curves))
    gain = _same_prompts(curves[first])
    title = (
        f"{label(first, 30)}: the best of {gain[-1]['k']} candidates scores {figure(gain[-1]['best'])}, one alone "
        f"{figure(gain[0]['best'])}"
    )
    left = len(names) - MOST_SCORERS
    return Section(
        "k_curves", "K-curve", title,
        "The mean over prompts of the expected best score of k of their candidates, drawn without replacement; no "
        "prompt is sampled. A curve goes on only for prompts that have so many candidates: how many is under the "
        "pointer" + (f". {counted(left, 'more scorer')} not drawn." if left > 0 else "."),
        {"drawings": drawings},
    )  # fmt: skip


def _same_prompts(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the part of a curve that is of as many prompts as its start, or nearly: its means compare."""
    part = [row for row in curve if row["prompts"] >= 0.9 * curve[0]["prompts"]]
    return part if len(part) > 1 else curve


def _drawing(name: str, scorer: str, curve: list[dict[str, Any]]) -> Drawing:
    data = [
        {"x": row["k"], "y": row["best"], "line": 0, "colour": "accent",
         "tip": f"best of {row['k']}: {figure(row['best'])}, over {counted(row['prompts'], 'prompt')}"}
        for row in curve
    ]  # fmt: skip
    about = f"{curve[0]['prompts']:,} prompts have a candidate, {curve[-1]['prompts']:,} have {curve[-1]['k']}"
    return lines(name, label(scorer, 44), data, "candidates of a prompt (k)", "expected best score", about=about,
                 points=True)  # fmt: skip
