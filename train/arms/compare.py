"""``compare``: trains all arms on all seeds, evaluates them, and compares them. What is there already is reused."""

from collections.abc import Sequence

from curate.api.run import AnyRecipe, AnyStore, as_progress, as_recipe, as_store
from curate.models.gateway import Gateway
from curate.pipeline.run_record import RunRecord
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import printable
from schemas.progress import Progress
from train.arms.before import base_name, clock_of, lines_before
from train.arms.clock import Clock, Shown
from train.arms.equal import TOLERANCE
from train.arms.expected import LABEL
from train.arms.prepare import Prepared, prepare, yardsticks
from train.arms.result import Comparison
from train.arms.write import write_comparison
from train.evaluating.evaluation import evaluate_recipe
from train.evaluating.prompt_families import families_of
from train.plan import models_of, plan_trainings, trained_models
from train.run import train_recipe

SEEDS = 5


def compare(
    recipe: AnyRecipe,
    store: AnyStore,
    arms: Sequence[str] | str,
    seeds: int = SEEDS,
    *,
    train: str | None = None,
    tolerance: float = TOLERANCE,
    seed_sd: float | None = None,
    lower: Sequence[str] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Train arms alike on several seeds, evaluate them on held-out prompts, and compare them.

    The recipe's own seed is the first one, so that its own trainings count; what is trained or evaluated is reused, and
    a comparison that was interrupted goes on.

    Args:
        recipe: A recipe with a section ``evaluate``, a mapping with its sections, or the path of its file.
        store: The store that holds its datasets, or its folder.
        arms: 1 to 6 datasets or trainings of the recipe, as a list or joined by commas; ``random`` is the control of
            the first one's dataset. A training brings the trainings that it builds on.
        seeds: The number of seeds, 1 to 100.
        train: The training whose options the datasets are trained with; by default that of each dataset.
        tolerance: The share by which the trained tokens of two arms may differ, 0 to 0.5.
        seed_sd: The spread over seeds to assume for the smallest difference that will be seen; by default the one
            measured by an earlier comparison of the recipe, or 0.03.
        lower: Scorers, splits or ``SPLIT/SCORER`` in which a lower score is better.
        progress: Shows how far the comparison is; silent by default.

    Raises:
        UserError: An arm, an option or a row is wrong, a dataset is not built, nothing is held out, there is too little
            disk, or the arms would be trained on unequal tokens.
    """
    recipe, store, progress = as_recipe(recipe), as_store(store, create=False), as_progress(progress)
    names = [one.strip() for one in arms.split(",")] if isinstance(arms, str) else [*arms]
    progress.begin(LABEL)  # counting the tokens of many rows takes a while
    prepared = prepare(recipe, store, [one for one in names if one], seeds, train, tolerance, seed_sd, lower)
    clock = clock_of(prepared)
    for line in lines_before(prepared, store, clock):
        progress.say(printable(f"{LABEL}: {line}"))
    record = RunRecord(prepared.recipe, store, LABEL)
    shown = Shown(record.shown(progress), clock)
    with record, record.gateway(shown) as gateway:
        used: list[Stage] = []
        trainings: dict[int, dict[str, Stage]] = {}
        evaluations: dict[int, Stage] = {}
        for seed in prepared.seeds:
            made, evaluations[seed] = _of_seed(prepared, seed, store, shown, gateway)
            trainings[seed] = {base_name(prepared, name, seed): stage for name, stage in made.items()}
            used += [*made.values(), evaluations[seed]]
            record.use(used)
            record.publish()
            shown.quiet = True
        stage, reused = write_comparison(prepared, store, trainings, evaluations)
        progress.end(LABEL, stage.manifest["result"], reused=reused)
        record.use([*used, stage])
    return Comparison(stage)


def _of_seed(
    prepared: Prepared, seed: int, store: Store, shown: Shown, gateway: Gateway
) -> tuple[dict[str, Stage], Stage]:
    """Train and evaluate all arms on one seed; return the stages of the trainings by name, and of the evaluation."""
    recipe, state, clock = prepared.recipes[seed], prepared.state, shown.clock
    models, names = models_of(state), prepared.names(seed)
    clock.begin()
    stages = train_recipe(recipe, store, state.datasets, models, names, shown, gateway)
    plans = plan_trainings(recipe, store, state.datasets, models, names)
    refs = trained_models(plans, models) | _yardsticks(prepared, store)
    clock.begin()
    families = families_of(state)
    evaluation = evaluate_recipe(recipe, store, state.datasets, refs, shown, gateway=gateway, families=families)
    if prepared.evaluations[seed].stage is None:
        clock.end()
    _say_time(clock, shown)
    return {plan.name: stage for plan, stage in zip(plans, stages, strict=True)}, evaluation


def _yardsticks(prepared: Prepared, store: Store) -> dict:
    """Return the models that score, trained on the recipe's own seed."""
    names, own = yardsticks(prepared.recipe), prepared.recipe.seed
    if not names:
        return {}
    models = models_of(prepared.state)
    plans = plan_trainings(prepared.recipes[own], store, prepared.state.datasets, models, names)
    found = trained_models(plans, models)
    return {name: found[name] for name in names}


def _say_time(clock: Clock, shown: Shown) -> None:
    text = clock.text()
    if clock.total and text:
        shown.say(f"{LABEL}: {clock.done} of {clock.total} trainings and evaluations done, {text}")
