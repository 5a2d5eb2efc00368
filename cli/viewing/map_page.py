"""The page of the map of embeddings, and what its script asks for: points, the text of one, a table of chosen ones."""

from collections.abc import Callable
from urllib.parse import quote

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cli.pages.map_data import plain
from cli.viewing.bodies import form
from cli.viewing.held_maps import HeldMaps
from cli.viewing.viewer import Viewer
from curate.storage.damage import said_by
from schemas.errors import OneLine, UserError

LONGEST_NUMBER = 8  # digits of a point


def routes(viewer: Viewer) -> list[Route]:
    """Return the routes of the map."""
    maps = HeldMaps(viewer.store)

    def page(request: Request) -> Response:
        return viewer.page(request, "map.html")

    def data(request: Request) -> Response:
        return said(lambda: Response(maps.newest().data, media_type="application/octet-stream"))

    def point(request: Request) -> Response:
        return said(lambda: JSONResponse(described(maps, request.path_params["key"], request.path_params["point"])))

    async def select(request: Request) -> Response:
        fields = await form(request)

        def chosen() -> Response:
            ids = maps.chosen(fields.get("key", ""), fields.get("points", ""))
            if not ids:
                raise UserError("no point is chosen")
            table = "candidates" if ids[0].startswith("c_") else "prompts"
            return JSONResponse({"url": f"/{table}?set={viewer.selections.keep(ids)}"})

        return await run_in_threadpool(said, chosen)

    return [
        Route("/map", page),
        Route("/map/data", data),
        Route("/map/point/{key}/{point}", point),
        Route("/map/select", select, methods=["POST"]),
    ]


def described(maps: HeldMaps, key: str, point: str) -> dict[str, str]:
    """Return the id of a point, its text as a page shows it, and the address of its row.

    Raises:
        UserError: The map is not held any more, or has no such point.
    """
    held = maps.get(key)
    number = int(point) if point.isascii() and point.isdigit() and len(point) <= LONGEST_NUMBER else len(held.ids)
    if number >= len(held.ids):
        raise UserError(f"the map has {len(held.ids):,} points, and none with this number")
    row_id = held.ids[number]
    return {"id": plain(row_id), "text": plain(held.texts[number]), "url": f"/row/{quote(row_id, safe='')}"}


def said(make: Callable[[], Response]) -> Response:
    """Return an answer, or what is wrong as a line of text, which the script shows."""
    try:
        return make()
    except (OneLine, duckdb.Error) as error:
        text = said_by(error)
        return PlainTextResponse(text[:300], 400)
