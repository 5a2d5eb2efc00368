"""The part of a training's id that the recipe decides: its trainer, its options, what it leaves out, the seed."""

import importlib.metadata
from typing import Any

from curate.models.model_ref import ModelRef
from curate.steps.code_hash import code_hash
from schemas.recipe import Recipe, Training
from train.answer_scorers import AnswerScorer
from train.finding.dotted_trainer import is_dotted
from train.launch.accelerate_config import accelerate_config
from train.launch.machines import placeless
from train.options.best_model import effective_settings
from train.options.options import lora_options
from train.options.reporting import REPORTING
from train.refusals.unaccepted_truths import NAME as UNACCEPTED_TRUTHS
from train.refusals.unaccepted_truths import unaccepted_truths


def key_of_choices(
    recipe: Recipe, training: Training, rewards: dict[str, AnswerScorer], teacher: ModelRef | None
) -> dict[str, Any]:
    """Return what the result of a training depends on, of what the recipe says about it.

    What some trainings only have is left out where a training does not have it.
    """
    some = {
        "early_stopping": training.early_stopping and training.early_stopping.model_dump(),
        "quantize": training.quantize,
        "merge": training.merge or None,
        "launch": placeless(accelerate_config(recipe, training, "train")),  # what a file says, not its name
        "truths": _truths(training) if rewards else None,
        "unshown": training.unshown if training.unshown != "refuse" else None,
        "trl": importlib.metadata.version("trl") if is_dotted(training.trainer) else None,  # its code is TRL's
        "teacher": teacher.identity if teacher else None,
        "limit": recipe.limit,
    }
    return {
        "trainer": training.trainer,
        "settings": {name: v for name, v in effective_settings(training).items() if name not in REPORTING},
        "lora": lora_options(training),
        "seed": recipe.seed,
    } | {key: value for key, value in some.items() if value is not None}


def _truths(training: Training) -> str:
    """Return what decides which rows are left out because their ground truth is not accepted."""
    is_allowed = UNACCEPTED_TRUTHS in training.allow
    return UNACCEPTED_TRUTHS if is_allowed else code_hash(unaccepted_truths)
