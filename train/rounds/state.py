"""How far the rounds of a recipe are: those that are done, their scores, and the recipe of the one that is next."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from curate.api.run import plan
from curate.models.model_ref import ModelRef
from curate.pipeline.run_state import recipe_model
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.check_rounds import round_training, rounds_of
from schemas.recipe import Recipe
from schemas.trained_models import datasets_needed, with_needed
from train.evaluating.evaluation import PlannedEvaluation, plan_evaluation
from train.plan import PlannedTraining, models_of, plan_trainings, selected, trained_model
from train.rounds.choice import Choice, choice_of, choose, lower_is_better, round_scores
from train.rounds.derived import Models, evaluation_recipe, models_of_round, round_recipe


@dataclass(frozen=True)
class Round:
    """A round whose trainings are done.

    Attributes:
        number: Its number, from 1.
        recipe: Its recipe.
        datasets: The stages of its datasets, by name.
        plans: Its trainings that are done, in the recipe's order.
        models: The models that they made, by name.
    """

    number: int
    recipe: Recipe
    datasets: dict[str, Stage]
    plans: list[PlannedTraining]
    models: Models

    def stage(self, training: str) -> Stage:
        """Return the stage of one of its trainings."""
        found = next((one.stage for one in self.plans if one.name == training), None)
        if found is None:
            raise KeyError(training)
        return found


@dataclass(frozen=True)
class RoundsState:
    """How far the rounds of a recipe are.

    Attributes:
        recipe: The recipe.
        rounds: The rounds whose trainings are done.
        evaluation: The evaluation of these rounds; None where it is not done, or the recipe has none.
        scores: The held-out score of the start model and of each round; empty without an evaluation.
        choice: What the scores say; None without an evaluation.
        repeats: The earlier round whose model the last round would make again, from the same rows; 0 for none.
    """

    recipe: Recipe
    rounds: list[Round] = field(default_factory=list)
    evaluation: Stage | None = None
    scores: list[float | None] = field(default_factory=list)
    choice: Choice | None = None
    repeats: int = 0

    @property
    def evaluated(self) -> bool:
        """Whether nothing is left to evaluate of the rounds that are trained."""
        return self.recipe.evaluate is None or self.evaluation is not None or not self.rounds

    @property
    def ended(self) -> bool:
        """Whether no further round follows."""
        over = self.repeats or len(self.rounds) >= rounds_of(self.recipe).most
        return self.evaluated and bool(over or (self.choice and self.choice.ended))

    @property
    def next_recipe(self) -> Recipe:
        """The recipe of the round that is to be made now; where none is, of the last one."""
        earlier = [one.models for one in self.rounds]
        if self.rounds and (self.ended or not self.evaluated):
            return self.rounds[-1].recipe
        return round_recipe(self.recipe, earlier)

    @property
    def best(self) -> int:
        """The best round by the scores; 0 where none is better than the start model, and the last without scores."""
        return self.choice.best if self.choice else len(self.rounds)

    @property
    def chosen(self) -> Round:
        """The best round; where none is better than the start model, the best of the rounds."""
        number = self.best or choose(self.scores[1:], len(self.scores), lower=lower_is_better(self.recipe)).best + 1
        return self.rounds[number - 1]


def rounds_state(recipe: Recipe, store: Store, names: list[str] | None = None) -> RoundsState:
    """Return how far the rounds of a recipe are in a store. Nothing is made.

    Args:
        recipe: The recipe, which has the section ``rounds``.
        store: The store.
        names: The trainings that a round must have done; None for the one that makes the next student alone.

    Raises:
        UserError: The recipe or its sources are wrong.
    """
    state = RoundsState(recipe)
    while not state.ended and state.evaluated:
        found = finished_round(state.next_recipe, len(state.rounds) + 1, store, names)
        if found is None:
            break
        state = with_round(state, found, store)
    return state


def with_round(state: RoundsState, made: Round, store: Store) -> RoundsState:
    """Return the state with one more round, and with the evaluation of all of them if the store has it."""
    recipe, training = state.recipe, round_training(state.recipe)
    ids = [one.stage(training).stage_id for one in state.rounds]
    stage_id = made.stage(training).stage_id
    if stage_id in ids:
        return RoundsState(recipe, state.rounds, state.evaluation, state.scores, state.choice, ids.index(stage_id) + 1)
    rounds = [*state.rounds, made]
    if recipe.evaluate is None:
        return RoundsState(recipe, rounds)
    evaluation = planned_evaluation(recipe, rounds, store).stage
    return RoundsState(recipe, rounds) if evaluation is None else with_evaluation(recipe, rounds, evaluation)


def with_evaluation(recipe: Recipe, rounds: list[Round], evaluation: Stage) -> RoundsState:
    """Return the state of some rounds with their evaluation."""
    scores = round_scores(recipe, evaluation.read("evaluations"), len(rounds))
    return RoundsState(recipe, rounds, evaluation, scores, choice_of(recipe, scores))


def finished_round(recipe: Recipe, number: int, store: Store, names: list[str] | None) -> Round | None:
    """Return a round if its trainings are done on its datasets as they are now; else None.

    Args:
        recipe: The round's recipe.
        number: Its number.
        store: The store.
        names: The trainings that must be done (those they start from are added); None for the one that makes the next
            student alone. The round has all that are done.
    """
    found = plan(recipe, store, trained=trained_model)
    wanted = selected(recipe, names or [round_training(recipe)])
    if any(name not in found.datasets for name in datasets_needed(recipe, wanted)):
        return None
    if recipe.evaluate is not None and recipe.evaluate.dataset not in found.datasets:
        return None
    there = [
        name for name in recipe.train if {*datasets_needed(recipe, with_needed(recipe, [name]))} <= {*found.datasets}
    ]
    plans = plan_trainings(recipe, store, found.datasets, models_of(found.state), there)
    done = [one for one in plans if one.stage is not None]
    if not {*wanted} <= {one.name for one in done}:
        return None
    return Round(number, recipe, found.datasets, done, models_of_round(recipe, done))


def planned_evaluation(recipe: Recipe, rounds: Sequence[Round], store: Store) -> PlannedEvaluation:
    """Return the plan of the evaluation of all rounds, on the held-out prompts of the first one."""
    wanted, models = evaluated_models(recipe, rounds)
    return plan_evaluation(wanted, store, rounds[0].datasets, models)


def evaluated_models(recipe: Recipe, rounds: Sequence[Round]) -> tuple[Recipe, dict[str, ModelRef]]:
    """Return the recipe that evaluates all rounds, and the models by the names that it has for them.

    Its scorers are those of the recipe: one that asks the student asks the model that it names, and a reward model
    that each round trains is the first round's, so that all rounds are measured by the same.
    """
    wanted = evaluation_recipe(recipe, [one.models for one in rounds])
    models = {name: recipe_model(wanted, name, wanted.where("models", name)) for name in wanted.models}
    first = wanted.model_copy(update={"models": {**wanted.models, **rounds[0].models}})
    return wanted, models | {name: recipe_model(first, name, wanted.where("train", name)) for name in rounds[0].models}
