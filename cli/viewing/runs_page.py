"""The pages of runs: their list, one with its funnel and costs, its progress while it goes on, two compared."""

import json
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.viewing.viewer import Viewer
from curate.storage.records import RunInfo
from curate.storage.reply_log import costs
from curate.storage.run_changes import run_changes, two_runs
from schemas.errors import unknown

MOST_CHANGES = 100  # rows of each kind that a comparison shows
FUNNEL = """
    SELECT position, stage, reason, rows_in, kept, dropped FROM funnel WHERE run_id = ?"""
SPENT = ("requests", "replies", "failed", "prompt_tokens", "completion_tokens", "cost")


def routes(viewer: Viewer) -> list[Route]:
    """Return the routes of runs."""

    def every(request: Request) -> Response:
        runs = viewer.store.runs()[::-1]
        spent = spent_by_run(viewer)
        going = any(run["status"] == "running" for run in runs)
        return viewer.page(request, "runs.html", part="runs_list.html", runs=runs, spent=spent, going=going,
                           lasted=lasted)  # fmt: skip

    def one(request: Request) -> Response:
        run = run_of(viewer, request.path_params["run_id"])
        snapshot = viewer.current.get()
        recipe = json.dumps(run.get("resolved") or {}, indent=2, ensure_ascii=False)
        others = [other for other in viewer.store.runs()[::-1] if other["command"] == "run" and other != run]
        answer = viewer.page(
            request, "run.html", part="run_progress.html", run=run, progress=progress(viewer, run), recipe=recipe,
            funnel=snapshot.rows(FUNNEL, [run["run_id"]]), others=others, began=began(run),
        )  # fmt: skip
        if run["status"] != "running":  # it was, a moment ago, where htmx asks: the whole page has its funnel now
            answer.headers["hx-refresh"] = "true"
        return answer

    def changes(request: Request) -> Response:
        first, second = request.query_params.get("first") or None, request.query_params.get("second") or None
        found = run_changes(viewer.store, *two_runs(viewer.store, first, second))
        of_datasets = found.rows.filter(found.rows["what"].str.starts_with("dataset"))
        rows = {change: of_datasets.filter(of_datasets["change"] == change) for change in ("entered", "left", "moved")}
        return viewer.page(
            request, "changes.html", found=found, settings=found.settings.to_dicts(), most=MOST_CHANGES,
            counts=[row for row in found.tables.to_dicts() if row["before"] or row["after"]],
            scores=found.scores.to_dicts(), moves=found.moves.head(MOST_CHANGES).to_dicts(),
            moved=found.moves.height,
            rows={change: (part.head(MOST_CHANGES).to_dicts(), part.height) for change, part in rows.items()},
        )  # fmt: skip

    return [Route("/runs", every), Route("/changes", changes), Route("/runs/{run_id}", one)]


def run_of(viewer: Viewer, run_id: str) -> RunInfo:
    """Return the record of a run.

    Raises:
        UserError: The store has no such run.
    """
    runs = {run["run_id"]: run for run in viewer.store.runs()}
    if run_id not in runs:
        raise unknown("run", run_id[:80], list(runs))
    return runs[run_id]


def progress(viewer: Viewer, run: RunInfo) -> dict[str, Any]:
    """Return what a run has made and spent so far: its stages, costs by model, and how long it has gone on."""
    spent = [row for row in costs(viewer.store) if row["run_id"] == run["run_id"]]
    going = run["status"] == "running"
    sums = {name: sum(row[name] or 0 for row in spent) for name in SPENT}
    return {"going": going, "stages": run["stages"], "costs": spent, "sums": sums, "seconds": lasted(run),
            "doing": doing(run) if going else None}  # fmt: skip


def spent_by_run(viewer: Viewer) -> dict[str, dict[str, float]]:
    """Return what each run has spent, by its id."""
    found: dict[str, dict[str, float]] = {}
    for row in costs(viewer.store):
        held = found.setdefault(row["run_id"], dict.fromkeys(SPENT, 0))
        for name in SPENT:
            held[name] += row[name] or 0
    return found


def doing(run: RunInfo) -> dict[str, Any] | None:
    """Return what a run does now: the stage, how far it is in words, and in percent where that is known."""
    held = run.get("doing")
    if not isinstance(held, dict):
        return None
    done, total, unit = held.get("done"), held.get("total"), held.get("unit")
    known = isinstance(total, int) and isinstance(done, int) and total > 0
    counted = f"{min(done, total):,} of {total:,} {unit}" if known else ""
    percent = 100 * min(max(done / total, 0), 1) if known else None
    return {"stage": str(held.get("stage")), "counted": counted, "percent": percent}


def lasted(run: RunInfo) -> float | None:
    """Return for how many seconds a run has gone on, until now where it is going on."""
    started = began(run)
    going = run["status"] == "running" and started is not None
    return round((datetime.now(UTC) - started).total_seconds(), 1) if going and started else run.get("seconds")


def began(run: RunInfo) -> datetime | None:
    """Return when a run began, or None for a record that does not say so."""
    try:
        return datetime.fromisoformat(str(run.get("started_at"))).replace(tzinfo=UTC)
    except ValueError:
        return None
