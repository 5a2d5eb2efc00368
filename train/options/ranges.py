"""The ranges of numeric options: what TRL and transformers would take without a word, and train on nonsense."""

import math
from typing import Any

from schemas.errors import UserError

AT_LEAST_ONE = (
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "num_iterations",
    "max_completion_length", "generation_batch_size", "steps_per_generation", "ref_model_sync_steps",
)  # fmt: skip
NOT_NEGATIVE = (
    "learning_rate", "weight_decay", "beta", "warmup_steps", "max_grad_norm", "epsilon", "epsilon_high",
    "desirable_weight", "undesirable_weight", "dataloader_num_workers", "neftune_noise_alpha", "adam_epsilon",
)  # fmt: skip
ABOVE_ZERO = ("delta", "sapo_temperature_neg", "sapo_temperature_pos", "off_policy_mask_threshold")
SHARES = ("top_entropy_quantile", "ref_model_mixup_alpha", "label_smoothing", "label_smoothing_factor")
STEPS = ("eval_steps", "save_steps", "logging_steps")  # a number of steps, or below 1 a share of all


def check_ranges(given: dict[str, Any], config: str, where: str) -> None:
    """Check that each option that is a number is in its range.

    Args:
        given: The options by name, TRL's defaults among them.
        config: The name of TRL's config class.
        where: The training's place in the recipe.

    Raises:
        UserError: One is not, or is no finite number.
    """
    for names, least in ((AT_LEAST_ONE, 1), (NOT_NEGATIVE, 0)):
        for name in names:
            _check(given, name, f"from {least}", where, lambda one, least=least: least <= one < math.inf)
    above = (*ABOVE_ZERO, "beta") if config == "DPOConfig" else ABOVE_ZERO
    for name in (*above, *STEPS):
        _check(given, name, "above 0", where, lambda one: 0 < one < math.inf)
    for name in SHARES:
        _check(given, name, "from 0 to 1", where, lambda one: 0 <= one <= 1)
    for name in ("adam_beta1", "adam_beta2"):
        _check(given, name, "from 0 to below 1", where, lambda one: 0 <= one < 1)
    if given.get("temperature") is not None and not 0 < given["temperature"] < math.inf:
        raise UserError(
            f"{where}: temperature: answers are sampled; expected a number above 0, found {given['temperature']}"
        )
    _check_length(given, where)
    _check_clip(given.get("reward_clip_range"), where)


def _check(given: dict[str, Any], name: str, expected: str, where: str, fits: Any) -> None:
    value = given.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and not fits(value):
        raise UserError(f"{where}: {name}: expected a number {expected}, found {value}")


def _check_length(given: dict[str, Any], where: str) -> None:
    """Check how long the training is: ``max_steps`` of -1 leaves it to the epochs."""
    steps = given.get("max_steps", -1)
    if steps != -1 and steps < 1:
        raise UserError(
            f"{where}: max_steps: expected a number from 1, or -1 (num_train_epochs decides), found {steps}"
        )
    epochs = given.get("num_train_epochs", 1)
    if steps < 1 and not 0 < epochs < math.inf:
        raise UserError(f"{where}: num_train_epochs: expected a number above 0, found {epochs}")


def _check_clip(limits: Any, where: str) -> None:
    if isinstance(limits, list) and not limits[0] < limits[1]:
        raise UserError(f"{where}: reward_clip_range: expected [lowest, highest], found {limits}")
