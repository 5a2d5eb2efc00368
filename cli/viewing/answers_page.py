"""The page of answers before and after a training: two models of the evaluations side by side, prompt by prompt."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.pages.differences import differences
from cli.pages.evaluated import RESPONSE
from cli.viewing.filters import words_of
from cli.viewing.listings import LISTINGS
from cli.viewing.snapshot import Snapshot
from cli.viewing.table_page import columns_of
from cli.viewing.viewer import Viewer
from schemas.errors import unknown

PAGE = 10  # prompts
ORDERS = {"worse": "the largest losses first", "better": "the largest gains first", "order": "in the order of the data"}
MODELS = """
    SELECT e.model, e.training_id, min(e.run_id) AS run_id, count(*) AS n, any_value(t.base) AS base,
        concat(e.model, ' ', e.training_id) AS name
    FROM evaluations AS e LEFT JOIN trainings AS t USING (training_id)
    WHERE e.scorer NOT LIKE '%/%' GROUP BY e.model, e.training_id ORDER BY e.training_id IS NOT NULL, e.model, 2"""
CELLS = """
    SELECT split, scorer FROM evaluations
    WHERE scorer NOT LIKE '%/%' AND concat(model, ' ', training_id) IN (?, ?)
    GROUP BY ALL HAVING count(DISTINCT concat(model, ' ', training_id)) = 2 ORDER BY 1, 2"""
# One answer of each model to each prompt: the mean of its samples' scores, and the text of the first.
PAIRED = f"""
    WITH e AS (
        SELECT concat(model, ' ', training_id) AS name, * FROM evaluations WHERE split = $3 AND scorer = $4
    ), a AS (
        SELECT name, prompt_id, avg(value) AS value, any_value(prompt) AS prompt,
            min_by({RESPONSE}, sample_index) AS response,
            min(evaluation_id || '/' || row_id || '/' || sample_index) AS answer_id
        FROM e WHERE name IN ($1, $2) GROUP BY ALL
    )
    SELECT l.prompt_id, l.prompt, l.response AS before, r.response AS after, l.value AS before_value,
        r.value AS after_value, r.value - l.value AS change, l.answer_id AS before_id, r.answer_id AS after_id,
        count(*) OVER () AS total, avg(l.value) OVER () AS before_mean, avg(r.value) OVER () AS after_mean,
        count(*) FILTER (r.value > l.value) OVER () AS gains, count(*) FILTER (r.value < l.value) OVER () AS losses
    FROM a AS l JOIN a AS r USING (prompt_id) WHERE l.name = $1 AND r.name = $2"""


def routes(viewer: Viewer) -> list[Route]:
    """Return the route of the page."""

    def answers(request: Request) -> Response:
        snapshot = viewer.current.get()
        columns_of(snapshot, LISTINGS["evaluations"])
        chosen = choose(snapshot, dict(request.query_params))
        return viewer.page(request, "answers.html", part="answers_list.html", orders=ORDERS, **chosen)

    return [Route("/answers", answers)]


def choose(snapshot: Snapshot, given: dict[str, str]) -> dict[str, Any]:
    """Return what the page shows: the models to choose from, those that are compared, and their answers.

    Raises:
        UserError: A model, a split or a scorer is not there.
    """
    models = {row["name"]: row for row in snapshot.rows(MODELS)}
    if len(models) < 2:
        return {"models": [], "pairs": [], "total": 0}
    before, after = _two(models, given)
    cells = snapshot.rows(CELLS, [before, after])
    splits = [*dict.fromkeys(row["split"] for row in cells)]
    split = _chosen("split", given.get("split"), splits)
    scorers = [row["scorer"] for row in cells if row["split"] == split]
    scorer = _chosen("scorer", given.get("scorer"), scorers)
    order = _chosen("order", given.get("order"), [*ORDERS]) or "worse"
    page = int(text) if (text := given.get("page", "")).isdecimal() and 0 < len(text) < 7 else 1
    text = given.get("q", "")[:1000]
    shown = {"models": list(models.values()), "before": before, "after": after, "splits": splits, "split": split,
             "scorers": scorers, "scorer": scorer, "order": order, "q": text}  # fmt: skip
    return shown | _answers(snapshot, [before, after, split, scorer], order, text, page)


def _answers(snapshot: Snapshot, given: list[Any], order: str, text: str, page: int) -> dict[str, Any]:
    """Return a page of paired answers, with the words marked in which they differ."""
    by = {"worse": "change ASC NULLS LAST, ", "better": "change DESC NULLS LAST, ", "order": ""}[order]
    words = words_of(text)
    where = " AND ".join(
        f"contains(lower(concat_ws(' ', prompt_id, prompt, before, after)), ${place})"
        for place in range(5, 5 + len(words))
    )
    query = f"SELECT *, count(*) OVER () AS found FROM ({PAIRED}) WHERE {where or 'true'} ORDER BY {by}prompt_id"
    page = max(page, 1)
    rows = snapshot.rows(f"{query} LIMIT {PAGE} OFFSET {(page - 1) * PAGE}", [*given, *words])
    pairs = []
    for row in rows:
        left, right, compared = differences(row["before"] or "", row["after"] or "")
        pairs.append(row | {"left": left, "right": right, "compared": compared})
    found = rows[0]["found"] if rows else 0
    return {"pairs": pairs, "total": found, "page": page, "last": max(1, -(-found // PAGE)),
            "sums": rows[0] if rows else None}  # fmt: skip


def _two(models: dict[str, Any], given: dict[str, str]) -> tuple[str, str]:
    """Return the names of the two models: those that are asked for, else the newest training and its start."""
    for side in ("before", "after"):
        if given.get(side) and given[side] not in models:
            raise unknown("model of an evaluation", given[side][:80], models)
    trained = [row for row in models.values() if row["training_id"]]
    newest = max(trained, key=lambda row: row["run_id"] or "", default=[*models.values()][-1])
    after = given.get("after") or newest["name"]
    plain = [name for name, row in models.items() if not row["training_id"] and name != after]
    before = given.get("before") or (plain or [name for name in models if name != after])[0]
    return before, after


def _chosen(what: str, name: str | None, known: list[str]) -> str | None:
    if name and name not in known and what == "order":
        raise unknown(what, name[:80], known)
    return name if name in known else known[0] if known else None
