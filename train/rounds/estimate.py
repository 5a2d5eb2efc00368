"""The requests of a round that is not begun, to a student that is not trained yet."""

from curate.api.run import plan
from curate.storage.store import Store
from schemas.check_rounds import rounds_of
from schemas.recipe import Recipe
from schemas.round_model import Made, RoundModel
from train.plan import first_model, trained_model
from train.rounds.derived import Models, round_recipe
from train.rounds.state import RoundsState

UNTRAINED = Made(name="", training_id="", folder="", adapter=True)  # ``ModelRef.untrained`` holds of its model


def later_requests(state: RoundsState, store: Store | None) -> tuple[int, int]:
    """Return how many requests the round after the next one makes of its own student, and new tokens at most.

    Each later round makes as many. What scorers and steps below it ask is known once its answers are there. Both are 0
    where no such round follows.

    Args:
        state: How far the rounds are.
        store: The store; None if there is none yet.
    """
    if state.ended or len(state.rounds) + 2 > rounds_of(state.recipe).most:
        return 0, 0
    earlier = [*(one.models for one in state.rounds), _untrained(state.next_recipe)]
    found = plan(round_recipe(state.recipe, earlier[: len(state.rounds) + 1]), store, trained=trained_model)
    wanted = [one for one in found.model_requests if one.ref.untrained]
    return sum(one.requests for one in wanted), sum(one.requests * one.max_tokens for one in wanted)


def _untrained(recipe: Recipe) -> Models:
    """Return models that stand for those of a recipe's trainings."""
    bases = {name: recipe.models[first_model(recipe, one)] for name, one in recipe.train.items()}
    return {
        name: RoundModel.model_construct(None, model=one.model, engine=one.engine, trained=(UNTRAINED,), **one.settings)
        for name, one in bases.items()
    }
