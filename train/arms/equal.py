"""Arms that are trained alike: as many steps each, and as many learnt tokens; what is not alike is refused.

An arm that goes on from another one has more of both by design; those that go on from as many arms are alike, too. The
steps are those of the first arm. Rows have other lengths in other data, so that as many rows are not as many
tokens: a control with ``match: tokens`` has as many tokens an epoch, in more rows or fewer, and then its step gets more
rows or fewer, so that both the steps and the tokens are as many.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import UserError, short_repr
from schemas.recipe import Recipe
from train.arms.amounts import SAMPLED, Amount
from train.arms.arms import Arm, level

TOLERANCE, MOST = 0.05, 0.5
BATCH = "per_device_train_batch_size"
WIDER = 4  # times the rows of a pass that are tried
Count = Callable[[Recipe, str], Amount]  # of a training of the recipe, by its name


@dataclass(frozen=True)
class Alike:
    """Arms that are trained alike.

    Attributes:
        recipe: The recipe, with the options that make them so.
        amounts: How much each training of the arms trains, by its name.
        changes: What was set, a line each.
    """

    recipe: Recipe
    amounts: Mapping[str, Amount]
    changes: list[str]

    def steps(self, arm: Arm) -> int:
        """Return the steps of an arm and of all that it builds on."""
        return sum(self.amounts[one].steps for one in arm.chain)

    def tokens(self, arm: Arm) -> float | None:
        """Return the learnt tokens of an arm and of all that it builds on; None where they are not known."""
        return _sum([self.amounts[one].tokens() for one in arm.chain])

    def samples(self, arm: Arm) -> bool:
        """Return whether an arm learns answers that it samples, so that its tokens are what comes of it."""
        return any(self.amounts[one].unknown == SAMPLED for one in arm.chain)


def check_tolerance(tolerance: float) -> None:
    """Raise ``UserError`` where the share by which tokens may differ is out of range."""
    good = isinstance(tolerance, int | float) and not isinstance(tolerance, bool) and 0 <= tolerance <= MOST
    if not good:
        raise UserError(
            f"--tolerance: expected a share from 0 to {MOST}, such as {TOLERANCE}, by which the trained tokens of arms "
            f"may differ; found {short_repr(tolerance)}"
        )


def groups(arms: Sequence[Arm]) -> list[list[Arm]]:
    """Return the arms that are to be trained alike, together: those that go on from as many other arms."""
    levels = sorted({level(arms, arm) for arm in arms})
    return [[arm for arm in arms if level(arms, arm) == one] for one in levels]


def made_alike(recipe: Recipe, arms: Sequence[Arm], count: Count, tolerance: float = TOLERANCE) -> Alike:
    """Return the recipe in which all arms have as many steps and tokens, but for those on top of another arm.

    Args:
        recipe: The recipe of the arms.
        arms: The arms.
        count: Counts what a training trains.
        tolerance: The share by which the tokens of two arms may differ, in 0..0.5.

    Raises:
        UserError: The tokens differ by more, or the steps cannot be as many; it says by how much, and what to set.
    """
    check_tolerance(tolerance)
    amounts = {one: count(recipe, one) for one in dict.fromkeys(one for arm in arms for one in arm.chain)}
    held = Alike(recipe, amounts, [])
    for first, *others in groups(arms):
        for arm in others:
            held = _as_first(held, first, arm, count, tolerance)
    return held


def _as_first(held: Alike, first: Arm, arm: Arm, count: Count, tolerance: float) -> Alike:
    """Return the recipe in which an arm has the steps and tokens of the first one of its group."""
    own, steps = held.amounts[arm.training], held.steps(first)
    last = steps - held.steps(arm) + own.steps  # of its own training, beside those that it builds on
    if last < 1:
        raise UserError(_unequal_steps(held, first, arm))
    if own.steps != last:
        change = f"arm {arm.name}: max_steps: {last} (its own were {own.steps}), as the arm {first.name}"
        held = _with(held, arm, {"max_steps": last}, change, count)
    if is_alike(held.tokens(first), held.tokens(arm), tolerance):
        return held
    if (batch := _batch(held, arm, first, tolerance)) is not None:
        change = (
            f"arm {arm.name}: {BATCH}: {batch} (its own was {own.per_pass}), so that {steps} steps have the tokens of "
            f"{first.name}"
        )
        held = _with(held, arm, {BATCH: batch, "max_steps": last}, change, count)
    if not is_alike(held.tokens(first), held.tokens(arm), tolerance):
        raise UserError(_unequal(held, first, arm, tolerance))
    return held


def is_alike(one: float | None, other: float | None, tolerance: float) -> bool:
    """Return whether two counts of tokens differ by no more than a share of the first; true where one is not known."""
    return one is None or other is None or abs(other - one) <= tolerance * max(one, 1)


def difference_text(one: float, other: float) -> str:
    """Return by what share of the first count the second is larger, such as ``+30%``."""
    share = (other - one) / max(one, 1)
    return f"{share:+.1%}" if abs(share) < 0.1 else f"{share:+.0%}"


def other_options(recipe: Recipe, arms: Sequence[Arm]) -> list[str]:
    """Return what beside the data differs between arms that are to be alike: a line for each arm."""
    lines = []
    for first, *others in groups(arms):
        for arm in others:
            ours, theirs = (recipe.train[one.training].model_dump(exclude={"dataset"}) for one in (arm, first))
            keys = [k for k in {**theirs, **ours} if ours.get(k) != theirs.get(k) and k not in ("max_steps", BATCH)]
            if keys:
                said = ", ".join(f"{k}: {short_repr(ours.get(k))}, not {short_repr(theirs.get(k))}" for k in keys)
                lines.append(f"arm {arm.name} differs from {first.name} in more than its data: {said}")
    return lines


def _batch(held: Alike, arm: Arm, first: Arm, tolerance: float) -> int | None:
    """Return the rows of a pass with which an arm learns the first one's tokens in as many steps; None for none.

    It is looked for where the arms have as many tokens an epoch, or are to have them (``match: tokens``).
    """
    theirs, ours = held.amounts[first.training], held.amounts[arm.training]
    meant = any(_matches_tokens(held.recipe, one) for one in (arm, first))
    if not (meant or is_alike(theirs.tokens_per_epoch, ours.tokens_per_epoch, tolerance)):
        return None
    wanted = theirs.tokens() or 0.0
    sizes = range(1, WIDER * ours.per_pass + 1)
    off = {size: abs((ours.with_pass(size).tokens(theirs.steps) or 0.0) - wanted) for size in sizes}
    best = min(off, key=lambda size: (off[size], abs(size - ours.per_pass)))
    return best if off[best] <= tolerance * max(wanted, 1) else None


def _matches_tokens(recipe: Recipe, arm: Arm) -> bool:
    base = recipe.datasets[arm.dataset].control_of
    return base is not None and recipe.datasets[base].match == "tokens"


def _with(held: Alike, arm: Arm, options: dict[str, int], change: str, count: Count) -> Alike:
    """Return the recipe in which an arm's training has other options, with what it then trains."""
    training = held.recipe.train[arm.training].model_copy(update=options)
    recipe = held.recipe.model_copy(update={"train": {**held.recipe.train, arm.training: training}})
    return Alike(recipe, {**held.amounts, arm.training: count(recipe, arm.training)}, [*held.changes, change])


