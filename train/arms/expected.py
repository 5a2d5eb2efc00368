"""The smallest difference that a comparison will see, said before anything is trained."""

from math import sqrt

import polars as pl

from curate.algorithms.statistics.smallest_effect import seed_error, smallest_effect
from curate.storage.store import Store
from schemas.errors import UserError, short_repr
from train.arms.cells import RETENTION
from train.arms.verdicts import LEAST

LABEL = "compare"  # of the stages of comparisons
SEED_SD = 0.03  # assumed, of scores from 0 to 1
CELL_SD = 0.5  # assumed: verdicts from 0 to 1 that differ on a quarter of the prompts


def check_seed_sd(seed_sd: float | None) -> None:
    """Raise ``UserError`` where an assumed spread over seeds is out of range."""
    number = isinstance(seed_sd, int | float) and not isinstance(seed_sd, bool)
    if seed_sd is not None and not (number and 0 < seed_sd < 1e6):
        raise UserError(
            f"--seed-sd: expected the standard deviation over seeds of a difference, above 0, such as {SEED_SD}; found "
            f"{short_repr(seed_sd)}"
        )


def expected_lines(
    store: Store, recipe: str, scorers: list[str], seeds: int, prompts: int, seed_sd: float | None = None
) -> list[str]:
    """Return lines on the smallest difference that some seeds and prompts see, a scorer each.

    Args:
        store: The store, whose earlier comparisons of the recipe have measured the spread over seeds.
        recipe: The recipe's name.
        scorers: The scorers.
        seeds: The seeds of an arm.
        prompts: The held-out prompts of the smallest split.
        seed_sd: The spread over seeds to assume; None for the measured one, or 0.03 where none is.
    """
    if seeds < 2:
        return ["1 seed gives no interval over seeds, so that no difference can be told from chance; --seeds 5 can"]
    measured = {} if seed_sd is not None else measured_sds(store, recipe)
    lines, assumed = [], [one for one in scorers if one not in measured]
    for scorer in scorers:
        if scorer in measured:
            sd, of = measured[scorer]
            least = smallest_effect(sd / sqrt(seeds), seeds - 1)
            lines.append(
                f"{scorer}: {seeds} seeds see a difference of {least:.3g} or more (80% power; the sd over seeds is "
                f"{sd:.2g}, measured on {of} seeds)"
            )
    if assumed:
        sd = SEED_SD if seed_sd is None else seed_sd
        least = smallest_effect(seed_error(seeds, prompts, sd, CELL_SD), seeds - 1)
        lines.append(
            f"{', '.join(assumed)}: {seeds} seeds and {prompts:,} prompts see a difference of {least:.2f} or more of a "
            f"score from 0 to 1 (80% power; assumed, not measured: sd over seeds {sd:g}, verdicts that differ on a "
            f"quarter of the prompts)"
        )
    return lines


def measured_sds(store: Store, recipe: str) -> dict[str, tuple[float, int]]:
    """Return for each scorer the spread over seeds of a recipe's last comparison with 3 seeds or more, and its seeds.

    It is that of the difference of two arms, as the root of the mean square over their pairs and splits.
    """
    stages = sorted(store.stages_labelled(LABEL), key=lambda one: one.order, reverse=True)
    for stage in stages:
        every = stage.read("comparisons").filter(
            pl.col("seeds") >= LEAST, pl.col("recipe") == recipe, pl.col("split") != RETENTION
        )
        each = pl.col("seed").is_not_null()
        starts = every.filter(each, pl.col("versus_training_id").is_null())["versus"].unique()
        rows = every.filter(~each, pl.col("seed_sd") > 0, ~pl.col("versus").is_in(starts.implode()))
        if rows.height:
            means = rows.group_by("scorer").agg(pl.col("seed_sd").pow(2).mean().sqrt(), pl.col("seeds").first())
            return {scorer: (sd, seeds) for scorer, sd, seeds in means.iter_rows()}
    return {}
