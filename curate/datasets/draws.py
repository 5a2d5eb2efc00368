"""Draws a number of rows of each group, or rows up to a number of tokens, by a random number for each row."""

import numpy as np
import polars as pl

from curate.datasets.candidate_table import Candidates


def rank_in_group(group: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return the rank of each row in its group, by its draw: 0 for the least."""
    order = np.lexsort((draws, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1)) if len(order) else order
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return rank


def take_to_goal(
    split: pl.Series, rank: np.ndarray, draws: np.ndarray, tokens: np.ndarray, goal: dict[str, float]
) -> np.ndarray:
    """Take rows of each split, by rank and then by draw, until their tokens are as near to the goal as they come."""
    kept = np.zeros(len(draws), bool)
    for name, wanted in goal.items():
        rows = np.flatnonzero((split == name).to_numpy())
        rows = rows[np.lexsort((draws[rows], rank[rows]))]
        sums = np.concatenate(([0.0], np.cumsum(tokens[rows])))
        kept[rows[: int(np.argmin(np.abs(sums - wanted)))]] = True
    return kept


def sum_by_split(base: pl.DataFrame, tokens: np.ndarray) -> dict[str, float]:
    """Return the tokens of each split's rows, given as a dataset's rows and their counts."""
    counted = base.select("split").with_columns(tokens=pl.Series(tokens, dtype=pl.Float64))
    return dict(counted.group_by("split").agg(pl.col("tokens").sum()).sort("split").rows())


def row_numbers(candidates: Candidates, ids: pl.Series) -> np.ndarray:
    """Return the numbers of candidates that are given by their ids."""
    found = candidates.frame.select("completion_id", "__row")
    return (
        ids.rename("completion_id")
        .to_frame()
        .join(found, on="completion_id", how="left", maintain_order="left")["__row"]
        .to_numpy()
    )


def rows_of_prompts(candidates: Candidates, base: pl.DataFrame) -> np.ndarray:
    """Return for every prompt, by number, how many rows it has in the dataset."""
    numbers = candidates.prompts.ids.to_frame().with_row_index("number")
    found = base.select("prompt_id").join(numbers, on="prompt_id", how="left", maintain_order="left")["number"]
    rows = np.zeros(candidates.prompts.height, np.int64)
    np.add.at(rows, found.to_numpy(), 1)
    return rows


def counts_of_splits(base: pl.DataFrame, split: pl.Series) -> np.ndarray:
    """Return for each row's split how many rows the dataset has of it."""
    counts = dict(base["split"].value_counts().rows())
    return split.replace_strict(counts, default=0, return_dtype=pl.Int64).to_numpy()


def codes(names: pl.Series) -> np.ndarray:
    """Return a number for each name, the same for equal ones."""
    return names.rank("dense").cast(pl.Int64).to_numpy()
