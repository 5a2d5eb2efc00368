"""``gristmill train`` on a recipe with ``rounds``: makes the rounds, and prints their scores and the best model."""

from pathlib import Path

from cli.evaluating.show_evaluation import show_evaluation
from cli.options import open_store
from cli.progress import Bars
from cli.rounds.show_rounds import show_best, show_rounds
from schemas.recipe import Recipe
from train.api import EvaluationResult
from train.rounds.loop import train_rounds


def train_and_show(recipe: Recipe, store: Path, names: list[str] | None, *, quiet: bool = False) -> None:
    """Make the rounds of a recipe that are not done; print their evaluation, a row for each, and the best model."""
    with Bars(quiet=quiet) as bars:
        state = train_rounds(recipe, open_store(store, create=True), names, bars)
    if state.evaluation is not None:
        show_evaluation(EvaluationResult(state.evaluation))
    show_rounds(state)
    show_best(state, store)
