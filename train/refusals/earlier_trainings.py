"""The rows that a model learnt in a training of another recipe, as far as the store that holds it still has them."""

import json
from pathlib import Path

import polars as pl

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage, load_stage
from schemas.rows import DATASET_TABLES

TRAINED = "trained"  # the fate of a row that was learnt


def trained_elsewhere(model: ModelRef) -> list[pl.DataFrame]:
    """Return the rows (``row_id``, ``prompt``) of each training whose folder a model's weights are in."""
    folders = [Path(one) for one in dict.fromkeys((model.location, *model.adapters)) if one]
    stages = [_stage(folder.parent) for folder in folders if folder.is_absolute()]
    return [_rows(stage) for stage in stages if stage is not None and stage.files("training_rows")]


def _stage(folder: Path) -> Stage | None:
    """Return the finished stage in a folder, or None where there is none of ours."""
    try:
        held = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    tables = held.get("tables") if isinstance(held, dict) and "stage_id" in held else None
    is_ours = isinstance(tables, dict) and all(isinstance(one, dict) and "files" in one for one in tables.values())
    return load_stage(folder) if is_ours else None


def _rows(training: Stage) -> pl.DataFrame:
    """Return the rows that a training learnt, from the datasets beside it in its store."""
    fates = training.read("training_rows", ["row_id", "fate"])
    wanted = fates.filter(pl.col("fate") == TRAINED).select("row_id").unique()
    parts = [pl.DataFrame(schema={"row_id": pl.String, "prompt": pl.String})]
    for manifest in sorted(training.path.parent.glob("*/stage.json")):
        stage = None if wanted.is_empty() else _stage(manifest.parent)
        if stage is None:
            continue
        for table in DATASET_TABLES.values():
            found = stage.read(table, ["row_id", "prompt"]).unique("row_id", keep="first")
            parts.append(found.join(wanted, on="row_id", how="semi", maintain_order="left"))
            wanted = wanted.join(parts[-1], on="row_id", how="anti")
    return pl.concat(parts)
