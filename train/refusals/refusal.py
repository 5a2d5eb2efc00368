"""``Refusal``: why a training is not done, and how a recipe takes that back."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.errors import UserError


class Refusal(NamedTuple):
    """Why a training is not done.

    Attributes:
        name: The name by which ``allow`` takes it back; empty where nothing does.
        text: What was found, with row ids and counts.
        remedy: What to set or to change, in the imperative.
    """

    name: str
    text: str
    remedy: str


def settle(found: Iterable[Refusal | str], allowed: Sequence[str], name: str, where: str) -> list[str]:
    """Return what was found and is allowed, as warnings.

    Args:
        found: Refusals, and warnings; they are looked for one by one, so that none is looked for after the first
            refusal that counts.
        allowed: The names of those that the training takes back.
        name: The training's name.
        where: Its place in the recipe, for the error.

    Raises:
        UserError: Something was found that is not allowed.
    """
    warnings = []
    for one in found:
        if isinstance(one, str):
            warnings.append(one)
            continue
        if one.name not in allowed:
            take_back = f"; or train all the same: allow: [{one.name}] in train.{name}" if one.name else ""
            raise UserError(f"{where}: train.{name}: {one.text}; {one.remedy}{take_back}")
        warnings.append(f"{one.text} (allow: [{one.name}])")
    return warnings
