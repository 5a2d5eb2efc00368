"""The page of one row: its conversation, scores, decisions, relations and labels, with the way to the next row."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cli.pages.differences import differences
from cli.pages.evaluated import RESPONSE
from cli.viewing.filters import PAGE, read_filters
from cli.viewing.labels_page import labels_of
from cli.viewing.listings import LISTINGS, Listing
from cli.viewing.row_facts import Facts, facts_of
from cli.viewing.snapshot import Snapshot
from cli.viewing.table_page import columns_of, neighbours
from cli.viewing.viewer import Viewer
from schemas.errors import UserError, unknown

LARGEST_PLACE = 1_000_000_000
HOME = {"c_": "candidates", "p_": "prompts"}


def routes(viewer: Viewer) -> list[Route]:
    """Return the routes of rows."""

    def row(request: Request) -> Response:
        name = request.path_params["listing"]
        if name not in LISTINGS:
            raise unknown("page", name[:80], LISTINGS)
        key = request.path_params["key"]
        return answer_page(viewer, request, key) if name == "evaluations" else row_page(viewer, request, name, key)

    def by_id(request: Request) -> Response:
        key = request.path_params["key"]
        found = facts_of(viewer.current.get(), key)
        home = HOME.get(key[:2], "pairs" if found.kind == "pair" else "rows" if found.row else "dropped")
        return RedirectResponse(str(request.url.replace(path=f"/{home}/{key}", query="")), 303)

    return [Route("/row/{key:path}", by_id), Route("/{listing}/{key:path}", row)]


def row_page(viewer: Viewer, request: Request, name: str, key: str) -> Response:
    """Return the page of a prompt, a candidate, a dataset's row, a pair, or a row that was dropped."""
    snapshot, listing = viewer.current.get(), LISTINGS[name]
    by = request.query_params.get("by") or chosen_scorer(viewer, snapshot)
    facts = facts_of(snapshot, key, by)
    pair = pair_sides(snapshot, facts) if facts.kind == "pair" else None
    both = {side["completion_id"] for side in (pair or {}).get("sides", [])}
    scorers = snapshot.rows("SELECT DISTINCT scorer FROM scores WHERE scorer IS NOT NULL ORDER BY 1")
    labels = labels_of(viewer, {facts.label_id, facts.row_id, *both})
    return viewer.page(
        request, "pair.html" if pair else "row.html", facts=facts, listing=listing, pair=pair, by=by,
        scorers=[one["scorer"] for one in scorers], labels=labels,
        better=next((one.row_id for one in labels if both and {one.row_id, one.over} == both), None),
        edited=next((one.text for one in labels if one.label == "edit"), None),
        **list_place(viewer, request, snapshot, listing, key),
    )  # fmt: skip


def answer_page(viewer: Viewer, request: Request, key: str) -> Response:
    """Return the page of a model's answer in an evaluation, beside what else is known of its prompt."""
    snapshot, listing = viewer.current.get(), LISTINGS["evaluations"]
    parts = key.split("/")
    number = parts.pop() if len(parts) > 2 else ""
    where = "evaluation_id = ? AND row_id = ? AND sample_index = ?"
    given = [parts[0], "/".join(parts[1:]), int(number) if number.isdecimal() and len(number) < 10 else -1]
    scores = snapshot.rows(
        f"SELECT * REPLACE ({RESPONSE} AS response) FROM evaluations WHERE {where} ORDER BY scorer", given
    )
    if not scores:
        raise UserError(f"no answer {key[:80]!r} is in the evaluations of this store")
    others = snapshot.rows(
        "SELECT evaluation_id || '/' || row_id || '/' || sample_index AS answer_id, model, training_id, "
        f"any_value(left({RESPONSE}, 4000)) AS response FROM evaluations WHERE row_id = ? AND NOT "
        f"({where}) GROUP BY evaluation_id, row_id, sample_index, model, training_id ORDER BY 2, 3, 1 LIMIT 60",
        [given[1], *given],
    )
    return viewer.page(
        request, "answer.html", answer=scores[0], scores=scores, others=others, listing=listing,
        **list_place(viewer, request, snapshot, listing, key),
    )  # fmt: skip


def list_place(viewer: Viewer, request: Request, snapshot: Snapshot, listing: Listing, key: str) -> dict[str, Any]:
    """Return where a row is in the list that it was opened from: the list's address, and the rows beside it."""
    columns = columns_of(snapshot, listing)
    filters = read_filters(request.query_params, listing, columns)
    at = request.query_params.get("at", "")
    place = min(int(at), LARGEST_PLACE) if at.isascii() and at.isdigit() and len(at) < 12 else None
    beside: dict[str, Any] = {"before": None, "after": None, "total": None}
    if place is not None:
        beside = neighbours(snapshot, viewer, listing, filters, place, key)
    here = filters.query(page=place // PAGE + 1 if place is not None else 1)
    return {"query": filters.query(page=1), "back": here, "filters": filters, "at": place, "beside": beside}


def pair_sides(snapshot: Snapshot, facts: Facts) -> dict[str, Any]:
    """Return the two answers of a pair, with the words marked in which they differ."""
    row = snapshot.rows("SELECT * FROM pairs WHERE row_id = ? LIMIT 1", [facts.row_id])[0]
    left, right, compared = differences(row["rejected"] or "", row["chosen"] or "")
    sides = []
    for name, text in (("chosen", right), ("rejected", left)):
        row_id = facts.row[f"{name}_id"]
        sides.append(
            {
                "name": name,
                "completion_id": row_id,
                "text": text,
                "messages": facts.row[name],
                "score": facts.row[f"{name}_score"],
                "scores": [score for score in facts.parts["scores"] if score["row_id"] == row_id],
            }
        )
    return {"sides": sides, "compared": compared, "margin": row["margin"], "dataset": row["dataset"]}


def chosen_scorer(viewer: Viewer, snapshot: Snapshot) -> str | None:
    """Return the scorer by which candidates are ordered: that of the latest recipe's first dataset, else the first."""
    known = [row["scorer"] for row in snapshot.rows("SELECT DISTINCT scorer FROM scores ORDER BY 1") if row["scorer"]]
    for run in reversed(viewer.store.runs()):
        datasets = (run.get("resolved") or {}).get("datasets")
        for dataset in datasets.values() if isinstance(datasets, dict) else []:
            by = dataset.get("by") if isinstance(dataset, dict) else None
            if isinstance(by, str) and by in known:
                return by
    return known[0] if known else None
