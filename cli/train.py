"""The commands that train and evaluate models: train, evaluate."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import STORE, Limit, Overrides, RecipeFile, StoreFolder, open_store, read_recipe

if TYPE_CHECKING:
    import polars as pl


def train(
    recipe: RecipeFile,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME ...]", help="The names of the trainings to run; all by default."),
    ] = None,
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    limit: Limit = None,
) -> None:
    """Train the recipe's models on its datasets. A finished training is reused, an interrupted one is resumed."""
    from cli.progress import Bars
    from train.api import train

    loaded, opened = read_recipe(recipe, overrides, limit), open_store(store)
    with Bars() as bars:
        models = train(loaded, opened, names, bars)
    for name, model in models.items():
        typer.echo(f"{name}: {model.path}")
        if model.curves is not None:
            typer.echo(f"{name}, its curves: {model.curves}")


def evaluate(recipe: RecipeFile, store: StoreFolder = STORE, overrides: Overrides = None, limit: Limit = None) -> None:
    """Compare the base and the trained models on held-out prompts.

    The same scorers score the answers of every model. A finished evaluation is reused.
    """
    from cli.progress import Bars
    from train.api import evaluate

    loaded, opened = read_recipe(recipe, overrides, limit), open_store(store)
    with Bars() as bars:
        result = evaluate(loaded, opened, bars)
    show_comparison(result.comparison)


def show_comparison(comparison: "pl.DataFrame") -> None:
    """Print the table that compares an evaluation's models (``train.compare``)."""
    from cli.tables import console, table

    rows = []
    for row in comparison.iter_rows(named=True):
        change = "" if row["difference"] is None else f"{row['difference']:+.3f}"
        if row["low"] is not None:
            change += f" ({row['low']:+.3f} to {row['high']:+.3f})"
        mean = "-" if row["mean"] is None else f"{row['mean']:.3f}"
        rows.append((row["split"], row["scorer"], row["model"], row["n"], row["nulls"], mean, change))
    columns = ["split", "scorer", "model", "answers", "failed", "mean", f"change to {rows[0][2]} (95% interval)"]
    console().print(table("\nHeld-out prompts, the same scorers for every model", columns, rows))


COMMANDS = (train, evaluate)
