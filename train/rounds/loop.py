"""Does the rounds of a recipe that are not done yet: each one's datasets, trainings and evaluation, in turn."""

from curate.api.run import built, run
from curate.pipeline.run_record import RunRecord
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.check_rounds import evaluated_splits, round_scorer, round_split, round_training, rounds_of
from schemas.errors import UserError, printable
from schemas.progress import Progress, StageWarning
from schemas.recipe import Recipe
from train.evaluating.evaluation import evaluate_recipe
from train.plan import check_training_sections, models_of, selected, trained_model
from train.reports.card.evaluated import add_to_cards
from train.reports.write_reports import unharmed
from train.rounds.state import (
    Round,
    RoundsState,
    evaluated_models,
    finished_round,
    rounds_state,
    with_evaluation,
    with_round,
)
from train.rounds.words import end_line, round_line, rounds_line
from train.run import train_recipe


def train_rounds(recipe: Recipe, store: Store, names: list[str] | None, progress: Progress) -> RoundsState:
    """Do the rounds of a recipe until the held-out score no longer rises, or there are as many as it says.

    What is in the store is reused, so a killed loop goes on, and so does one with more rounds.

    Args:
        recipe: The recipe, which has the section ``rounds``.
        store: The store; it is locked for one run, training or evaluation at a time.
        names: The trainings that each round does (those they start from are added); None for all.
        progress: The display to report to.

    Returns:
        The rounds, their scores, and which is the best.

    Raises:
        UserError: The recipe, its sources or a row is wrong.
        Stopped: A budget is used up. The budget is that of all rounds together.
    """
    if names and round_training(recipe) not in selected(recipe, names):
        raise UserError(
            f"{recipe.where('rounds')}: rounds: each round needs train.{round_training(recipe)}, whose model is the "
            f"student of the next; name it too"
        )
    check_training_sections(recipe)
    names = selected(recipe, names)
    progress.say(printable(rounds_line(recipe)))
    _warn_of_the_split(recipe, progress)
    state = rounds_state(recipe, store, names)
    for one in state.rounds:
        progress.say(printable(f"round {one.number} is done already: {round_line(state, one.number)}"))
    while not state.ended:
        if state.evaluated:
            number = len(state.rounds) + 1
            progress.say(
                f"round {number} of at most {rounds_of(recipe).most}, recorded as {state.next_recipe.run_name}"
            )
            state = with_round(state, make_round(state.next_recipe, number, store, names, progress), store)
        if not state.evaluated:
            evaluation = evaluate_rounds(recipe, state.rounds, store, progress)
            state = with_evaluation(recipe, state.rounds, evaluation)
        if not state.repeats:
            progress.say(printable(f"round {len(state.rounds)}: {round_line(state, len(state.rounds))}"))
    progress.say(printable(end_line(state)))
    return state


def make_round(recipe: Recipe, number: int, store: Store, names: list[str], progress: Progress) -> Round:
    """Make the datasets of a round and do its trainings.

    Args:
        recipe: The round's recipe.
        number: Its number.
        store: The store.
        names: The trainings to do.
        progress: The display to report to.
    """
    waited = ""
    while waits := run(recipe, store, progress, trained=trained_model).waits_for:
        if waits == waited:
            raise UserError(f"{recipe.where('train', waits)}: train.{waits}: is done, and stages still wait for it")
        _train(recipe, store, [waits], progress)
        waited = waits
    _train(recipe, store, names, progress)
    found = finished_round(recipe, number, store, names)
    if found is None:
        raise UserError(
            f"{recipe.argument}: the rows changed while round {number} was made; run the same command again"
        )
    return found


def evaluate_rounds(recipe: Recipe, rounds: list[Round], store: Store, progress: Progress) -> Stage:
    """Evaluate the models of all rounds side by side, or reuse the result.

    What an earlier evaluation asked is not asked again; each answer is scored by the same scorers.

    Args:
        recipe: The recipe, which has the sections ``rounds`` and ``evaluate``.
        rounds: The rounds that are trained.
        store: The store.
        progress: The display to report to.

    Returns:
        The stage with the table ``evaluations``.

    Raises:
        UserError: No round is trained yet.
        Stopped: A budget is used up.
    """
    if not rounds:
        raise UserError(
            f"{recipe.where('rounds')}: rounds: no round is trained yet; 'gristmill train {recipe.argument}' makes them"
        )
    wanted, models = evaluated_models(recipe, rounds)
    with RunRecord(rounds[-1].recipe, store, "evaluate") as record, record.gateway(progress) as gateway:
        datasets = rounds[0].datasets
        (stage,) = record.use([evaluate_recipe(wanted, store, datasets, models, progress, gateway=gateway)])
        unharmed(lambda: add_to_cards(store, stage), "the evaluation is not in the model cards", "evaluate", progress)
    return stage


def _train(recipe: Recipe, store: Store, names: list[str], progress: Progress) -> None:
    """Do the trainings of a round whose datasets are there, as ``train.api.train`` does those of a recipe."""
    wanted = selected(recipe, names)
    state = built(recipe, store, [recipe.train[name].dataset for name in wanted], trained_model)
    with RunRecord(recipe, store, "train") as record, record.gateway(progress) as gateway:
        record.use(train_recipe(recipe, store, state.datasets, models_of(state), wanted, progress, gateway))


def _warn_of_the_split(recipe: Recipe, progress: Progress) -> None:
    """Warn where the rows that choose the best round are all that is held out."""
    scorer, split = round_scorer(recipe), round_split(recipe)
    if scorer is not None and len(evaluated_splits(recipe)) < 2:
        text = (
            f"the split {split!r} says which round is the best, so the best round's figure on it is too good; hold out "
            f"another split beside it for that, such as split: {{dev: 0.1, test: 0.1}} and rounds: {{split: dev}}"
        )
        progress.warn(StageWarning("rounds", text))
