"""The rows that a training learnt worst: those of the highest loss, with their texts."""

from typing import TYPE_CHECKING, Any

from cli.reporting.section import Section, figure, rows
from schemas.counted import counted

if TYPE_CHECKING:
    import duckdb

MOST_TRAININGS = 3
MOST = 4  # rows of a training
LATEST = """
WITH lost AS (
    SELECT training_id, t.name, t.dataset, t.trainer, t.run_id, count(DISTINCT row_id) AS n, median(loss) AS middle
    FROM trainings AS t JOIN row_losses AS l USING (training_id)
    WHERE l.phase = 'train' AND l.loss IS NOT NULL AND isfinite(l.loss) GROUP BY ALL
)
SELECT * FROM lost QUALIFY row_number() OVER (
    PARTITION BY trainer, dataset ORDER BY regexp_matches(name, '\\.seed\\d+$'), run_id DESC, name, training_id) = 1
ORDER BY run_id DESC, name LIMIT ?
"""
HIGHEST = """
SELECT row_id, arg_min(loss, step) AS first, arg_max(loss, step) AS last, max(tokens) AS tokens
FROM row_losses WHERE training_id = ? AND phase = 'train' AND loss IS NOT NULL AND isfinite(loss)
GROUP BY 1 ORDER BY last DESC, row_id LIMIT ?
"""
TEXTS = """
SELECT prompt::VARCHAR AS prompt, completion::VARCHAR AS completion, NULL AS truth FROM sft WHERE row_id = ?1
UNION ALL SELECT prompt::VARCHAR, chosen::VARCHAR, NULL FROM preferences WHERE row_id = ?1
UNION ALL SELECT prompt::VARCHAR, completion::VARCHAR, NULL FROM unpaired WHERE row_id = ?1
UNION ALL SELECT prompt::VARCHAR, '[]', coalesce(ground_truth, '') FROM rl_prompts WHERE row_id = ?1 LIMIT 1
"""


def losses(con: "duckdb.DuckDBPyConnection") -> Section | None:
    """Return the rows of the highest last loss of the latest trainings; None where no losses of rows are kept."""
    trainings = rows(con, LATEST, [MOST_TRAININGS])
    if not trainings:
        return None
    for training in trainings:
        training["rows"] = [
            {**row, "said": _said(row["first"], row["last"]), "last": figure(row["last"], 2)}
            | _texts(con, row["row_id"])
            for row in rows(con, HIGHEST, [training["training_id"], MOST])
        ]
        training["middle"] = figure(training["middle"], 2)
    chief = trainings[0]
    high = chief["rows"][0]["last"] if chief["rows"] else "–"
    return Section(
        "losses", "Highest losses", f"{chief['name']}: the worst row ends at a loss of {high}, the middle is "
        f"{chief['middle']}",
        f"The {MOST} rows of the highest last loss of {counted(len(trainings), 'training')}, the latest of each "
        f"trainer and dataset, of {counted(sum(row['n'] for row in trainings), 'row')}. A high loss is often a wrong "
        "answer.",
        {"trainings": trainings},
    )  # fmt: skip


def _said(first: float, last: float) -> str:
    """Return a row's first and last loss; only one where it was learnt once."""
    return figure(last, 2) if first == last else f"{figure(first, 2)} → {figure(last, 2)}"


def _texts(con: "duckdb.DuckDBPyConnection", row_id: str) -> dict[str, Any]:
    found = rows(con, TEXTS, [row_id])
    return found[0] if found else {"prompt": None, "completion": None, "truth": None}
