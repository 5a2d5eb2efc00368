"""The largest clusters of duplicates, with their texts."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

from cli.reporting.section import Section, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST_CLUSTERS = 12
NOUNS = {"prompts": "prompt", "completions": "candidate"}
MOST_ROWS = 5  # of a cluster


def duplicates(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the largest clusters of the view ``duplicates``; None where nothing repeats."""
    con.execute("CREATE OR REPLACE TEMP TABLE report_duplicates AS SELECT * FROM duplicates")
    counts = rows(
        con,
        """SELECT scope, count(DISTINCT cluster) AS clusters, count(repeats) AS repeats FROM report_duplicates
           GROUP BY 1 ORDER BY repeats DESC, scope""",
    )
    if not counts:
        return None
    found = rows(
        con,
        """WITH largest AS (
               SELECT cluster, min(scope) AS scope, max(size) AS size,
                      bool_or(repeats IS NOT NULL AND text IS NOT NULL) AS told FROM report_duplicates GROUP BY 1
               ORDER BY told DESC, size DESC, cluster LIMIT ?)
           SELECT d.scope, d.cluster, d.size, d.row_id, d.repeats, d.similarity, d.text
           FROM report_duplicates AS d JOIN largest USING (scope, cluster)
           QUALIFY row_number() OVER (PARTITION BY d.scope, d.cluster
                                      ORDER BY d.repeats IS NOT NULL, d.similarity, d.row_id) <= ?
           ORDER BY d.size DESC, d.cluster, d.repeats IS NOT NULL, d.similarity DESC, d.row_id""",
        [MOST_CLUSTERS, MOST_ROWS],
    )
    clusters = [
        {"scope": held[0]["scope"], "size": held[0]["size"], "rows": held}
        for held in (list(some) for _, some in groupby(found, key=lambda row: row["cluster"]))
    ]
    return Section(
        "duplicates", "Duplicates",
        _title(counts[0]),
        f"The {counted(len(clusters), 'largest cluster')} of {sum(row['clusters'] for row in counts):,}; of each the "
        f"row that was kept and at most {MOST_ROWS - 1} that were dropped, the least similar ones.",
        {"clusters": clusters},
    )  # fmt: skip


def _title(chief: dict[str, Any]) -> str:
    verb = "repeats" if chief["repeats"] == 1 else "repeat"
    if chief["scope"] in NOUNS:
        return f"{counted(chief['repeats'], NOUNS[chief['scope']])} {verb} another one"
    return f"{counted(chief['repeats'], 'row')} of {chief['scope']} {verb} another one"
