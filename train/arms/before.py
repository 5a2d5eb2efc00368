"""The lines that tell a comparison's work and cost before anything is trained."""

from collections.abc import Sequence

from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.counted import counted
from train.arms.arms import Arm
from train.arms.clock import EVALUATION, Clock
from train.arms.disk import disk_line, expected_size
from train.arms.expected import expected_lines
from train.arms.prepare import Prepared
from train.arms.trained import seconds_of


def clock_of(prepared: Prepared) -> Clock:
    """Return the clock of a comparison's work, which knows the time of what is done already."""
    left, seen = [], set[str]()
    steps = {name: amount.steps for name, amount in prepared.alike.amounts.items()}
    for seed in prepared.seeds:
        for planned in prepared.plans[seed]:
            if planned.stage is None and planned.stage_id not in seen:
                left.append(base_name(prepared, planned.name, seed))
            seen.add(planned.stage_id)
        if prepared.evaluations[seed].stage is None:
            left.append(EVALUATION)
    clock = Clock(left, steps)
    for seed in prepared.seeds:
        for planned in prepared.plans[seed]:
            if planned.stage is not None:
                clock.know(base_name(prepared, planned.name, seed), seconds_of(planned.stage))
    return clock


def base_name(prepared: Prepared, name: str, seed: int) -> str:
    """Return the name in the recipe of the arms that a training has on a seed."""
    return name if seed == prepared.recipe.seed else name.removesuffix(f".seed{seed}")


def lines_before(prepared: Prepared, store: Store, clock: Clock) -> list[str]:
    """Return what a comparison will do, what it takes, and the smallest difference that it will see.

    Args:
        prepared: The comparison.
        store: The store.
        clock: Its clock (``clock_of``).

    Raises:
        UserError: There is too little disk.
    """
    recipe, seeds = prepared.recipe, prepared.seeds
    arms = "; ".join(_arm_text(prepared, arm) for arm in prepared.arms)
    seed_text = f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds ({seeds[0]} to {seeds[-1]})"
    lines = [f"arms from {prepared.start}, on {seed_text}: {arms}", *prepared.alike.changes, *prepared.notes]
    if any(prepared.alike.tokens(arm) is None for arm in prepared.arms):
        why = {one.unknown for arm in prepared.arms for n in arm.chain if (one := prepared.alike.amounts[n]).unknown}
        lines.append(f"the trained tokens are not known before ({', '.join(sorted(why))}); the steps are as many")
    trainings = {one.stage_id: one.stage for seed in seeds for one in prepared.plans[seed]}
    done = sum(stage is not None for stage in trainings.values())
    evaluated = sum(one.stage is not None for one in prepared.evaluations.values())
    prompts = prepared.evaluations[seeds[0]].rows.height
    lines.append(
        f"{counted(len(trainings), 'training')}, {done} of them reused; {counted(len(seeds), 'evaluation')} of "
        f"{len(prepared.arms) + 1} models on {counted(prompts, 'prompt')}, {evaluated} of them reused"
    )
    if len(trainings) > done:
        lines.append(disk_line(_sizes(prepared), store))
    if clock.left_over:
        lines.append(clock.text() or "the time that it takes is said once the first of them is done")
    by = recipe.evaluate.by if recipe.evaluate else []
    fewest = prepared.evaluations[seeds[0]].rows["split"].value_counts()["count"].min()
    return lines + expected_lines(store, recipe.run_name, by, len(seeds), int(str(fewest)), prepared.seed_sd)


def _arm_text(prepared: Prepared, arm: Arm) -> str:
    """Return ``curated (train.sft, dataset sft: 63 steps, 12,340 tokens)``."""
    tokens = prepared.alike.tokens(arm)
    said = counted(prepared.alike.steps(arm), "step") + ("" if tokens is None else f", {tokens:,.0f} tokens")
    chain = " and ".join(f"train.{one}" for one in arm.chain)
    return f"{arm.name} ({chain} on {arm.dataset}: {said}{_on_top(prepared.arms, arm)})"


def _on_top(arms: Sequence[Arm], arm: Arm) -> str:
    bases = [other.name for other in arms if arm.is_on(other)]
    return f", on top of {bases[-1]}" if bases else ""


def _sizes(prepared: Prepared) -> list[int | None]:
    """Return the bytes of each training that is to be done, as far as they are known."""
    every = {one.stage_id: (one, seed) for seed in prepared.seeds for one in prepared.plans[seed]}
    start = next(iter(prepared.evaluations.values())).refs[prepared.start]
    done: dict[str, list[Stage]] = {}
    for one, seed in every.values():
        if one.stage is not None:
            done.setdefault(base_name(prepared, one.name, seed), []).append(one.stage)
    left = [(one, base_name(prepared, one.name, seed)) for one, seed in every.values() if one.stage is None]
    return [expected_size(one.training, start, done.get(name, [])) for one, name in left]
