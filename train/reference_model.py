"""The model that a training compares with while it trains, in words: its reference, or the teacher of distillation.

It is told before the first step, and kept in the training's record, so that a chain of trainings says of each one what
it was kept close to.
"""

from typing import Any

from curate.models.model_ref import ModelRef
from schemas.recipe import Recipe, Training
from schemas.round_model import RoundModel
from train.finding.class_source import init_parameters
from train.finding.dotted_trainer import DottedTrainer
from train.finding.find_trainer import find_trainer
from train.options.options import default, fields, lora_options

ALWAYS = ("dpo", "kto")  # trainers with a reference whatever their options
BY_BETA = ("grpo", "rloo", "ppo")  # with one where ``beta`` is not 0


def compared_with(recipe: Recipe, training: Training, ref: ModelRef, teacher: ModelRef | None) -> dict[str, str]:
    """Return the models that a training compares with.

    Args:
        recipe: The recipe.
        training: The training's entry in it.
        ref: The model that it starts from.
        teacher: The model that it learns from, in distillation.

    Returns:
        Of ``reference`` and ``teacher`` those that there are, each as the model's name, in brackets the base and the
        trainings on top of it, and how it comes about. Empty for a trainer that compares with no model.
    """
    found = {}
    how = _reference(training)
    if how:
        found["reference"] = how.format(model=model_name(recipe, training.model, ref))
    if teacher is not None and training.teacher is not None:
        found["teacher"] = f"{model_name(recipe, training.teacher, teacher)}, which is not trained"
    return found


def model_name(recipe: Recipe, name: str, ref: ModelRef) -> str:
    """Return a model's name with its base and all trainings on top: ``dpo (smollm2-135m + sft + dpo)``.

    Args:
        recipe: The recipe that names it.
        name: A model or a training of the recipe.
        ref: What the name stands for.
    """
    trained: list[str] = []
    start = name
    while start in recipe.train:
        trained.insert(0, start)
        start = recipe.train[start].model
    base, *later = ref.short_name.split(">")
    entry = recipe.models.get(start)
    earlier = [made.name for made in entry.trained] if isinstance(entry, RoundModel) else []
    adapters = len(later) - len(trained) - len(earlier)  # the recipe's model is an adapter's folder
    elsewhere = [*["an adapter"] * adapters, *earlier]
    return f"{name} ({' + '.join([base, *elsewhere, *trained])})"


def _reference(training: Training) -> str:
    """Return a sentence about a training's reference, with ``{model}`` where its model's name is; or an empty text."""

    def given(option: str) -> Any:
        return training.settings.get(option, default(training.trainer, option))

    trainer = find_trainer(training.trainer, "")
    dotted = isinstance(trainer, DottedTrainer)
    by_beta = training.trainer in BY_BETA or (dotted and {"beta", "num_generations"} <= fields(training.trainer).keys())
    if by_beta and not given("beta"):
        return "none, as beta is 0"
    if not (training.trainer in ALWAYS or by_beta or (dotted and "ref_model" in init_parameters(trainer.trainer))):
        return ""
    start = "{model}, the model it starts from"
    if lora_options(training) is not None:
        quantised = f", its weights in {training.quantize}" if training.quantize else ""
        return f"{start}, with the new adapter switched off{quantised}"
    if given("sync_ref_model"):
        every, share = given("ref_model_sync_steps"), given("ref_model_mixup_alpha")
        return f"at first {start}; every {every} steps it takes {share} of the trained weights (sync_ref_model)"
    if given("precompute_ref_log_probs"):
        return f"{start}, asked before the first step (precompute_ref_log_probs)"
    return f"{start}, as a second copy that is not trained"