def _unequal_steps(held: Alike, first: Arm, arm: Arm) -> str:
    """Return why two arms cannot have as many steps, and what to set."""
    below = " and ".join(f"train.{one}" for one in arm.chain[:-1])
    return (
        f"{held.recipe.where('train', arm.training)}: unequal steps: {first.name} has {held.steps(first):,} steps in "
        f"all, and {below}, from which {arm.name} goes on, {held.steps(arm) - held.amounts[arm.training].steps:,} "
        f"already; name {arm.chain[-2]} as an arm too: {arm.name} then is on top of it, and may have more"
    )


def _unequal(held: Alike, first: Arm, arm: Arm, tolerance: float) -> str:
    """Return why two arms are not compared, and what to set."""
    one, other, recipe = held.tokens(first) or 0.0, held.tokens(arm) or 0.0, held.recipe
    control = recipe.datasets[arm.dataset].control_of
    of_base = recipe.datasets[control or arm.dataset]
    if control is not None and of_base.match != "tokens":
        place, what = recipe.where("datasets", control, "control"), f"datasets.{control}: set 'match: tokens'"
    elif control is not None:
        place = recipe.where("datasets", control, "match")
        what = f"datasets.{control} has 'match: tokens', but too few rows for it: add prompts"
    else:
        place = recipe.where("datasets", arm.dataset)
        what = f"compare with a control that has as many (datasets.{first.dataset}: 'control: random, match: tokens')"
    return (
        f"{place}: unequal trained tokens: {first.name} learns {one:,.0f} in {held.steps(first):,} steps, {arm.name} "
        f"{other:,.0f} in {held.steps(arm):,} ({difference_text(one, other)}; more than {tolerance:.0%}); {what}, then "
        f"'gristmill run {recipe.argument}'; or set --tolerance"
    )


def _sum(parts: Sequence[float | None]) -> float | None:
    known = [one for one in parts if one is not None]
    return sum(known) if len(known) == len(parts) else None
