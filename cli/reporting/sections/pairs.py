"""Preference pairs side by side, with the words marked that differ."""

from typing import TYPE_CHECKING

from cli.pages.differences import differences
from cli.reporting.section import Section, figure, one, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST = 6
LONGEST = 3_000  # characters of an answer


def pairs(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return pairs of the view ``pairs``, from the smallest margin to the largest; None where there are none."""
    total = one(con, "SELECT count(*) FROM pairs")
    if not total:
        return None
    found = rows(
        con,
        """WITH ranked AS (
               SELECT row_id, dataset, split, prompt, chosen, rejected, chosen_score, rejected_score, margin,
                      ntile(?) OVER (ORDER BY margin, row_id) AS part FROM pairs)
           SELECT * FROM ranked QUALIFY row_number() OVER (PARTITION BY part ORDER BY md5(row_id)) = 1
           ORDER BY margin DESC NULLS LAST, row_id""",
        [MOST],
    )
    shown = []
    for row in found:
        chosen, rejected = ((row[side] or "") for side in ("chosen", "rejected"))
        left, right, compared = differences(rejected[:LONGEST], chosen[:LONGEST])
        cut = max(len(chosen), len(rejected)) > LONGEST
        shown.append({**row, "rejected": left, "chosen": right, "compared": compared, "cut": cut})
    mean = one(con, "SELECT avg(margin) FROM pairs")
    margin = f"; the margin is {figure(mean, 2)} on average" if mean is not None else ""
    return Section(
        "pairs", "Pairs", f"{counted(total, 'preference pair')}{margin}",
        f"{len(shown)} of {total:,} pairs, one from each part of the margins, drawn by their ids; the largest margin "
        f"first. Marked is what only one of the answers has. At most {LONGEST:,} characters of an answer are shown.",
        {"pairs": shown},
    )  # fmt: skip
