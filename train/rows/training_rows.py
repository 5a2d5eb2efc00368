"""The rows that a training uses, and the fate of each row, as the table ``training_rows`` keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from curate.models.chat.chat_template import ChatTemplate
from schemas.errors import UserError
from train.examples.examples import Examples
from train.job import TrainingJob
from train.options.best_model import evaluates as settings_evaluate
from train.row_mentions import FIRST, first_rows
from train.rows.data import check_rows
from train.rows.unshown import check_shown


@dataclass(frozen=True)
class TrainingRows:
    """The checked rows of a training.

    Attributes:
        train: The rows to train on.
        held_out: The rows to evaluate on during the training; empty if the recipe does not ask for it.
        dropped: The rows of the split ``train`` that are left out: ``row_id`` and ``fate`` (the reason).
    """

    train: pl.DataFrame
    held_out: pl.DataFrame
    dropped: pl.DataFrame

    @property
    def row_ids(self) -> list[str]:
        """The row ids by ``row_index``: those to train on, then those to evaluate on."""
        return [*self.train["row_id"], *self.held_out["row_id"]]

    def without(self, dropped: pl.DataFrame) -> "TrainingRows":
        """Return these rows with further ones left out, given as ``row_id`` and ``fate``."""
        train = self.train.join(dropped, on="row_id", how="anti", maintain_order="left")
        return replace(self, train=train, dropped=pl.concat([self.dropped, dropped]))

    def fates(self, reached: set[str] | None, cut: Mapping[str, int] | None = None) -> pl.DataFrame:
        """Return the fate of every row of the split ``train``.

        Args:
            reached: The ids of the rows that were in a batch; None if the batches' rows cannot be told apart, in which
                case all rows count as trained.
            cut: How many learnt tokens ``max_length`` cuts off a row, by row id, of those that lose some; None where
                it is not known, or nothing is cut.

        Returns:
            A table with ``row_id``, ``fate`` ('trained', or why the row was left out) and ``cut_tokens``.
        """
        not_reached = pl.lit(reached is not None) & ~pl.col("row_id").is_in(list(reached or ()))
        fate = pl.when(not_reached).then(pl.lit("not reached before the last step")).otherwise(pl.lit("trained"))
        fates = pl.concat([self.train.select("row_id", fate=fate), self.dropped.select("row_id", "fate")])
        lost = [None if cut is None else cut.get(row_id, 0) for row_id in fates["row_id"]]
        return fates.with_columns(pl.Series("cut_tokens", lost, pl.Int64))


def check_training_rows(job: TrainingJob, dataset_type: str) -> TrainingRows:
    """Check a training's rows and leave out those that teach nothing.

    Raises:
        UserError: A row is not a conversation, no row is left to train on, or there is none to evaluate on.
    """
    dropped = check_rows(job.rows, dataset_type)
    train = job.rows.join(dropped, on="row_id", how="anti", maintain_order="left")
    if train.is_empty():
        raise nothing_left(job, dropped)
    held_out = job.eval_rows if evaluates(job) else job.eval_rows.clear()
    unusable = check_rows(held_out, dataset_type)
    return TrainingRows(train, held_out.join(unusable, on="row_id", how="anti", maintain_order="left"), dropped)


def rows_shown(job: TrainingJob, rows: TrainingRows, dataset_type: str, template: ChatTemplate) -> TrainingRows:
    """Return the rows without those that the recipe leaves out, as the chat template does not print all of them.

    Raises:
        UserError: The recipe does not say what becomes of such rows, or no row is left to train on.
    """
    place = f"train.{job.name}"
    rows = rows.without(check_shown(rows.train, dataset_type, template, job.unshown, place, job.ref.name))
    if rows.train.is_empty():
        raise nothing_left(job, rows.dropped)
    unshown = check_shown(rows.held_out, dataset_type, template, job.unshown, f"{place}, held-out rows", job.ref.name)
    return replace(rows, held_out=rows.held_out.join(unshown, on="row_id", how="anti", maintain_order="left"))


def check_held_out(job: TrainingJob, rows: TrainingRows, examples: Examples) -> None:
    """Say how many rows to evaluate on are left out, and why.

    Raises:
        UserError: All of them are.
    """
    if not examples.dropped:
        return
    ids: dict[str, list[str]] = {}
    for row_id, reason in examples.dropped.items():
        ids.setdefault(reason, []).append(row_id)
    ordered = sorted(ids.items(), key=lambda one: -len(one[1]))
    counts = ", ".join(f"{len(rows):,} x {reason} ({first_rows(rows, len(rows))})" for reason, rows in ordered)
    if not examples.columns:
        raise UserError(f"train.{job.name}: eval_strategy is set, but no held-out row can be used: {counts}")
    left_out = f"{len(examples.dropped):,} of {rows.held_out.height:,} held-out rows are left out"
    job.progress.say(f"train {job.name}: {left_out}: {counts}")


def evaluates(job: TrainingJob) -> bool:
    """Return whether the recipe asks TRL to evaluate during the training.

    Raises:
        UserError: It does, but no rows are held out.
    """
    if not settings_evaluate(job.settings):
        return False
    if job.eval_rows.is_empty():
        raise UserError(
            f"train.{job.name}: eval_strategy is set, but all rows of the dataset are for training; "
            f"add a 'split', such as {{test: 0.1}}"
        )
    return True


def check_one_batch(job: TrainingJob, config: Any, prompts: int) -> None:
    """Raise ``UserError`` where there are fewer prompts than one step takes: TRL would end without a step.

    Args:
        job: The training.
        config: TRL's config.
        prompts: How many prompts there are.
    """
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
    if prompts < batch:
        raise UserError(
            f"train.{job.name}: {prompts:,} prompts are fewer than the {batch:,} of one step "
            f"(per_device_train_batch_size x gradient_accumulation_steps), and TRL leaves out what fills no step; "
            f"set per_device_train_batch_size: {prompts} or less"
        )


def nothing_left(job: TrainingJob, fates: pl.DataFrame) -> UserError:
    """Return the error for a training none of whose rows can be used; ``fates`` has the reason for each row."""
    return UserError(f"train.{job.name}: no row is left to train on: {reasons_of(fates)}")


def reasons_of(fates: pl.DataFrame) -> str:
    """Return why rows are left out (``row_id`` and ``fate``) as text: each reason with its number and first rows."""
    reasons = fates.group_by("fate", maintain_order=True).agg(pl.col("row_id").head(FIRST), pl.len())
    return ", ".join(
        f"{count:,} x {reason} ({first_rows(ids, count)})"
        for reason, ids, count in reasons.sort("len", descending=True, maintain_order=True).iter_rows()
    )
