"""The scores of a comparison as one table: a row for each seed, model, split, scorer and prompt."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from curate.storage.stage import Stage
from train.evaluating.own_rows import ANSWERS, SPLIT, START_LOSS, WIN_RATE

RETENTION = SPLIT  # whose scores are losses of texts: lower is better
# Rows of an evaluation that are no scores: answers to general prompts, and what the start model makes of answers.
NO_SCORES = (ANSWERS, START_LOSS)
NO_WINNER = 0.5  # the win rate of the start model against itself, of which it has no rows
KEYS = ["split", "scorer"]
SCHEMA = {
    "seed": pl.Int64, "model": pl.String, "split": pl.String, "scorer": pl.String, "prompt_id": pl.String,
    "family": pl.String, "value": pl.Float64, "nulls": pl.Int64,
}  # fmt: skip


def cells_of(evaluations: Mapping[int, Stage], names: Mapping[int, Mapping[str, str]]) -> pl.DataFrame:
    """Return the mean score of each model on each seed for each prompt.

    Args:
        evaluations: The stage with the table ``evaluations`` of each seed.
        names: For each seed, what the models of its table are called here; the start model comes first.

    Returns:
        A table with the columns of ``SCHEMA``, in the order of the evaluations. ``value`` is the mean over the samples
        of a prompt that have a score, ``nulls`` how many have none, or one that is not finite.
    """
    parts = [pl.DataFrame(schema=SCHEMA)]
    for seed, stage in evaluations.items():
        rows = stage.read("evaluations").filter(
            pl.col("model").is_in([*names[seed]]), ~pl.col("scorer").is_in([*NO_SCORES])
        )
        family = pl.col("family") if "family" in rows.columns else pl.lit(None, pl.String)
        family = pl.coalesce("f_" + family, "p_" + pl.col("prompt_id"))
        rows = rows.with_columns(family=family, model=pl.col("model").replace(names[seed]))
        value = pl.when(pl.col("value").is_finite()).then("value")
        means = rows.group_by("model", *KEYS, "prompt_id", maintain_order=True).agg(
            pl.col("family").first(), value=value.mean(), nulls=value.null_count().cast(pl.Int64)
        )
        means = pl.concat([means, _no_winner(means, next(iter(names[seed].values())))])
        parts.append(means.with_columns(seed=pl.lit(seed, pl.Int64)).select(*SCHEMA))
    return pl.concat(parts)


def _no_winner(means: pl.DataFrame, start: str) -> pl.DataFrame:
    """Return the win rate of the start model against itself: a half on each prompt where another model has one."""
    won = means.filter(pl.col("scorer") == WIN_RATE, pl.col("model") != start).unique("prompt_id", maintain_order=True)
    half = {"model": pl.lit(start), "value": pl.lit(NO_WINNER), "nulls": pl.lit(0, pl.Int64)}
    return won.with_columns(**half).select(means.columns)


def scores(cells: pl.DataFrame, model: str, seeds: list[int], prompts: list[str]) -> np.ndarray:
    """Return a model's scores of one split and scorer as an array [S, N]; nan where there is none."""
    grid = pl.DataFrame({"seed": seeds}).join(pl.DataFrame({"prompt_id": prompts}), how="cross")
    own = cells.filter(pl.col("model") == model).select("seed", "prompt_id", "value")
    held = grid.join(own, on=["seed", "prompt_id"], how="left", maintain_order="left")["value"]
    return held.fill_null(float("nan")).to_numpy().reshape(len(seeds), len(prompts))


def is_bounded(cells: pl.DataFrame) -> bool:
    """Return whether all scores are in 0..1, so that a difference is in -1..1."""
    values = cells["value"].drop_nulls()
    return len(values) > 0 and bool(values.is_between(0, 1).all())
