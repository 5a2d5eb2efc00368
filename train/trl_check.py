"""Builds each training's config objects of TRL and PEFT before anything is loaded, so that what they refuse is seen.

Importing TRL takes some five seconds: ``check`` and ``train`` do it where a recipe has trainings left to do, and the
quick checks of ``train.options.options`` come first.
"""

import importlib.util
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

from curate.models.chat.chat import chat_for
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.recipe import Recipe, Training
from train.launch.accelerate_config import process_count
from train.lora_check import check_adapter, check_mergeable
from train.options.best_model import effective_settings
from train.options.lora_rules import task_of
from train.options.options import lora_options
from train.plan import first_model


def check_with_trl(recipe: Recipe, names: list[str], models: Mapping[str, ModelRef]) -> None:
    """Build the configs of some trainings; without TRL installed, do nothing.

    Args:
        recipe: The recipe.
        names: The trainings.
        models: The models that the recipe's names stand for, as far as they are known.

    Raises:
        UserError: TRL or PEFT refuses an option (their whole message is shown), no layer of the model has the name of
            a target module, or the device does not run quantised weights.
    """
    if not names or importlib.util.find_spec("trl") is None:
        return
    for name in names:
        training, where = recipe.train[name], f"{recipe.where('train', name)}: train.{name}"
        start = models.get(first_model(recipe, training))
        if start is not None:
            check_tokens(training, start, where)
        check_configs(training, recipe.seed, where, process_count(recipe, training, where))
        if start is not None and training.lora not in (None, False):
            check_mergeable(training, start, where)
            check_adapter(training, start, where)


def check_configs(training: Training, seed: int, where: str, processes: int = 1) -> None:
    """Build the config objects of one training, and what its options name.

    Raises:
        UserError: TRL or PEFT refuses an option, a package is missing, or the device does not run quantised weights.
    """
    from train.options.tried_options import try_options
    from train.trl_setup import build_config, build_lora_config, config_type, for_processes, quantization

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # of what TRL deprecates; what it refuses is an error
        settings, config = effective_settings(training), for_processes(config_type(training.trainer), processes)
        built = build_config(config, settings, seed, Path(folder), where, training.quantize)
        try_options(built, where)
        build_lora_config(lora_options(training), where, task_of(training.trainer))
        quantization(training.quantize, where)


def check_tokens(training: Training, ref: ModelRef, where: str) -> None:
    """Check that the tokens that the options name are in the model's vocabulary, if the model is on this machine.

    Raises:
        UserError: One is not.
    """
    named = {name: training.settings.get(name) for name in ("eos_token", "pad_token")}
    chat = chat_for(ref) if any(named.values()) else None
    for name, token in named.items():
        if chat is not None and token is not None and chat.tokenizer.token_to_id(token) is None:
            raise UserError(f"{where}: {name}: {token!r} is no token of the model {ref.name!r}; remove it")
