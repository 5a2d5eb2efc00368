"""How much each arm is trained: steps, rows a step and learnt tokens, known before the first step."""

import math
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curate.models.chat.chat import chat_for
from schemas.recipe import Recipe, Training
from train.finding.dotted_trainer import is_dotted
from train.finding.find_trainer import find_trainer
from train.launch.accelerate_config import process_count
from train.options.best_model import effective_settings
from train.plan import PlannedTraining
from train.preview import training_examples
from train.reports.before.planned import planned_steps, sequences_of

SAMPLED = "the answers are sampled"


@dataclass(frozen=True)
class Amount:
    """How much a training trains.

    Attributes:
        steps: The optimizer steps.
        per_step: The sequences of a step: rows, pairs or packed blocks; answers, where they are sampled.
        per_pass: Those of a pass of one process: TRL's per_device_train_batch_size.
        per_epoch: The sequences of an epoch.
        steps_per_epoch: The steps of an epoch.
        tokens_per_epoch: The tokens that are learnt of an epoch; None where they are not known before.
        unknown: Why the tokens are not known; empty where they are.
    """

    steps: int
    per_step: int
    per_pass: int
    per_epoch: int
    steps_per_epoch: int
    tokens_per_epoch: int | None
    unknown: str = ""

    def tokens(self, steps: int | None = None) -> float | None:
        """Return the tokens learnt in some steps (all, by default): of whole epochs exactly, else by their mean."""
        if self.tokens_per_epoch is None:
            return None
        epochs, more = divmod(self.steps if steps is None else steps, self.steps_per_epoch)
        rest = min(more * self.per_step, self.per_epoch)
        return self.tokens_per_epoch * (epochs + rest / max(self.per_epoch, 1))

    def with_pass(self, rows: int) -> "Amount":
        """Return the amount with another number of rows a pass, and as many passes a step."""
        per_step = rows * (self.per_step // self.per_pass)
        return replace(self, per_pass=rows, per_step=per_step, steps_per_epoch=-(-self.per_epoch // per_step))


def amount_of(recipe: Recipe, planned: PlannedTraining) -> Amount:
    """Return how much a training would train. Imports TRL.

    Args:
        recipe: The recipe.
        planned: The training, whose dataset is built.

    Raises:
        UserError: An option or a row is wrong.
    """
    training, where = planned.training, f"{recipe.where('train', planned.name)}: train.{planned.name}"
    processes = process_count(recipe, training, where)
    config = _config(training, recipe.seed, where, processes)
    kind = find_trainer(training.trainer).DATA or recipe.datasets[training.dataset].type
    sequences, tokens, unknown = planned.rows.height, None, ""
    chat = None if is_dotted(training.trainer) else chat_for(planned.ref)
    if chat is not None:
        examples = training_examples(planned.rows, training, kind, chat, where)
        sequences = sequences_of(config, examples)
        packed = getattr(config, "packing", False)
        tokens = examples.counts["all_tokens" if packed else "tokens"]
    if training.rewards or training.teacher or kind == "prompt":
        tokens, unknown = None, SAMPLED
    elif chat is None:
        unknown = "TRL tokenises the rows" if is_dotted(training.trainer) else "the model's tokenizer is not here yet"
    per_epoch = planned_steps(config, sequences, processes)
    steps = config.max_steps if config.max_steps > 0 else math.ceil(config.num_train_epochs * per_epoch)
    per_pass = config.per_device_train_batch_size
    per_step = per_pass * config.gradient_accumulation_steps * processes
    return Amount(steps, per_step, per_pass, sequences, per_epoch, tokens, unknown)


def _config(training: Training, seed: int, where: str, processes: int) -> Any:
    """Return TRL's config of a training."""
    from train.trl_setup import build_config, config_type, for_processes

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as work:
        warnings.simplefilter("ignore")
        config_class = for_processes(config_type(training.trainer), processes)
        return build_config(config_class, effective_settings(training), seed, Path(work), where, training.quantize)
