"""The arguments and options that commands share, reading the recipe and opening the store that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from curate.storage.store import Store
    from schemas.recipe import Recipe

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a YAML file.")]
StoreFolder = Annotated[Path, typer.Option("--store", envvar="GRISTMILL_STORE", help="The folder that holds the data.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the recipe: models.student=smollm2-135m"),
]
STORE = Path("store")


def read_recipe(path: Path, overrides: list[str] | None) -> "Recipe":
    """Read a recipe with its ``--set`` overrides."""
    from schemas.load_recipe import load_recipe

    return load_recipe(path, overrides)


def open_store(path: Path, *, create: bool = False) -> "Store":
    """Open the store; say on stderr if it waits for another process. ``create`` makes it if it is not there."""
    from curate.storage.store import Store

    store = Store(path, create=create)
    store.waiting = lambda message: typer.echo(message, err=True)
    return store
