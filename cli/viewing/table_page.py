"""The page of a table: filters, search, order, sliders of scores, and rows a page at a time."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cli.viewing.filters import BY_HAND, NONE, PAGE, Filters, condition, order, read_filters, source
from cli.viewing.listings import LISTINGS, Listing
from cli.viewing.snapshot import MOST_VALUES, Columns, Snapshot
from cli.viewing.viewer import Viewer
from curate.storage.table_views import quoted
from schemas.errors import UserError

COUNTED = ("tokens", "characters", "sample", "candidates", "trainings", "chosen_longer_by")  # which come last


def routes(viewer: Viewer) -> list[Route]:
    """Return the routes of the tables."""

    def home(request: Request) -> Response:
        return RedirectResponse("/candidates", 303)

    def table_of(listing: Listing) -> Callable[[Request], Response]:
        return lambda request: table(viewer, listing, request)

    return [
        Route("/", home),
        *(Route(f"/{name}", table_of(listing), name=name) for name, listing in LISTINGS.items()),
    ]


def table(viewer: Viewer, listing: Listing, request: Request) -> Response:
    """Return a table's page, or what changes in it where htmx asks."""
    snapshot = viewer.current.get()
    columns = columns_of(snapshot, listing)
    filters = read_filters(request.query_params, listing, columns)
    where, values = condition(filters, listing, viewer.selections)
    total = snapshot.rows(f"SELECT count(*) AS n FROM {source(listing)} WHERE {where}", values)[0]["n"]
    last = max(1, -(-total // PAGE))
    shown = shown_columns(listing, columns)
    page = min(filters.page, last)
    rows = snapshot.rows(
        f"SELECT {selected(listing, shown)} FROM {source(listing)} WHERE {where} ORDER BY {order(filters)} "
        f"LIMIT {PAGE} OFFSET {(page - 1) * PAGE}",
        values,
    )
    first = (page - 1) * PAGE
    words = {"pairs": BY_HAND[:2], "evaluations": ()}.get(listing.name, BY_HAND[:-1])
    answer = viewer.page(
        request, "table.html", part="rows.html", listing=listing, columns=columns, filters=filters, rows=rows,
        total=total, page=page, last=last, first=first, shown=shown, sliders=sliders(columns), by_hand=words,
        nothing=NONE, numbers=columns.spans, same=same_values(listing, columns), most=MOST_VALUES,
    )  # fmt: skip
    query = filters.query()
    if request.headers.get("hx-request") == "true":
        answer.headers["hx-push-url"] = f"/{listing.name}" + (f"?{query}" if query else "")
    return answer


def columns_of(snapshot: Snapshot, listing: Listing) -> Columns:
    """Return what is known of a listing's columns.

    Raises:
        UserError: A part of the store that it needs is damaged.
    """
    if listing.name in snapshot.damages:
        raise UserError(snapshot.damages[listing.name])
    return snapshot.columns[listing.name]


def shown_columns(listing: Listing, columns: Columns) -> list[str]:
    """Return the columns that a table shows: its texts and fates, scores, what else has several values, counts."""
    known = [name for name in listing.shown if name in listing.texts or _varies(name, columns)]
    numbers = [name for name in columns.spans if name not in listing.hidden]
    first = [name for name in known if name in (*listing.texts, *listing.first)]
    scores = [name for name in numbers if not _comes_last(name)]
    return [*first, *scores, *(name for name in known if name not in first), *(n for n in numbers if n in COUNTED)]


def same_values(listing: Listing, columns: Columns) -> list[tuple[str, Any]]:
    """Return the columns whose value is the same in every row: they are said once, and have no column in the table."""
    found = [(name, columns.values[name]) for name in listing.facets if len(columns.values[name]) == 1]
    return [(name, values[0][0]) for name, values in found if values[0][0] not in (None, "")]


def sliders(columns: Columns) -> list[tuple[str, float, float, str]]:
    """Return the columns of numbers that have a slider, scores first: the name, the least, the most, the step."""
    found = [(name, low, high) for name, (low, high) in columns.spans.items() if low < high]
    found.sort(key=lambda one: _comes_last(one[0]))
    return [(name, low, high, "any" if columns.types[name] == "DOUBLE" else "1") for name, low, high in found]


def selected(listing: Listing, shown: list[str]) -> str:
    """Return what a query of a table selects: the shown columns, its id, and its labels."""
    parts = [f"l.{quoted(name)}" for name in shown]
    pair = ["l.chosen_id"] if "chosen_id" in listing.hidden else []
    return ", ".join([f"l.{listing.key} AS place", "l.label_id", "b.by_hand", *pair, *parts])


def neighbours(
    snapshot: Snapshot, viewer: Viewer, listing: Listing, filters: Filters, at: int, key: str
) -> dict[str, Any]:
    """Return the rows before and after one in a filtered list: ``before`` and ``after`` (key, place), and ``total``.

    Args:
        snapshot: The snapshot.
        viewer: The viewer, which holds sets of ids.
        listing: The table.
        filters: Its filters.
        at: The place of the row in the list, from 0.
        key: The row; where it has left the list, since it was labelled, the row in its place comes next.
    """
    where, values = condition(filters, listing, viewer.selections)
    start = max(at - 1, 0)
    found = snapshot.rows(
        f"SELECT l.{listing.key} AS place, count(*) OVER () AS total FROM {source(listing)} WHERE {where} "
        f"ORDER BY {order(filters)} LIMIT 3 OFFSET {start}",
        values,
    )
    keys = [row["place"] for row in found]
    mine = at - start
    still = mine < len(keys) and keys[mine] == key
    after = mine + 1 if still else mine
    return {
        "before": (keys[mine - 1], at - 1) if mine > 0 and keys else None,
        "after": (keys[after], start + after) if after < len(keys) else None,
        "total": found[0]["total"] if found else 0,
    }


def _varies(name: str, columns: Columns) -> bool:
    """Return whether a column has more than one value, so that it says something of a row."""
    return name not in columns.values or len(columns.values[name]) > 1


def _comes_last(name: str) -> bool:
    """Return whether a number is a count, or a figure of gristmill's own, whose name has a slash."""
    return name in COUNTED or "/" in name
