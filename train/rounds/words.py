"""Rounds in words: what they do, their scores, and why they ended."""

import polars as pl

from schemas.check_rounds import round_scorer, round_split, round_student, round_training, rounds_of
from schemas.recipe import Recipe
from train.plan import first_model
from train.refusals.earlier_trainings import TRAINED
from train.rounds.choice import lower_is_better
from train.rounds.derived import students
from train.rounds.state import RoundsState


def rounds_line(recipe: Recipe) -> str:
    """Return what the rounds of a recipe do, in a line."""
    rounds, training, student = rounds_of(recipe), round_training(recipe), round_student(recipe)
    starts = "that model" if rounds.from_ == "last" else f"{_start(recipe)} again"
    data = "its own answers" if rounds.data == "last" else "the answers of all rounds so far"
    line = (
        f"at most {rounds.most} rounds: from the second on {student} is the model of train.{training} of the round "
        f"before, its trainings start from {starts} and learn from {data}"
    )
    scorer = round_scorer(recipe)
    if scorer is None:
        return f"{line}; without 'evaluate' all {rounds.most} are done, whatever comes of them"
    more = f" by more than {rounds.threshold:g}" if rounds.threshold else ""
    rise = "fall" if lower_is_better(recipe) else "rise"
    times = "once" if rounds.patience == 1 else f"{rounds.patience} times in a row"
    return f"{line}; they end where {scorer} on {round_split(recipe)!r} does not {rise}{more} {times}"


def round_line(state: RoundsState, number: int) -> str:
    """Return what a round came to: its model, its rows, its score."""
    training = round_training(state.recipe)
    stage = state.rounds[number - 1].stage(training)
    line = f"train.{training} {stage.stage_id}, {_rows(state, number)} rows"
    if not state.scores:
        return line
    score, before = state.scores[number], state.scores[:number]
    known = [one for one in before if one is not None]
    best = min if lower_is_better(state.recipe) else max
    change = "" if not known else f" (best before {best(known):.3f})"
    return f"{line}, {round_scorer(state.recipe)} on {round_split(state.recipe)!r} {score:.3f}{change}"


def end_line(state: RoundsState) -> str:
    """Return why the rounds ended, and which model is the best."""
    recipe, count = state.recipe, len(state.rounds)
    rounds = rounds_of(recipe)
    if state.repeats:
        why = (
            f"ended after round {count}: the next round has the rows and the start of round {state.repeats}, and would "
            f"make its model again"
        )
    elif state.choice and state.choice.ended and count < rounds.most:
        times = "the last round is" if rounds.patience == 1 else f"the last {rounds.patience} rounds are"
        why = f"ended after round {count} of at most {rounds.most}: {times} no better than {_named(state, state.best)}"
    else:
        why = f"all {count} rounds are done" if count > 1 else "the round is done"
    if not state.scores:
        return f"{why}; no held-out score says which is the best; the last model: {model_title(state, count)}"
    by = f"{round_scorer(recipe)} on {round_split(recipe)!r}"
    if not state.best:
        return f"{why}; by {by} no round is better than {_start(recipe)} ({_number(state.scores[0])})"
    start = "" if state.scores[0] is None else f"{_number(state.scores[0])} -> "
    best = _number(state.scores[state.best])
    return f"{why}; the best by {by} is round {state.best} ({start}{best}): {model_title(state, state.best)}"


def model_title(state: RoundsState, number: int) -> str:
    """Return the name by which commands find a round's model: ``demo.round2/sft``."""
    return f"{state.rounds[number - 1].recipe.run_name}/{round_training(state.recipe)}"


def rounds_table(state: RoundsState) -> pl.DataFrame:
    """Return a row for the start model (round 0) and for each round.

    Returns:
        ``round``; ``recipe``, the name that the round is recorded under; ``training_id``; ``parent_id``, that of the
        round before; ``answers_of``, the models whose answers it learns from, and ``base``, the one that its training
        starts from (``sft.round1`` is the model of the first round); ``rows`` trained; ``score``, the held-out mean
        that the rounds are chosen by; ``best``.
    """
    rows: list[dict[str, object]] = []
    if state.scores and state.scores[0] is not None:
        rows.append({"round": 0, "base": _start(state.recipe), "score": state.scores[0], "best": not state.best})
    parent = None
    for one in state.rounds:
        training_id = one.stage(round_training(state.recipe)).stage_id
        rows.append(
            {
                "round": one.number,
                "recipe": one.recipe.run_name,
                "training_id": training_id,
                "parent_id": parent,
                "answers_of": ", ".join(students(state.recipe, one.number)),
                "base": _start(one.recipe),
                "rows": _rows(state, one.number),
                "score": state.scores[one.number] if state.scores else None,
                "best": one.number == state.best,
            }
        )
        parent = training_id
    texts = ("recipe", "training_id", "parent_id", "answers_of", "base")
    schema = {"round": pl.Int64, **dict.fromkeys(texts, pl.String), "rows": pl.Int64}
    return pl.DataFrame(rows, schema={**schema, "score": pl.Float64, "best": pl.Boolean})


def _rows(state: RoundsState, number: int) -> int:
    """Return how many rows a round's training learnt."""
    fates = state.rounds[number - 1].stage(round_training(state.recipe)).read("training_rows", ["row_id", "fate"])
    return fates.filter(pl.col("fate") == TRAINED)["row_id"].n_unique()


def _start(recipe: Recipe) -> str:
    """Return the name of the model that the first round starts from."""
    return first_model(recipe, recipe.train[round_training(recipe)])


def _named(state: RoundsState, number: int) -> str:
    return f"round {number}" if number else _start(state.recipe)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
