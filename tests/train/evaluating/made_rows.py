"""Rows of an evaluation, made without asking a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from schemas.ids import fingerprint
from train.evaluating.paired_values import evaluation_rows


def made_rows(store, scores: Mapping[str, Sequence[Any]], scorer: str = "right", **columns: Any) -> pl.DataFrame:
    """Return rows as ``evaluation_rows`` does: of each model a score for each prompt, or a list of scores.

    ``columns`` are further columns, one value for each prompt or one for all.
    """
    return evaluation_rows(made_stage(store, made_table(scores, scorer, **columns)))


def made_table(scores: Mapping[str, Sequence[Any]], scorer: str = "right", **columns: Any) -> pl.DataFrame:
    """Return rows of the table ``evaluations``."""
    parts = []
    for model, values in scores.items():
        for at, held in enumerate(values):
            given = {name: value[at] if isinstance(value, list) else value for name, value in columns.items()}
            for index, value in enumerate(held if isinstance(held, list) else [held]):
                row: dict[str, Any] = {
                    "model": model,
                    "split": "test",
                    "scorer": scorer,
                    "row_id": f"r{at}",
                    "prompt_id": f"p{at}",
                }
                row |= {"sample_index": index, "value": value, "prompt": f"question {at}"}
                parts.append(row | {"response": f"{model} says {at} {index}"} | given)
    return pl.DataFrame(parts, infer_schema_length=None).cast({"value": pl.Float64})


def made_stage(store, rows: pl.DataFrame, **settings: Any):
    """Write the stage of an evaluation."""
    stage_id = fingerprint(rows.to_dicts())[:12]
    with store.new_stage(stage_id, "evaluate", what={"seed": 3, "settings": settings}, result="made") as writer:
        writer.write("evaluations", rows)
    return store.stage(stage_id)
