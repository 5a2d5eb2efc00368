"""Says which answers an evaluation's rows expect, and which ones a model's training rows taught it.

A short answer, or one answer to many prompts, is no sign of damage where it is what the rows ask for.
"""

import json
from typing import Any

import polars as pl

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from train.damage.answer_figures import answer_figures, as_json, expected_figures, same_form
from train.evaluating.own_rows import answered_rows

RECORDED = {"sft": "completion", "preferences": "chosen", "unpaired": "completion"}  # a table's recorded good answer


def expected_by_split(rows: pl.DataFrame, dataset: Stage) -> dict[str, Any]:
    """Return the figures of the expected answers of held-out rows, by split; None where they say none.

    Args:
        rows: The held-out prompts (``train.evaluating.held_out.held_out_prompts``). Their ground truth is the
            expected answer; without one, the answer that the dataset's row has is.
        dataset: The dataset's stage.
    """
    truths = rows.select("row_id", "split", truth="ground_truth")
    recorded = _recorded(dataset)
    if recorded is not None and truths["truth"].null_count() == rows.height:
        truths = truths.drop("truth").join(recorded.unique("row_id"), on="row_id", how="left", maintain_order="left")
    splits = truths["split"].unique(maintain_order=True)
    return {one: as_json(expected_figures(truths.filter(pl.col("split") == one)["truth"])) for one in splits}


def taught_by_split(rows: pl.DataFrame, ref: ModelRef, store: Store) -> dict[str, float]:
    """Return, by split, the share of a model's training rows that teach its most common answer, in 0..1.

    Args:
        rows: The model's rows of ``evaluations``.
        ref: The model. Of the trainings that made it, the one with the largest share counts.
        store: The store.
    """
    ids = ref.identity.split(">")[1:]
    answers = [known for id in ids if len(known := _training_answers(store, id))]
    if not answers:
        return {}
    found = {}
    own = answered_rows(rows.with_columns(model=pl.lit(ref.name))).with_columns(prompt=pl.col("prompt_id"))
    for (split,), part in own.group_by("split", maintain_order=True):
        figures = answer_figures(part)
        if figures is not None and figures.common_answer:
            same = same_form(pl.Series([figures.common_answer]))[0]
            found[str(split)] = max(float((one == same).to_numpy().mean()) for one in answers)
    return found


def _training_answers(store: Store, training_id: str) -> pl.Series:
    """Return the recorded good answers of a training's dataset, in the form of ``same_form``."""
    training = store.stage(training_id)
    dataset = store.stage(training.manifest.get("dataset") or "") if training else None
    recorded = _recorded(dataset) if dataset else None
    return same_form(pl.Series(dtype=pl.String) if recorded is None else recorded["truth"].drop_nulls())


def _recorded(dataset: Stage) -> pl.DataFrame | None:
    """Return the recorded good answer (``truth``) of each row of a dataset; None where rows have none."""
    for table, column in RECORDED.items():
        if dataset.rows(table):
            rows = dataset.read(table)
            rows = rows.filter(pl.col("label").fill_null(True)) if table == "unpaired" else rows
            texts = [_last_text(text) for text in rows[column]]
            return rows.select("row_id", truth=pl.Series(texts, dtype=pl.String))
    return None


def _last_text(messages: str | None) -> str | None:
    """Return the text of the last message of a conversation as JSON text."""
    found = json.loads(messages) if messages else []
    text = found[-1].get("content") if found else None
    return text if isinstance(text, str) else None
