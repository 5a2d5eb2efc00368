"""Tiny stores for the tests of what SQL has beside the tables: stages written by hand, and a run that used them."""

import json

import polars as pl

from curate.storage.sql_views import connect


def write(store, label, stage_id, **tables):
    """Write a stage with tables, each a list of rows."""
    with store.new_stage(stage_id, label, what={}) as writer:
        for table, rows in tables.items():
            writer.write(table, pl.DataFrame(rows, infer_schema_length=None))
    return store.stage(stage_id)


def record(store, run_id, *stages, reused=(), recipe="a", command="run", counts=None):
    """Write the record of a finished run that used stages; ``counts`` has rows_in and rows_out by stage id."""
    used = [
        {
            "path": stage.path.name,
            "stage_id": stage.stage_id,
            "stage": stage.manifest["label"],
            "position": place,
            "reused": stage.stage_id in reused,
            "rows_in": (counts or {}).get(stage.stage_id, (None, None))[0],
            "rows_out": (counts or {}).get(stage.stage_id, (None, None))[1],
        }
        for place, stage in enumerate(stages)
    ]
    held = {"run_id": run_id, "recipe": recipe, "command": command, "status": "finished", "stages": used}
    store.save_run(held | {"started_at": "2026-11-24T05:00:00.000", "resolved": {}})


def ask(store, query):
    """Return the rows of a query, those of one column as values."""
    with connect(store, None, query) as con:
        return [row[0] if len(row) == 1 else row for row in con.execute(query).fetchall()]


def prompt(prompt_id, text="How?", **more):
    """Return a row of the table ``prompts``."""
    return {"prompt_id": prompt_id, "prompt": text, "source": "s", **more}


def candidate(completion_id, prompt_id="p_1", response="So.", index=0):
    """Return a row of the table ``completions``."""
    return {"completion_id": completion_id, "prompt_id": prompt_id, "response": response, "sample_index": index}


def score(row_id, value, scorer="x"):
    """Return a row of the table ``scores``."""
    return {"row_id": row_id, "scorer": scorer, "value": value}


def decision(row_id, stage, reason=None, evidence=None):
    """Return a row of the table ``decisions``; one without a reason keeps its row."""
    held = json.dumps(evidence) if isinstance(evidence, dict) else evidence
    return {"row_id": row_id, "stage": stage, "kept": reason is None, "reason": reason, "evidence": held}
