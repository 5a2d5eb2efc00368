"""Prepares a comparison: finds its arms, makes them alike, and plans all trainings and evaluations of all seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.api.run import built
from curate.models.model_ref import ModelRef
from curate.pipeline.run_state import RunState
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.recipe import Recipe
from schemas.trained_models import datasets_needed, is_reward_model, trainings_named, with_needed
from train.arms.amounts import amount_of
from train.arms.arms import Arm, find_arms
from train.arms.directions import check_lower
from train.arms.equal import TOLERANCE, Alike, check_tolerance, made_alike, other_options
from train.arms.expected import check_seed_sd
from train.arms.seeds import check_seeds, name_of_seed, recipe_of_seed, seeds_of, trainings_of
from train.evaluating.evaluation import PlannedEvaluation, plan_evaluation
from train.evaluating.prompt_families import families_of
from train.plan import PlannedTraining, check_training_sections, models_of, plan_trainings, trained_model
from train.plan import trained_models as with_models


@dataclass(frozen=True)
class Prepared:
    """A comparison as it would be done now.

    Attributes:
        recipe: The recipe of the arms, in which each has a training that is like the others'.
        arms: The arms.
        seeds: The seeds.
        alike: How much each training trains, and what was set to make them alike.
        notes: What else differs between the arms, a line each.
        start: The name of the model that all arms start from.
        state: The recipe's datasets and models.
        recipes: The recipe of each seed.
        plans: The trainings of each seed, in order.
        evaluations: The evaluation of each seed.
        tolerance: The share by which trained tokens may differ.
        seed_sd: The spread over seeds that the user assumes; None for none.
        lower: Splits, scorers or ``SPLIT/SCORER`` in which the user says that lower is better.
    """

    recipe: Recipe
    arms: Sequence[Arm]
    seeds: Sequence[int]
    alike: Alike
    notes: Sequence[str]
    start: str
    state: RunState
    recipes: dict[int, Recipe]
    plans: dict[int, list[PlannedTraining]]
    evaluations: dict[int, PlannedEvaluation]
    tolerance: float
    seed_sd: float | None
    lower: Sequence[str]

    @property
    def start_shown(self) -> str:
        """The start model as the tables call it: by its name, where no arm has it."""
        return self.start if self.start not in [arm.name for arm in self.arms] else f"{self.start} (start)"

    def name(self, training: str, seed: int) -> str:
        """Return the name of a training of the arms on a seed."""
        return name_of_seed(self.recipe, training, seed)

    def names(self, seed: int) -> list[str]:
        """Return the names of a seed's trainings; with the recipe's own seed those that its scorers need, too."""
        names = [self.name(one, seed) for one in trainings_of(self.recipe, self.arms)]
        return [*names, *(yardsticks(self.recipe) if seed == self.recipe.seed else [])]


def prepare(
    recipe: Recipe,
    store: Store,
    names: Sequence[str],
    seeds: int,
    template: str | None = None,
    tolerance: float = TOLERANCE,
    seed_sd: float | None = None,
    lower: Sequence[str] = (),
) -> Prepared:
    """Check a comparison and find what of it is done. Imports TRL.

    Args:
        recipe: The recipe.
        store: The store that holds its datasets.
        names: The arms, as ``train.arms.arms.find_arms`` takes them.
        seeds: The number of seeds.
        template: The training whose options the datasets are trained with, or None.
        tolerance: The share by which the trained tokens of two arms may differ.
        seed_sd: The spread over seeds to assume, or None.
        lower: Splits, scorers or ``SPLIT/SCORER`` in which lower is better.

    Raises:
        UserError: An arm, an option or a row is wrong, a dataset is not built, nothing is held out, or the arms would
            be trained on unequal tokens.
    """
    check_tolerance(tolerance)
    check_seed_sd(seed_sd)
    if recipe.evaluate is None:
        raise UserError(
            f"{recipe.path}: has no section 'evaluate', which says on what the arms are compared; add one, such as "
            f"evaluate: {{models: [...], dataset: NAME, by: [SCORER]}}"
        )
    chosen = seeds_of(recipe, seeds)
    whole, arms = find_arms(recipe, names, template)
    check_seeds(whole, arms)
    check_training_sections(whole)
    wanted = [*trainings_of(whole, arms), *yardsticks(whole)]
    state = _built(recipe, whole, store, wanted)
    models = models_of(state)

    def count(changed: Recipe, name: str) -> Any:
        plans = plan_trainings(changed, store, state.datasets, models, [name])
        return amount_of(changed, plans[-1])

    alike = made_alike(whole, arms, count, tolerance)
    notes, whole = [*other_options(alike.recipe, arms), *_early(alike.recipe, arms)], alike.recipe
    if recipe.evaluate.benchmark is not None:
        notes.append(f"benchmarks are no part of it; 'gristmill evaluate {recipe.argument}' runs them")
    recipes = {seed: recipe_of_seed(whole, arms, seed) for seed in chosen}
    start = whole.train[arms[0].chain[0]].model
    found = Prepared(whole, arms, chosen, alike, notes, start, state, recipes, {}, {}, tolerance, seed_sd, lower)
    _plan_seeds(found, store)
    splits = found.evaluations[chosen[0]].rows["split"].unique(maintain_order=True).to_list()
    check_lower(lower, splits, recipe.evaluate.by)
    return found


def _plan_seeds(found: Prepared, store: Store) -> None:
    """Plan the trainings and the evaluation of each seed; the models that score are those of the first one."""
    models, datasets = models_of(found.state), found.state.datasets
    own: dict[str, ModelRef] = {}
    for seed, recipe in found.recipes.items():
        plans = plan_trainings(recipe, store, datasets, models, found.names(seed))
        found.plans[seed] = plans
        planned = {p.name: p.ref.trained(p.name, p.stage_id, store.path, adapter=False) for p in plans}
        planned = with_models(plans, models | planned)
        own = own or {name: planned[name] for name in yardsticks(recipe)}
        found.evaluations[seed] = plan_evaluation(
            recipe, store, datasets, planned | own, families=families_of(found.state)
        )


def yardsticks(recipe: Recipe) -> list[str]:
    """Return the trainings that the scorers of ``evaluate`` ask, and all that these need: those of one seed serve all.

    A score is comparable only where the model that gives it is the same.
    """
    steps = {step.name: step for step in recipe.completions if step.verb == "score"}
    named: list[str] = []
    for scorer in recipe.evaluate.by if recipe.evaluate else ():
        named += trainings_named(recipe, steps[scorer]) if scorer in steps else []
        named += [scorer] if scorer not in steps and is_reward_model(recipe, scorer) else []
    return with_needed(recipe, named)


def _early(recipe: Recipe, arms: Sequence[Arm]) -> list[str]:
    """Return a line for each training that may end early, so that its steps and tokens are not known before."""
    return [
        f"train.{name} has early_stopping, so that arms may end at different steps; the tokens are checked at the end"
        for name in trainings_of(recipe, arms)
        if recipe.train[name].early_stopping is not None
    ]


def _built(recipe: Recipe, whole: Recipe, store: Store, wanted: list[str]) -> RunState:
    """Return the state of the recipe, whose datasets are built. Raises ``UserError`` where one waits for a training."""
    evaluated = [whole.evaluate.dataset] if whole.evaluate else []
    needed = list(dict.fromkeys([*datasets_needed(whole, wanted), *evaluated]))
    state = built(recipe, store, needed, trained_model)
    for name in needed:
        if name not in state.datasets:
            raise UserError(
                f"{recipe.where('datasets', name)}: the dataset {name!r} is made with the model of "
                f"train.{state.waits_for}; 'gristmill train {recipe.argument} {state.waits_for}' trains that, "
                f"'gristmill run {recipe.argument}' then makes the dataset"
            )
    return state
