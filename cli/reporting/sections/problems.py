"""Single problems with their candidates: those whose candidates' scores differ most."""

from typing import TYPE_CHECKING, Any

from cli.reporting.section import Section, figure, one, rows

if TYPE_CHECKING:
    import duckdb

MOST = 3
ANSWERS = 4
QUERY = """
WITH held AS (
    SELECT c.prompt_id, c.completion_id, s.value FROM scores AS s JOIN completions AS c ON c.completion_id = s.row_id
    WHERE s.scorer = ? AND s.value IS NOT NULL AND c.response IS NOT NULL
),
drawn AS (
    SELECT prompt_id, max(value) - min(value) AS spread, count(*) AS answers FROM held GROUP BY 1
    HAVING count(*) > 1 AND max(value) > min(value) ORDER BY spread DESC, least(answers, 4) DESC, md5(prompt_id) LIMIT ?
),
ranked AS (
    SELECT h.*, row_number() OVER (PARTITION BY prompt_id ORDER BY value DESC, completion_id) AS place, answers, spread
    FROM held AS h JOIN drawn USING (prompt_id)
)
SELECT r.prompt_id, p.prompt, p.ground_truth, r.answers, r.place, r.value, c.completion_id, c.model, c.response,
       c.reasoning_content, c.finish_reason, r.spread
FROM ranked AS r JOIN completions AS c USING (completion_id) JOIN prompts AS p ON p.prompt_id = r.prompt_id
WHERE r.place = 1 OR r.place = r.answers OR r.place = 1 + (r.answers - 1) // 3 OR r.place = 1 + 2 * (r.answers - 1) // 3
ORDER BY r.spread DESC, least(r.answers, 4) DESC, md5(r.prompt_id), r.place
"""


def problems(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return a few prompts with four of their candidates, the best first; None where none differ in score."""
    names = rows(con, """SELECT scorer, count(*) AS n FROM scores JOIN completions ON completion_id = row_id
                         WHERE value IS NOT NULL GROUP BY 1 ORDER BY n DESC, scorer LIMIT 1""")  # fmt: skip
    if not names:
        return None
    scorer = names[0]["scorer"]
    found = rows(con, QUERY, [scorer, MOST])
    if not found:
        return None
    shown: dict[str, dict[str, Any]] = {}
    for row in found:
        held = shown.setdefault(row["prompt_id"], {**row, "candidates": []})
        held["candidates"].append(row | {"scores": _scores(con, row["completion_id"])})
    prompts = one(con, "SELECT count(DISTINCT prompt_id) FROM completions")
    first = found[0]
    found_low = first["value"] - first["spread"]
    return Section(
        "problems", "One problem",
        f"The same prompt, {first['answers']} candidates, scores from {figure(found_low)} to {figure(first['value'])}",
        f"{len(shown)} of {prompts:,} prompts, whose candidates' scores by {scorer} differ most; of each its best, its "
        "worst and two between.",
        {"problems": [*shown.values()], "scorer": scorer},
    )  # fmt: skip


def _scores(con: "duckdb.DuckDBPyConnection", candidate: str) -> list[dict[str, Any]]:
    return rows(con, "SELECT scorer, value, error FROM scores WHERE row_id = ? ORDER BY scorer LIMIT 8", [candidate])
