"""Answers to the same held-out prompts before and after training, side by side."""

from typing import TYPE_CHECKING, Any

from cli.pages.differences import differences
from cli.pages.evaluated import RESPONSE
from cli.reporting.section import OWN_SCORERS, Section, percent, rows

if TYPE_CHECKING:
    import duckdb

MOST = 3  # with a higher score, and with a lower one
LONGEST = 2_000  # characters of an answer
# The trained model and the model without a training that have most answers of the same prompts by one scorer.
WHICH = f"""
WITH held AS (
    SELECT dataset, split, scorer, model, training_id, count(value) AS n, max(run_id) AS run_id
    FROM evaluations WHERE scorer NOT IN ({OWN_SCORERS}) AND response IS NOT NULL GROUP BY ALL HAVING n > 0
)
SELECT a.dataset, a.split, a.scorer, a.model AS before, b.model AS after, b.training_id
FROM held AS a JOIN held AS b USING (dataset, split, scorer)
WHERE a.training_id IS NULL AND b.training_id IS NOT NULL
ORDER BY contains(b.model, '.seed'), least(a.n, b.n) DESC, b.run_id DESC NULLS LAST, a.model, b.model, b.training_id,
         scorer, split LIMIT 1
"""
BOTH = f"""
WITH before AS (
    SELECT row_id, sample_index, any_value(prompt) AS prompt, any_value({RESPONSE}) AS response,
        any_value(value) AS value
    FROM evaluations WHERE dataset = ?1 AND split = ?2 AND scorer = ?3 AND model = ?4 AND training_id IS NULL
    GROUP BY ALL
),
after AS (
    SELECT row_id, sample_index, any_value({RESPONSE}) AS response, any_value(value) AS value
    FROM evaluations WHERE dataset = ?1 AND split = ?2 AND scorer = ?3 AND training_id = ?5 GROUP BY ALL
)
SELECT row_id, b.prompt, b.response AS before, a.response AS after, b.value AS before_value, a.value AS after_value
FROM before AS b JOIN after AS a USING (row_id, sample_index) WHERE a.value IS NOT NULL AND b.value IS NOT NULL
ORDER BY abs(a.value - b.value) DESC, md5(row_id), sample_index
"""


def answers(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the answers whose score changed most, up and down; None where no trained model was evaluated."""
    which = rows(con, WHICH)
    if not which:
        return None
    names = which[0]
    values = [names[key] for key in ("dataset", "split", "scorer", "before", "training_id")]
    both = rows(con, BOTH, values)
    if not both:
        return None
    up = [row for row in both if row["after_value"] > row["before_value"]]
    down = [row for row in both if row["after_value"] < row["before_value"]]
    return Section(
        "answers", "Before and after",
        f"{names['after']} scores higher on {percent(len(up) / len(both))} of {len(both):,} answers, lower on "
        f"{percent(len(down) / len(both))}",
        f"Answers of {names['before']} and of {names['after']} to the same prompts of {names['split']}, scored by "
        f"{names['scorer']}: {min(MOST, len(up))} of {len(up):,} with a higher score, {min(MOST, len(down))} of "
        f"{len(down):,} with a lower one, the largest changes first, then drawn by their ids.",
        {"names": names, "better": [*map(_shown, up[:MOST])], "worse": [*map(_shown, down[:MOST])]},
    )  # fmt: skip


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    left, right, _ = differences((row["before"] or "")[:LONGEST], (row["after"] or "")[:LONGEST])
    return {**row, "before": left, "after": right}
