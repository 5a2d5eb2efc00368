"""Labels by hand: the endpoint that takes one, the page of all of them, and their file to download."""

import json
from collections.abc import Collection
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.viewing.bodies import form
from cli.viewing.snapshot import Snapshot
from cli.viewing.viewer import Viewer
from curate.storage.hand_labels import LABELS, HandLabel, add_label, labels_path
from schemas.errors import unknown

SHOWN = 500  # labels on the page, the newest first
TEXTS = """
    SELECT completion_id AS id, left(response, 300) AS text, 'candidate' AS of FROM completions
    WHERE list_contains($1::VARCHAR[], completion_id)
    UNION ALL SELECT prompt_id, left(prompt, 300), 'prompt' FROM prompts
    WHERE list_contains($1::VARCHAR[], prompt_id)"""


def routes(viewer: Viewer) -> list[Route]:
    """Return the routes of labels."""

    async def give(request: Request) -> Response:
        fields = await form(request)
        return await run_in_threadpool(give_label, viewer, request, fields)

    def every(request: Request) -> Response:
        snapshot = viewer.current.get()
        labels = viewer.current.labels[::-1]
        ids = [one for label in labels[:SHOWN] for one in (label.row_id, label.over) if one]
        texts = {row["id"]: row["text"] for row in snapshot.rows(TEXTS, [ids])}
        counts = {name: sum(label.label == name for label in labels) for name in LABELS}
        return viewer.page(
            request, "labels.html", part="labels_list.html", labels=labels[:SHOWN], total=len(labels), texts=texts,
            counts=counts, path=labels_path(viewer.store),
        )  # fmt: skip

    def download(request: Request) -> Response:
        viewer.current.get()
        lines = [json.dumps({k: v for k, v in asdict(one).items() if v is not None}) for one in viewer.current.labels]
        disposition = {"content-disposition": 'attachment; filename="labels.jsonl"'}
        return Response("".join(f"{line}\n" for line in lines), media_type="application/jsonl", headers=disposition)

    return [
        Route("/labels", every),
        Route("/labels.jsonl", download),
        Route("/label", give, methods=["POST"]),
    ]


def give_label(viewer: Viewer, request: Request, fields: dict[str, str]) -> Response:
    """Write a label, and answer with the labels of its row.

    Raises:
        UserError: It is no label, or cannot be written.
        HTTPException: The store has no such row.
    """
    if fields.get("label") not in LABELS:
        raise unknown("label", fields.get("label", "")[:80], LABELS)
    snapshot = viewer.current.get()
    row_id, over = fields.get("row_id", ""), fields.get("over") or None
    held = [label for label in viewer.current.labels if row_id in (label.row_id, label.over)]
    if not (fields["label"] == "clear" and held):  # what a run has taken out of the tables can be cleared
        known = {row["id"]: row["of"] for row in snapshot.rows(TEXTS, [[row_id, over or row_id]])}
        if known.keys() != {row_id, over or row_id}:
            raise HTTPException(404, "No prompt or candidate of this store has this id.")
        if fields["label"] in ("edit", "prefer") and {*known.values()} != {"candidate"}:
            raise HTTPException(400, f"The label {fields['label']} is of candidates, and this is a prompt.")
    label = HandLabel(row_id, fields["label"], over, fields.get("text") or None, by=viewer.person)
    add_label(viewer.store, label)
    viewer.current.get()
    kind = "label_table.html" if fields.get("from") == "table" else "label_row.html"
    shown = pair_word(snapshot, row_id, over) if over or fields.get("from") == "pair" else None
    return viewer.page(
        request, kind, labels=labels_of(viewer, {row_id, over}), by_hand=shown or word_of(snapshot, row_id),
        given=fields["label"],
    )  # fmt: skip


def labels_of(viewer: Viewer, ids: Collection[str | None]) -> list[HandLabel]:
    """Return the labels in force of rows, the newest first."""
    return [one for one in reversed(viewer.current.labels) if one.row_id in ids or (one.over and one.over in ids)]


def word_of(snapshot: Snapshot, label_id: str) -> str | None:
    """Return the labels of a row in words, or None."""
    rows = snapshot.rows("SELECT by_hand FROM memory.main.by_hand WHERE label_id = ?", [label_id])
    return rows[0]["by_hand"] if rows else None


def pair_word(snapshot: Snapshot, row_id: str, over: str | None) -> str | None:
    """Return the id that is preferred of a pair, or None."""
    return word_of(snapshot, " ".join(sorted((row_id, over or ""))))
