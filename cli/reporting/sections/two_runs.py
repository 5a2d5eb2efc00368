"""What changed from the run before: the recipe's settings, the rows that came and went, the scores that moved."""

import json
from typing import TYPE_CHECKING

from cli.reporting.section import Section
from cli.reporting.sections.recipe import bare
from schemas.counted import counted
from schemas.json_text import parse

if TYPE_CHECKING:
    from curate.storage.run_changes import RunChanges

MOST_SETTINGS = 30
MOST_ROWS = 12


def two_runs(changes: "RunChanges") -> Section:
    """Return two runs compared, from what changed between them."""
    tables = changes.tables.to_dicts()
    settings = [
        row | {side: _bare_text(row[side]) for side in ("before", "after")} for row in changes.settings.to_dicts()
    ]
    entered, left = (sum(row[name] for row in tables) for name in ("entered", "left"))
    rows = changes.rows.sort("what", "change", "row_id").unique(["what", "change"], keep="first", maintain_order=True)
    shown = [row if row["change"] == "left" else row | {"why": None} for row in rows.head(MOST_ROWS).to_dicts()]
    before, after = changes.before["run_id"], changes.after["run_id"]
    same = not entered and not left and not settings and not changes.moves.height
    title = (
        "Nothing changed since the run before"
        if same
        else f"{counted(len(settings), 'setting')} changed; {counted(entered, 'row')} came, {left:,} left"
    )
    return Section(
        "two_runs", "Two runs", title,
        f"The run {before} ({changes.before.get('status')}) and the run {after} ({changes.after.get('status')}) of "
        "the same recipe: the last one before it that made something else, where there is one. All rows are compared; "
        "of each change one row is shown.",
        {"settings": settings[:MOST_SETTINGS], "more_settings": max(0, len(settings) - MOST_SETTINGS),
         "tables": tables, "scores": changes.scores.to_dicts(), "rows": shown,
         "before": before, "after": after, "same": same},
    )  # fmt: skip


def _bare_text(text: str | None) -> str | None:
    """Return a setting's JSON without what is null."""
    return None if text is None else json.dumps(bare(parse(text)), ensure_ascii=False)
