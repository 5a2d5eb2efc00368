"""The labels of the rows that KTO learns from: both kinds are needed; and the order in which it learns them."""

from dataclasses import replace

import polars as pl

from curate.algorithms.random_order import id_draws
from schemas.errors import UserError
from train.examples.examples import Examples
from train.job import TrainingJob

REMEDY = (
    "KTO learns from good answers and bad ones; set the dataset's threshold, by or where so that it has both, or train "
    "on good answers alone with sft"
)


def check_labels(rows: pl.DataFrame, where: str) -> None:
    """Check the labels of the rows to train on.

    Args:
        rows: Rows with ``row_id`` and ``label``.
        where: The training's place in the recipe and its name, for the error.

    Raises:
        UserError: A row has no label, or all have the same one.
    """
    if rows["label"].null_count():
        first = rows.filter(pl.col("label").is_null())["row_id"][0]
        raise UserError(f"{where}: row {first}, column label: expected true or false, found null")
    if rows["label"].n_unique() == 1:
        raise one_label(f"all {rows.height:,} rows", rows["label"][0], where)


def check_examples(examples: Examples, where: str) -> None:
    """Raise ``UserError`` where the rows that are left to train on all have one label."""
    labels = set(examples.columns.get("label", ()))
    if len(labels) == 1:
        left_out = f" that are left ({len(examples.dropped):,} are left out)" if examples.dropped else ""
        raise one_label(f"all {examples.counts['rows']:,} rows{left_out}", labels.pop(), where)


def known_labels(examples: Examples) -> list[str]:
    """Return a warning where all rows that a training could have, as far as the sources tell, have one label."""
    labels = {*examples.columns.get("label", ())}
    if len(labels) != 1 or None in labels:
        return []
    kind = "good" if labels.pop() else "bad"
    return [f"all {examples.counts['rows']:,} rows that are known before the run are {kind} answers; {REMEDY}"]


def one_label(which: str, label: bool, where: str) -> UserError:
    """Return the error for rows that all have one label."""
    return UserError(f"{where}: {which} are {'good' if label else 'bad'} answers; {REMEDY}")


def in_random_order(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return rows in an order that depends on their ids and the seed alone."""
    return rows.with_columns(__draw=id_draws(rows["row_id"], seed, "kto")).sort("__draw", "row_id").drop("__draw")


def rows_in_random_order(job: TrainingJob) -> TrainingJob:
    """Return a job with its rows, those to evaluate on too, in random order, unless it sets the order of batches.

    TRL's KTO pairs each row with its neighbour in a batch, and a dataset has the answers of a prompt side by side.
    """
    if "train_sampling_strategy" in job.settings:
        return job
    seed = job.settings.get("seed", job.seed)
    return replace(job, rows=in_random_order(job.rows, seed), eval_rows=in_random_order(job.eval_rows, seed))
