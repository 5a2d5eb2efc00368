"""Commands that build datasets: demo, init, check, run, steps."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import STORE, Overrides, RecipeFile, StoreFolder, open_store, read_recipe

RECIPES = Path(__file__).parent / "recipes"


def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where to put the recipe and its prompts.")] = Path(),
    store: StoreFolder = STORE,
    overrides: Overrides = None,
) -> None:
    """Run the main job on a built-in model: prompts in, datasets and two trained models out."""
    from cli.train import finish_demo

    recipe = folder / "demo.yaml"
    if not recipe.exists():
        copy_recipe("demo", folder)
    _build(recipe, store, overrides)
    finish_demo(recipe, store, overrides)


def init(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A shipped recipe: best_of_k, clean, demo, distill, identity, math, sft."),
    ],
    folder: Annotated[Path, typer.Option("--folder", help="Where to put it.")] = Path(),
) -> None:
    """Copy a shipped recipe, with the prompts it reads, to start from."""
    for file in copy_recipe(name, folder):
        typer.echo(f"wrote {file}")
    typer.echo(f"next: gristmill check {folder / f'{name}.yaml'}")


def check(
    recipe: RecipeFile,
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option("--rows", help="How many training rows to preview.", min=0)] = 2,
) -> None:
    """Validate a recipe and show the plan: what is cached, what will run, what it costs, and how rows are tokenised."""
    from cli.check import show_plan

    loaded = read_recipe(recipe, overrides)
    show_plan(loaded, open_store(store) if (store / "store.json").exists() else None, rows)


def run(recipe: RecipeFile, store: StoreFolder = STORE, overrides: Overrides = None) -> None:
    """Build the recipe's datasets. What was made before is reused; what was cut short goes on."""
    _build(recipe, store, overrides)
    typer.echo(f"store: {store}   next: gristmill show   or: gristmill train {recipe}")


def steps(
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", help="generate, score, dedup, select, train.")] = None,
) -> None:
    """List the steps a recipe can name, with their first line."""
    from curate.steps.registry import FUNCTIONS, step_names, step_summary
    from schemas.errors import unknown
    from train import find_trainer as trainers

    kinds = [*FUNCTIONS, "train"]
    if kind is not None and kind not in kinds:
        raise unknown("kind of step", kind, kinds)
    for one in [kind] if kind else kinds:
        typer.echo(f"{one}:")
        for name in trainers.names() if one == "train" else step_names(one):
            typer.echo(f"  {name:<18} {trainers.summary(name) if one == 'train' else step_summary(one, name)}")


def copy_recipe(name: str, folder: Path) -> list[Path]:
    """Copy a shipped recipe and the files its sources name into ``folder``; refuses to overwrite what differs."""
    from schemas.errors import UserError, unknown
    from schemas.load_recipe import load_recipe

    shipped = RECIPES / f"{name}.yaml"
    if not shipped.exists():
        raise unknown("shipped recipe", name, [p.stem for p in RECIPES.glob("*.yaml")])
    paths = [str(step.settings["path"]) for step in load_recipe(shipped).prompts if step.verb == "source"]
    names = [shipped.name, *(p for p in paths if (RECIPES / p).is_file())]
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; --folder takes a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file in names:
        target = folder / file
        if target.exists() and target.read_bytes() != (RECIPES / file).read_bytes():
            raise UserError(f"{target} exists and differs from the shipped one; remove it, or name another --folder")
    for file in names:
        (folder / file).write_bytes((RECIPES / file).read_bytes())
    return [folder / file for file in names]


def _build(recipe: Path, store: Path, overrides: list[str] | None) -> None:
    from cli.progress import Bars
    from curate.run import run as build
    from train.run import check_learning

    loaded = read_recipe(recipe, overrides)
    check_learning(loaded)
    with Bars() as bars:
        build(loaded, open_store(store, create=True), bars)


COMMANDS = (demo, init, check, run, steps)
