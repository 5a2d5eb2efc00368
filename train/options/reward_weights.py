"""The weights of a training's rewards, checked: TRL finds a mistake only after the model is loaded."""

import math
from typing import Any

from schemas.errors import UserError


def reward_weights(rewards: list[str], given: Any, where: str) -> dict[str, float]:
    """Return the weight of each reward.

    Args:
        rewards: The rewards' names.
        given: The option ``reward_weights``: a number for each, in their order; None for 1.0 each.
        where: The place in the recipe, for errors.

    Raises:
        UserError: It is no list of finite numbers, one for each reward, or all are 0.
    """
    if given is None:
        return dict.fromkeys(rewards, 1.0)
    expected = f"expected a list of {len(rewards)} numbers, one for each of {', '.join(rewards)}"
    if not isinstance(given, list) or not all(_is_number(one) for one in given):
        raise UserError(f"{where}: reward_weights: {expected}; found {str(given)[:60]}")
    if len(given) != len(rewards):
        raise UserError(f"{where}: reward_weights: {expected}; found {len(given)}: {str(given)[:60]}")
    if not any(given):
        raise UserError(f"{where}: reward_weights: all are 0, so nothing would be learnt; give one reward a weight")
    return dict(zip(rewards, map(float, given), strict=True))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
