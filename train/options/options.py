"""Checks a training's options against TRL's and PEFT's config classes, without importing either.

``train.options.config_fields`` reads the options of the version installed from its source files, so ``check`` and
``run`` name a mistyped option at once. ``train.trl_check`` builds the config objects themselves, which takes TRL's
seconds.
"""

import importlib.util
from collections.abc import Mapping
from typing import Any

from schemas.errors import UserError, needs_extra
from schemas.recipe import Training
from train.finding.find_trainer import config_class
from train.options.best_model import check_best_model, effective_settings
from train.options.config_fields import ConfigField, config_fields, lora_config_fields, own_config
from train.options.lora_rules import check_lora, without_usual
from train.options.lora_targets import check_form
from train.options.option_names import unknown_option
from train.options.option_values import check_value
from train.options.trainer_rules import check_late_choice, check_rules

LAUNCH = "how processes share a training is set up by launch: {config: ...}, one of TRL's (fsdp2) or a file"
# Options that gristmill sets, or that would undo what it records, and the reason.
RESERVED = {
    "output_dir": "the store decides where the weights go",
    "resume_from_checkpoint": "an interrupted training resumes by itself",
    "remove_unused_columns": "row ids travel in a column of their own",
    "dataset_kwargs": "gristmill prepares the rows",
    "dataset_text_field": "rows always have a prompt and a completion",
    "model_init_kwargs": "the model is loaded by gristmill; set it up under 'models'",
    "teacher_model_name_or_path": "name the model as 'teacher', beside 'model'",
    "teacher_model_revision": "set it up under 'models', and name it as 'teacher'",
    "teacher_model_init_kwargs": "the teacher is loaded by gristmill; set it up under 'models'",
    "chat_template_kwargs": "prompts are measured without; write them into a template of your own (chat_template)",
    "chat_template_path": "the chat template belongs to the model; give it one under 'models' (chat_template)",
    "save_only_model": "an interrupted training resumes from its checkpoints",
    "push_to_hub": "the store keeps the model; upload the folder that it is in",
    "log_completions_hub_repo": "nothing is uploaded; the store has all answers",
    "hub_token": "a token does not belong in a recipe, and nothing is uploaded",
    "fsdp": LAUNCH,
    "fsdp_config": LAUNCH,
    "parallelism_config": LAUNCH,
    "deepspeed": LAUNCH,
    "ignore_data_skip": "an interrupted training goes on with the rows that it had not reached",
}
PEFT_RESERVED = {
    "task_type": "the trainer decides it",
    "peft_type": "it is always LORA",
    "inference_mode": "this is a training",
    "base_model_name_or_path": "it is the recipe's model",
    "auto_mapping": "PEFT sets it",
    "peft_version": "PEFT sets it",
    "revision": "it is the recipe's model",
    "megatron_config": "Megatron's layers are not trained here",
    "megatron_core": "it names a module that PEFT would import",
}
OWN_KEYS = tuple(Training.model_fields)


def fields(trainer: str) -> dict[str, str]:
    """Return the options of a trainer's TRL config class: name -> type, as written there; empty without TRL."""
    return {name: field.kind for name, field in config_fields(trainer).items()}


def lora_fields() -> dict[str, str]:
    """Return the options of PEFT's ``LoraConfig``: name -> type, as written there; empty without PEFT."""
    return {name: field.kind for name, field in lora_config_fields().items()}


def lora_options(training: Training) -> dict[str, Any] | None:
    """Return the options of the adapter to train, or None for full weights."""
    if isinstance(training.lora, bool):
        return {} if training.lora else None
    return training.lora if training.lora is None else without_usual(training.lora, training.trainer)


def stores_adapter(training: Training) -> bool:
    """Return whether a training's model is stored as an adapter, and not as whole weights."""
    return lora_options(training) is not None and not training.merge


def check(training: Training, where: str, processes: int = 1) -> None:
    """Check a training's options; without TRL installed, check nothing of TRL's.

    Args:
        training: The training's entry in the recipe.
        where: The place in the recipe, for errors.
        processes: How many processes it has.

    Raises:
        UserError: An option does not exist, has the wrong type, or is not for a recipe to set.
    """
    if "learn" in training.settings and training.trainer == "sft":
        raise UserError(
            f"{where}: learn: which turns are learnt is set in the dataset: datasets: {{{training.dataset}: "
            f"{{learn: {training.settings['learn']}}}}}; move it there"
        )
    _check_quantized(training, where)
    if training.merge and lora_options(training) is None:
        raise UserError(
            f"{where}: merge: true merges an adapter into the weights, and there is none; add lora: true, or remove "
            f"merge: a training of full weights stores whole weights anyway"
        )
    known = config_fields(training.trainer)
    if not known:
        return
    config, settings = config_class(training.trainer), effective_settings(training)
    in_lora = {name: f"lora: {{{name}: ...}}" for name in lora_config_fields() if name not in PEFT_RESERVED}
    elsewhere = in_lora | {key: key for key in OWN_KEYS}
    module = "" if own_config(training.trainer).exists() else "trl."
    _check_names(settings, known, RESERVED, f"option of {module}{config} called", where, elsewhere)
    for name, value in settings.items():
        if not check_late_choice(config, name, value, where):
            check_value(name, value, known[name], where)
    defaults = {name: field.default for name, field in known.items()}
    lora = lora_options(training)
    if lora is not None:
        outside = {name: f"{name}, of the training itself" for name in known if name not in RESERVED}
        own = lora_config_fields()
        _check_names(lora, own, PEFT_RESERVED, "option of peft.LoraConfig called", f"{where}: lora", outside)
        for name, value in lora.items():
            check_value(name, value, own[name], f"{where}: lora")
        check_form(lora.get("target_modules"), where)
        reference = _has_reference(training.trainer, defaults | settings)
        check_lora(lora, where, quantize=training.quantize, reference=reference)
    check_best_model(training, where)
    least = min(2, defaults.get("num_generations") or 2)
    check_rules(training, config, defaults | settings, where, least=least, processes=processes)


def default(trainer: str, name: str) -> Any:
    """Return TRL's default for an option if it is a plain value, else None."""
    return config_fields(trainer).get(name, ConfigField("")).default


def _check_names(
    given: Mapping[str, Any],
    known: Mapping[str, ConfigField],
    reserved: dict[str, str],
    what: str,
    where: str,
    elsewhere: dict[str, str],
) -> None:
    for name in given:
        if name in reserved and name in known:
            raise UserError(f"{where}: {name} cannot be set in a recipe: {reserved[name]}; remove it")
        if name not in known:
            raise unknown_option(what, name, [n for n in known if n not in reserved], where, elsewhere)


def _has_reference(trainer: str, settings: Mapping[str, Any]) -> bool:
    """Return whether a trainer compares with the model before training; ``distill`` has a ``beta`` of another kind."""
    return trainer in ("dpo", "kto") or (trainer != "distill" and bool(settings.get("beta")))


def _check_quantized(training: Training, where: str) -> None:
    """Check what ``quantize`` needs; whether the device is supported, ``train.trl_check`` finds."""
    if training.quantize is None:
        return
    if lora_options(training) is None:
        raise UserError(
            f"{where}: quantize: {training.quantize}: quantised weights cannot be trained; add lora: true, which "
            f"trains an adapter over them (QLoRA)"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise needs_extra(f"{where}: quantize: {training.quantize}", "quantize")
