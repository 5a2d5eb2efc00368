"""Records every answer that a model samples in online RL, as the table ``rollouts`` keeps it.

``reward_function`` of ``train.rewards`` gives the rewards, and ``RecordedRollouts`` the advantages that TRL computes of
them, at no extra pass. Importing this module does not import torch.
"""

from typing import TYPE_CHECKING, Any

import polars as pl

from schemas.rows import ROLLOUTS
from train.tables import empty_table

if TYPE_CHECKING:

    class TRLTrainer:
        """The parts of TRL's trainers for online RL that are used here."""

        model: Any
        state: Any

        def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]: ...
else:
    TRLTrainer = object


class Rollouts:
    """Records the answers that a model samples and the value that each reward gives them."""

    def __init__(self, rows: pl.DataFrame) -> None:
        """Start with no answers; ``rows`` are the prompts' rows, in the order of the dataset's ``row_index``."""
        self.rows = rows
        self.batches: list[pl.DataFrame] = []
        self.open: list[pl.DataFrame] = []  # a frame a reward, of the answers whose advantages are not known yet

    def add(self, step: int, answers: pl.DataFrame, reward: str, scored: pl.DataFrame) -> None:
        """Record a batch of answers with the values that one reward gave them.

        Args:
            step: The training step, from 1 up.
            answers: A table with ``row_id`` and ``response``.
            reward: The reward's name.
            scored: A row for each answer with ``value`` and ``error``.
        """
        columns = empty_table(ROLLOUTS).schema
        batch = answers.select("row_id", "response").with_columns(scored["value"], scored["error"])
        batch = batch.with_columns(
            step=pl.lit(step),
            reward=pl.lit(reward),
            sample_index=pl.lit(None),
            prompt_id=pl.lit(None),
            advantage=pl.lit(None),
        )
        self.open.append(batch.select(pl.col(name).cast(kind) for name, kind in columns.items()))

    def end_batch(self, advantages: list[float]) -> None:
        """Add the advantages of the answers that were recorded since the last call."""
        values = pl.Series("advantage", advantages, pl.Float64)
        self.batches += [batch.with_columns(values) for batch in self.open]
        self.open = []

    def recorded(self) -> pl.DataFrame:
        """Return all rows recorded so far: ``schemas.rows.ROLLOUTS`` without the training's id."""
        columns = empty_table(ROLLOUTS)
        nth = pl.int_range(pl.len()).over("step", "row_id", "reward")  # which of its row's answers at its step
        return pl.concat([columns, *self.batches, *self.open]).with_columns(sample_index=nth).cast(dict(columns.schema))

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from the rows that an interrupted training recorded."""
        self.batches = [rows]


class RecordedRollouts(TRLTrainer):
    """A mixin that records the advantages of a TRL trainer: ``class Recorded(RecordedRollouts, GRPOTrainer)``.

    It relies on one method of TRL's trainers, which ``tests/train/test_trl_contract.py`` checks:
    ``_generate_and_score_completions`` returns the ``advantages`` of its batch's answers in their order.
    """

    rollouts: Rollouts

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        advantages = output["advantages"]
        if advantages.dim() > 1:  # one for each token
            mask = output["completion_mask"]
            advantages = (advantages * mask).sum(1) / mask.sum(1).clamp(min=1)
        self.rollouts.end_batch(advantages.tolist())
        return output
