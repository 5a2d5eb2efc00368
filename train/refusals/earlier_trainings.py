"""The rows that a model learnt in a training of another recipe, as far as the store that holds it still has them."""

from pathlib import Path

import polars as pl

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage, stage_in, stages_beside
from schemas.rows import DATASET_TABLES

TRAINED = "trained"  # the fate of a row that was learnt


def trained_elsewhere(model: ModelRef) -> list[pl.DataFrame]:
    """Return the rows (``row_id``, ``prompt``) of each training that made a model.

    They are those whose folders its weights are in, and those that these started from, which whole weights hold too.
    """
    folders = [Path(one) for one in dict.fromkeys((model.location, *model.adapters)) if one]
    stages = [stage_in(folder.parent) for folder in folders if folder.is_absolute()]
    found = {stage.stage_id: stage for stage in stages if stage is not None}
    for stage in [*found.values()]:
        below = _started_from(stage) - found.keys()
        found |= {one.stage_id: one for one in stages_beside(stage) if one.stage_id in below} if below else {}
    return [_rows(stage) for stage in found.values() if stage.files("training_rows")]


def _started_from(training: Stage) -> set[str]:
    """Return the ids of the trainings that made the model that a training started from."""
    what = training.manifest.get("what")
    base = what.get("base") if isinstance(what, dict) else None
    return set(base.split(">")[1:]) if isinstance(base, str) else set()


def _rows(training: Stage) -> pl.DataFrame:
    """Return the rows that a training learnt, from the datasets beside it in its store."""
    fates = training.read("training_rows", ["row_id", "fate"])
    wanted = fates.filter(pl.col("fate") == TRAINED).select("row_id").unique()
    parts = [pl.DataFrame(schema={"row_id": pl.String, "prompt": pl.String})]
    for stage in stages_beside(training):
        if wanted.is_empty():
            break
        for table in DATASET_TABLES.values():
            found = stage.read(table, ["row_id", "prompt"]).unique("row_id", keep="first")
            parts.append(found.join(wanted, on="row_id", how="semi", maintain_order="left"))
            wanted = wanted.join(parts[-1], on="row_id", how="anti")
    return pl.concat(parts)
