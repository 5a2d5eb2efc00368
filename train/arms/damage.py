"""The signs of damage, or of a gamed reward, that the evaluations of a comparison show: one line an arm and sign."""

from collections.abc import Mapping

import polars as pl

from curate.storage.stage import Stage
from schemas.errors import printable
from train.evaluating.behaviour import damage_warnings


def damage_lines(evaluations: Mapping[int, Stage], names: Mapping[int, Mapping[str, str]]) -> list[str]:
    """Return a line for each arm and split with signs of damage, with the warning of the first seed that has one.

    Args:
        evaluations: The stage of each seed's evaluation.
        names: For each seed, what the models of its table are called here.
    """
    parts = []
    for seed, stage in evaluations.items():
        found = damage_warnings(stage).filter(pl.col("model").is_in([*names[seed]]))
        arm = pl.col("model").replace(names[seed])
        parts.append(found.select("split", "warning", arm=arm, seed=pl.lit(seed, pl.Int64)))
    every = pl.concat(parts)
    lines = []
    for (arm, split), rows in every.group_by("arm", "split", maintain_order=True):
        seeds = rows["seed"].n_unique()
        where = f" on {split}" if split else ""
        lines.append(printable(f"{arm}{where}, on {seeds} of {len(evaluations)} seeds: {rows['warning'][0]}"))
    return lines
