"""The SQL box: a query goes to a process of its own (``sql_child``), and its answer is shown."""

import json
import os
import subprocess
import sys
import threading
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.viewing import sql_child
from cli.viewing.bodies import form
from cli.viewing.snapshot import LEFT_OUT, Snapshot
from cli.viewing.viewer import Viewer
from schemas.rows import HISTORY_TABLES, MACROS, STAGE_TABLES, VIEWS

PATIENCE = sql_child.SECONDS + 5  # seconds until a process is ended that does not end its query itself
LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # of the environment: where Python's own libraries are
AT_ONCE = threading.Semaphore(2)  # queries
EXAMPLES = (
    ("means by scorer", "SELECT scorer, count(*) AS scores, avg(value) AS mean\nFROM scores GROUP BY ALL ORDER BY 1"),
    ("what was dropped", "SELECT stage, reason, count(*) AS rows\nFROM dropped GROUP BY ALL ORDER BY 3 DESC"),
    ("models", "SELECT model, split, scorer, mean, change, low, high\nFROM leaderboard WHERE scorer NOT LIKE '%/%'"),
    ("costs", "SELECT recipe, model, sum(requests) AS requests, sum(cost) AS dollars\nFROM costs GROUP BY ALL"),
)


def routes(viewer: Viewer) -> list[Route]:
    """Return the routes of the SQL box."""
    tables = [*STAGE_TABLES, *HISTORY_TABLES, *(name for name in (*VIEWS, *MACROS) if name[:7] not in
                                                [left[:7] for left in LEFT_OUT])]  # fmt: skip

    def box(request: Request) -> Response:
        return viewer.page(request, "sql.html", tables_of=tables, examples=EXAMPLES, left_out=LEFT_OUT, query="",
                           found=None, limits=sql_child)  # fmt: skip

    async def ask(request: Request) -> Response:
        fields = await form(request)
        query = fields.get("query", "")
        found = await run_in_threadpool(lambda: run_query(viewer.current.get(), query))
        return viewer.page(request, "sql.html", part="sql_answer.html", tables_of=tables, examples=EXAMPLES,
                           left_out=LEFT_OUT, query=query, found=found, limits=sql_child)  # fmt: skip

    return [Route("/sql", box), Route("/sql", ask, methods=["POST"])]


def run_query(snapshot: Snapshot, query: str) -> dict[str, Any]:
    """Return the answer to a query, or its ``error`` in a line."""
    env = {name: os.environ[name] for name in LIBRARIES if name in os.environ}
    # Alone (-I): nothing of the environment or the current folder is imported, and no key is handed on.
    command = [sys.executable, "-I", sql_child.__file__, str(snapshot.file)]
    try:
        with AT_ONCE:
            done = subprocess.run(  # noqa: S603 - our own file
            command, input=query[: sql_child.LONGEST + 1].encode("utf-8", "replace"), capture_output=True, env=env,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"stopped: the query took over {sql_child.SECONDS} s"}
    try:
        return json.loads(done.stdout)
    except ValueError:  # it was ended by its limits
        return {"error": "stopped: the query needs more memory or time than it may have"}
