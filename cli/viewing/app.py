"""The app of the viewer: the routes of all pages, the files that they load, and errors as a page of one line."""

import contextlib
import re
from collections.abc import AsyncGenerator

import duckdb
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.pages.templating import ASSETS
from cli.viewing import answers_page, labels_page, map_page, row_page, runs_page, sql_page, table_page
from cli.viewing.guard import Guard
from cli.viewing.viewer import HERE, Viewer
from curate.storage.damage import damage_in
from schemas.errors import OneLine

# Each has ``routes(viewer)``; the bar at the top has its entries in ``viewer.PAGES``.
MODULES = (table_page, map_page, answers_page, runs_page, sql_page, labels_page, row_page)
KINDS = {".css": "text/css", ".js": "text/javascript"}
ASSET = re.compile(r"[a-z][a-z.-]*")
LONGEST_ERROR = 600


def make_app(viewer: Viewer, token: str, port: int, ticket: str | None = None) -> Starlette:
    """Return the app.

    Args:
        viewer: What it shows.
        token: The token that a browser must have.
        port: The port that it is served on.
        ticket: A token that opens once.
    """

    def error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        return viewer.page(request, "error.html", status=status, part="error_line.html", message=error_line(error))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        yield
        viewer.current.interrupt()

    app = Starlette(
        routes=[Route("/assets/{name}", asset), *(route for module in MODULES for route in module.routes(viewer))],
        exception_handlers={OneLine: error, duckdb.Error: error, OSError: error, HTTPException: error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.viewer = viewer
    app.add_middleware(Guard, token=token, port=port, ticket=ticket)
    return app


def error_line(error: Exception) -> str:
    """Return an error as one line: ours, the part of the store that is damaged, or what DuckDB says."""
    if isinstance(error, HTTPException):
        return error.detail
    said = damage_in(error) or ("the query took too long" if isinstance(error, duckdb.InterruptException) else "")
    return " ".join((said or str(error).partition("\n")[0]).split())[:LONGEST_ERROR]


def asset(request: Request) -> Response:
    """Return a shipped file: a style or a script."""
    name = request.path_params["name"]
    if ASSET.fullmatch(name):
        for folder in (HERE / "assets", ASSETS):
            file = folder / name
            if file.suffix in KINDS and file.is_file():
                return Response(file.read_bytes(), media_type=KINDS[file.suffix], headers={})
    raise HTTPException(404, "There is no such file.")
