"""What a trainer is given, and what it gives back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.models.model_ref import ModelRef
from curate.models.scorer_requests import ScorerRequests
from schemas.progress import Progress
from schemas.rows import ROLLOUTS, ROW_LOSSES

if TYPE_CHECKING:
    from train.rewards import Judge

KINDS = {"VARCHAR": pl.String, "BIGINT": pl.Int64, "DOUBLE": pl.Float64}


def no_rows(columns: dict[str, str]) -> pl.DataFrame:
    """An empty table with a contract's columns, without the training's id, which the record adds."""
    return pl.DataFrame(schema={name: KINDS[kind] for name, kind in columns.items() if name != "training_id"})


@dataclass(frozen=True)
class Job:
    """One training. ``rows`` are the train split of a dataset's table, ``eval_rows`` its first other split.

    ``settings`` are TRL's own options as the recipe gives them; ``lora`` is None for full weights, else options of
    PEFT's ``LoraConfig``; ``rewards`` are scorers by name, and ``edge`` gets them what they want of a model; ``work``
    holds the checkpoints.
    """

    name: str
    trainer: str
    ref: ModelRef
    rows: pl.DataFrame
    eval_rows: pl.DataFrame
    settings: dict[str, Any]
    lora: dict[str, Any] | None
    rewards: "dict[str, Judge]"
    seed: int
    work: Path
    progress: Progress
    edge: ScorerRequests | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a training, next to the weights it saved.

    ``row_losses`` and ``rollouts`` have the contract's columns (``schemas.rows``) but for the training's id;
    ``fates`` has, for every row of the train split, ``row_id`` and ``fate``: 'trained', or why it was left out.
    """

    steps: int
    metrics: dict[str, Any]
    fates: pl.DataFrame
    row_losses: pl.DataFrame = field(default_factory=lambda: no_rows(ROW_LOSSES))
    rollouts: pl.DataFrame = field(default_factory=lambda: no_rows(ROLLOUTS))
