"""How much an arm was trained, as its trainings recorded it: steps, and tokens of the table ``row_losses``."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from curate.storage.stage import Stage


@dataclass(frozen=True)
class Trained:
    """How much an arm was trained on one seed, with the trainings that it builds on.

    Attributes:
        training_id: The id of its last training.
        steps: The optimizer steps.
        tokens: The learnt tokens, of sampled answers too; None where the rows of a batch were not told apart.
    """

    training_id: str
    steps: int
    tokens: int | None


def trained(chain: Sequence[Stage]) -> Trained:
    """Return how much an arm was trained, from the stages of its trainings, the first one first."""
    steps = sum(int(stage.read("trainings", ["steps"])["steps"][0] or 0) for stage in chain)
    tokens = [_tokens(stage) for stage in chain]
    known = [one for one in tokens if one is not None]
    return Trained(chain[-1].stage_id, steps, sum(known) if len(known) == len(tokens) else None)


def seconds_of(stage: Stage) -> float | None:
    """Return how long a training took; None where that is not known."""
    return stage.read("trainings", ["seconds"])["seconds"][0]


def _tokens(stage: Stage) -> int | None:
    """Return the tokens that a training learnt; of online RL those of the answers that it sampled."""
    for table, key in (("row_losses", None), ("rollouts", ["step", "row_id", "sample_index"])):
        if not stage.rows(table):
            continue
        rows = stage.read(table)
        if "tokens" not in rows.columns:  # of an earlier version
            continue
        rows = rows.filter(pl.col("phase").fill_null("train") == "train")
        rows = rows if key is None else rows.unique(key)  # an answer has a row for each reward
        if rows.height and not rows["tokens"].has_nulls():
            return int(rows["tokens"].sum())
    return None
