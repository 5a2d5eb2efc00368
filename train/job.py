"""The input of a trainer (``TrainingJob``) and its result (``Outcome``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.models.model_ref import ModelRef
from curate.pipeline.scorer import Answer, no_model_calls
from schemas.progress import Progress
from schemas.recipe import EarlyStopping
from schemas.rows import ROLLOUTS, ROW_LOSSES
from train.tables import empty_table

if TYPE_CHECKING:
    from train.answer_scorers import AnswerScorer


@dataclass(frozen=True)
class TrainingJob:
    """One training, as a trainer gets it.

    Attributes:
        name: The training's name in the recipe.
        trainer: The trainer's name, such as ``sft``.
        ref: The model to start from.
        rows: The rows of the dataset's split ``train``.
        eval_rows: The rows of the first other split; empty if there is none.
        settings: TRL's own options, with those that keeping the best model needs (``train.options.best_model``).
        lora: Options of PEFT's ``LoraConfig``, or None to train the full weights.
        rewards: The scorers that reward answers, by name.
        seed: The recipe's seed.
        work_folder: The folder for checkpoints.
        progress: The display to report to.
        answer: Makes the model calls of ``rewards``.
        teacher: The model to learn from, in distillation.
        unshown: What becomes of rows with something that the chat template does not print (``Training.unshown``).
        quantize: The precision of the frozen weights under LoRA: '4bit', '8bit' or None.
        early_stopping: When the training ends early, or None for not.
    """

    name: str
    trainer: str
    ref: ModelRef
    rows: pl.DataFrame
    eval_rows: pl.DataFrame
    settings: dict[str, Any]
    lora: dict[str, Any] | None
    rewards: "dict[str, AnswerScorer]"
    seed: int
    work_folder: Path
    progress: Progress
    answer: Answer = no_model_calls
    teacher: ModelRef | None = None
    unshown: str = "refuse"
    quantize: str | None = None
    early_stopping: EarlyStopping | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of a training, beside the weights that it saved.

    Attributes:
        steps: The number of optimizer steps.
        metrics: The first and last value of each figure that TRL logs, and the whole ``history``.
        fates: For every row of the split ``train`` its ``row_id``, ``fate`` ('trained', or why it was left out) and
            ``cut_tokens`` (how many of its learnt tokens ``max_length`` cuts off; null where that is not known).
        row_losses: ``schemas.rows.ROW_LOSSES`` without the training's id.
        rollouts: ``schemas.rows.ROLLOUTS`` without the training's id.
        learnt: What is learnt of the rows, counted (``train.examples.examples.Examples.counts``).
    """

    steps: int
    metrics: dict[str, Any]
    fates: pl.DataFrame
    row_losses: pl.DataFrame = field(default_factory=lambda: empty_table(ROW_LOSSES))
    rollouts: pl.DataFrame = field(default_factory=lambda: empty_table(ROLLOUTS))
    learnt: Mapping[str, int] = field(default_factory=dict)
