"""The commands that train and evaluate models: train, evaluate."""

from typing import Annotated

import typer

from cli.options import (
    STORE,
    AllowCode,
    AllowKey,
    Limit,
    Overrides,
    Quiet,
    RecipeFile,
    ReportFile,
    StoreFolder,
    open_store,
    read_recipe,
)
from cli.terminal import say


def train(
    recipe: RecipeFile,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME ...", help="The names of the trainings to run; all by default."),
    ] = None,
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    limit: Limit = None,
    allow_code: AllowCode = False,
    allow_key: AllowKey = None,
    report: ReportFile = None,
    quiet: Quiet = False,
) -> None:
    """Train the recipe's models on its datasets. A finished training is reused, an interrupted one is resumed.

    Of a recipe with 'rounds' it makes the datasets, trains and evaluates, round after round.
    """
    from cli.progress import Bars
    from cli.reporting.command import finish_report
    from cli.reporting.make import check_report
    from train.api import train

    check_report(report)
    loaded = read_recipe(recipe, overrides, limit, allow_code=allow_code, allow_key=allow_key)
    if loaded.rounds is not None:
        from cli.rounds.train_rounds import train_and_show

        train_and_show(loaded, store, names, quiet=quiet)
        finish_report(report, store, loaded)
        return
    opened = open_store(store)
    with Bars(quiet=quiet) as bars:
        models = train(loaded, opened, names, bars)
    for name, model in models.items():
        say(f"{name}: {model.path}")
        if model.curves is not None:
            say(f"{name}, its curves: {model.curves}")
    finish_report(report, store, loaded)


def evaluate(
    recipe: RecipeFile,
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    limit: Limit = None,
    examples: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Show N answers beside the first model's that got better, and N that got worse; 0 for none.",
        ),
    ] = 1,
    allow_code: AllowCode = False,
    allow_key: AllowKey = None,
    report: ReportFile = None,
    quiet: Quiet = False,
) -> None:
    """Compare the base and the trained models on held-out prompts.

    The same scorers score the answers of every model. A finished evaluation is reused.
    """
    from cli.evaluating.show_evaluation import show_evaluation
    from cli.progress import Bars
    from cli.reporting.command import finish_report
    from cli.reporting.make import check_report
    from train.api import evaluate

    check_report(report)
    loaded = read_recipe(recipe, overrides, limit, allow_code=allow_code, allow_key=allow_key)
    opened = open_store(store)
    with Bars(quiet=quiet) as bars:
        result = evaluate(loaded, opened, bars)
    show_evaluation(result, examples)
    if loaded.rounds is not None:
        from cli.rounds.show_rounds import show_rounds
        from train.rounds.state import rounds_state

        show_rounds(rounds_state(loaded, opened))
    finish_report(report, store, loaded)


COMMANDS = (train, evaluate)
