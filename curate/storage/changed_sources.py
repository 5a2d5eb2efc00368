"""The sources of two runs whose content changed while the recipe went on naming the same file."""

import json
from typing import Any

import polars as pl

from curate.storage.records import RunInfo, RunStage

SCHEMA = {"source": pl.String, "rows_before": pl.Int64, "rows_after": pl.Int64}
NAMES = ("split", "sql", "hub")  # the settings that say, with the path, what is read


def changed_sources(before: RunInfo, after: RunInfo) -> pl.DataFrame:
    """Return the sources that both runs read, and whose content differs: the path or query, the rows of each run.

    A source with a ``limit`` is compared where its other settings are the same too: its content is that of its rows.
    """
    old, new = _sources(before), _sources(after)
    both = [(name, old[key], stage) for key, (name, stage) in new.items() if key in old]
    rows = [
        (name, was["rows_out"], now["rows_out"])
        for name, (_, was), now in both
        if was["settings"]["content"] != now["settings"]["content"]
    ]
    return pl.DataFrame(rows, SCHEMA, orient="row")


def _sources(run: RunInfo) -> dict[str, tuple[str, RunStage]]:
    """Return the sources of a run by what is read: the path or the query, and the stage. Both are in their order."""
    read = (run.get("resolved") or {}).get("prompts") or []
    steps = [step for step in read if isinstance(step, dict) and step.get("verb") == "source"]
    stages = [stage for stage in run["stages"] if stage["stage"].startswith("prompts.source.")]
    found: dict[str, tuple[str, RunStage]] = {}
    for step, stage in zip(steps, stages, strict=False):  # a run that ended early has read the first ones only
        path, settings = (step.get("settings") or {}).get("path"), _settings(stage)
        if "content" in (stage.get("settings") or {}):  # a record that was tampered with lacks what it should have
            kept = settings if "limit" in settings else {name: settings.get(name) for name in NAMES}
            key = json.dumps([path, kept], sort_keys=True, default=str)
            found[key] = (str(path or settings.get("sql")), stage)
    return found


def _settings(stage: RunStage) -> dict[str, Any]:
    return {key: value for key, value in ((stage.get("settings") or {}).get("settings") or {}).items() if key != "name"}
