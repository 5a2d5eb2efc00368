"""Which round is the best by its held-out score, and whether the rounds end."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from schemas.check_rounds import round_scorer, round_split, round_training, rounds_of
from schemas.errors import UserError
from schemas.recipe import Recipe
from train.arms.directions import LOWER, direction
from train.plan import first_model
from train.rounds.derived import model_name


@dataclass(frozen=True)
class Choice:
    """The choice that the held-out scores of some rounds make.

    Attributes:
        best: The best round; 0 is the model that the first round starts from.
        worse: How many rounds there were since that are no better.
        ended: Whether the rounds end.
    """

    best: int
    worse: int
    ended: bool


def choose(scores: Sequence[float | None], patience: int, threshold: float = 0.0, *, lower: bool = False) -> Choice:
    """Return the best round and whether the rounds end, as early stopping does with evaluations.

    Args:
        scores: The mean score of the start model (None where it is not evaluated) and of each round, in order.
        patience: How many rounds in a row may be no better than the best.
        threshold: A round is better if its score is higher by more than this.
        lower: Whether a lower score is the better one.
    """
    sign = -1 if lower else 1
    best, worse = 0, 0
    for number, score in enumerate(scores):
        if number == 0 or score is None:
            continue
        top = scores[best]
        if top is None or sign * score > sign * top + threshold:
            best, worse = number, 0
        else:
            worse += 1
    return Choice(best, worse, worse >= patience)


def round_scores(recipe: Recipe, evaluations: pl.DataFrame, rounds: int) -> list[float | None]:
    """Return the scores that the rounds are chosen by: means over the scored answers to the prompts of the split.

    Args:
        recipe: The recipe, which has the sections ``rounds`` and ``evaluate``.
        evaluations: The rows of the evaluation of all rounds.
        rounds: How many rounds there are.

    Returns:
        The score of the student before the first round (None where it is not evaluated), and of each round.

    Raises:
        UserError: No answer of a round has a score.
    """
    training, scorer, split = round_training(recipe), round_scorer(recipe), round_split(recipe)
    rows = evaluations.filter(pl.col("scorer") == scorer, pl.col("split") == split)
    if rows.is_empty():
        found = ", ".join(sorted(evaluations["split"].unique()))
        raise UserError(
            f"{recipe.where('rounds')}: rounds: no prompt is held out in the split {split!r}, on which the rounds are "
            f"compared (the evaluation has: {found})"
        )
    means = dict(rows.group_by("model").agg(pl.col("value").mean()).iter_rows())
    scores = [means.get(_start(recipe)), *(means.get(model_name(training, one)) for one in range(1, rounds + 1))]
    for number, score in enumerate(scores[1:], 1):
        if score is None:
            raise UserError(
                f"{recipe.where('rounds')}: rounds: round {number} has no score {scorer!r} on the split {split!r}: it "
                f"failed for every answer, so no round can be chosen; 'gristmill sql' shows the column error of "
                f"evaluations"
            )
    return scores


def choice_of(recipe: Recipe, scores: Sequence[float | None]) -> Choice:
    """Return the choice by a recipe's own patience and threshold."""
    rounds = rounds_of(recipe)
    return choose(scores, rounds.patience, rounds.threshold, lower=lower_is_better(recipe))


def lower_is_better(recipe: Recipe) -> bool:
    """Return whether the scorer that the rounds are chosen by counts faults, so that a lower score is better."""
    scorer = round_scorer(recipe)
    return scorer is not None and direction(recipe, round_split(recipe), scorer) == LOWER


def _start(recipe: Recipe) -> str | None:
    """Return the model that the rounds are to be better than: the one that the training starts from."""
    name = first_model(recipe, recipe.train[round_training(recipe)])
    return name if recipe.evaluate is not None and name in recipe.evaluate.models else None
