"""The commands that prepare and build datasets: demo, init, check, run, steps."""

import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.completion import shipped_recipes
from cli.jobs import TRAIN, check_words, job_list
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
    Strict,
    command_line,
    end_strictly,
    load_only,
    open_store,
    read_recipe,
)
from cli.ray_option import Ray, calls_by_ray
from cli.shipped_recipes import RECIPES, copy_recipe, recipe_list
from cli.terminal import say
from cli.worker import Shards, by_shards
from schemas.counted import the_first
from schemas.errors import Stopped, UserError

if TYPE_CHECKING:
    from curate.api.run_result import RunResult
    from schemas.recipe import Recipe


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="The folder to copy the recipe and its prompts to.")
    ] = Path(),
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Run the demo: from questions to a trained, evaluated model.

    It uses a built-in model and needs no GPU and no model hub. A second run reuses what the first one made.
    """
    from cli.demo import finish_demo, refuse_without_trainers
    from cli.mixed_up import check_store_path

    check_store_path(store)
    refuse_without_trainers()
    started = time.monotonic()
    recipe = folder / "demo.yaml"
    if recipe.is_file() and recipe.read_bytes() != (RECIPES / "demo.yaml").read_bytes():
        say(f"{recipe} is not this version's demo and is used as it is; remove it to get the new one", err=True)
    if not recipe.is_file():
        copy_recipe("demo", folder)
        say(f"wrote {recipe} and the questions that it reads; the store is {store}", err=True)
        say(
            "it takes some five minutes on two cores, and 0.8 GB of disk; if you stop it, run it again to continue",
            err=True,
        )
    _build(read_recipe(recipe, overrides), store, quiet=quiet)
    finish_demo(recipe, store, overrides, started, quiet=quiet)


def init(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A shipped recipe, or 'train'; without it, a list of jobs and recipes.",
            autocompletion=shipped_recipes,
            show_default=False,
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="With 'train': a file (JSONL, JSON, CSV, Parquet ...), a folder, a pattern, a data set on the hub.",
            show_default=False,
        ),
    ] = "",
    folder: Annotated[Path, typer.Option("--folder", help="The folder to write to.")] = Path(),
    listed: Annotated[bool, typer.Option("--list", help="List the jobs and recipes.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there and are others.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="With 'train': the model to train; without it, the built-in one.")
    ] = None,
    trainer: Annotated[
        str | None, typer.Option("--trainer", help="With 'train': sft, dpo, kto or grpo, in place of the usual one.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=KEY", help="With 'train': a key of the rows, as in prompt=question."),
    ] = None,
) -> None:
    """Start a recipe: a shipped one, or for a file of your own.

    'gristmill init NAME' copies a shipped recipe, with the prompts that it reads. 'gristmill init train FILE' looks at
    data, says what can be learnt from them, and writes the recipe that does. 'gristmill init' lists jobs and recipes.
    """
    check_words(name, data, {"--model": model, "--trainer": trainer, "--field": field})
    if listed or not name:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        say(job_list(width))
        say(f"\n{recipe_list(width)}")
        say(f"\nnext: {command_line('init', 'NAME')} copies one, with the files that it reads")
        return
    if name == TRAIN:
        from cli.first_recipe.command import Wanted, init_train

        init_train(Wanted(data, folder, model, trainer, tuple(field or ()), force))
        return
    for file in copy_recipe(name, folder, force=force):
        say(f"wrote {file}")
    if Path(name).exists() and Path(name) != folder:
        say(f"{name}, which is here too, was not read: {command_line('init', TRAIN, name)} is for data")
    say(f"next: {command_line('check', folder / f'{name}.yaml')}")


def check(
    recipe: RecipeFile,
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option("--rows", help="How many training rows to preview.", min=0)] = 2,
    references: Annotated[
        int,
        typer.Option("--references", metavar="N", help="Of how many prompts the references are verified.", min=0),
    ] = 20_000,
    strict: Strict = False,
    limit: Limit = None,
    allow_code: AllowCode = False,
    allow_key: AllowKey = None,
) -> None:
    """Check a recipe, and show what it would run, read and send.

    It shows which stages are cached and which will run, how many requests and tokens are left, what they cost at
    most, and a few training rows as tokens. Each prompt's own reference is run through its verifier (50 programs
    of each source in the sandbox), so that a broken ground truth is found; --references 0 switches it off.
    """
    from cli.check import show_plan
    from cli.mixed_up import check_store_path
    from cli.permission import permit_check
    from curate.storage.store import is_store

    check_store_path(store)
    loaded = load_only(recipe, overrides, limit, allow_key)
    permit_check(loaded, allow_code)
    opened = open_store(store) if is_store(store) else None
    if loaded.rounds is not None:
        from cli.rounds.next_round import check_rounds

        found = check_rounds(loaded, opened, rows, references)
    else:
        found = show_plan(loaded, opened, rows, references)
    if strict:
        end_strictly(found.warnings)


def run(
    recipe: RecipeFile,
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    limit: Limit = None,
    strict: Strict = False,
    allow_code: AllowCode = False,
    allow_key: AllowKey = None,
    ray: Ray = None,
    report: ReportFile = None,
    quiet: Quiet = False,
    shards: Shards = None,
) -> None:
    """Build the recipe's datasets. A finished stage is reused, an interrupted run is resumed."""
    from cli.reporting.command import finish_report
    from cli.reporting.make import check_report
    from cli.sources import show_sources

    if ray and shards:
        raise UserError("--ray and --shards both say who reads and scores; expected one of them")
    check_report(report)
    loaded = read_recipe(recipe, overrides, limit, allow_code=allow_code, allow_key=allow_key)
    try:
        with calls_by_ray(ray):
            result = _build(loaded, store, quiet=quiet, shards=shards)
    except Stopped:
        finish_report(report, store, loaded)  # of what there is: the datasets are made of it too
        raise
    show_sources(result.sources)
    limit, name = result.recipe.limit, result.recipe.run_name
    shown = command_line("show", *([] if name == result.recipe.name else ["--recipe", name]), store=store)
    flag = [] if limit is None else ["--limit", limit]
    if result.waits_for:
        train = command_line("train", recipe, result.waits_for, *flag, store=store)
        again = command_line("run", recipe, *flag, store=store)
        say(f"the other stages wait for the training {result.waits_for!r}; next: {train}   then: {again}")
    else:
        then = _then(result.recipe, recipe, flag, store)
        say(f"store: {store}   next: {shown}" + (f"   or: {then}" if then else ""))
    if limit is not None:
        say(f"a smoke run on {the_first(limit, 'row')} of each source; sql, show and why find it with --recipe {name}")
    finish_report(report, store, result.recipe)
    if strict:
        end_strictly(result.warnings)


def steps(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="generate, score, dedup, select or train: the steps of this kind; the name of a step: its settings.",
        ),
    ] = None,
) -> None:
    """List the steps that a recipe can name, or one's settings."""
    from cli.step_help import step_lines

    say("\n".join(step_lines(name)))


def _then(result: "Recipe", recipe: Path, flag: Sequence[object], store: Path) -> str:
    """Return the command that uses the datasets: a training, or where the recipe has none, an export; or nothing."""
    if result.train:
        return command_line("train", recipe, *flag, store=store)
    named = ["--recipe", result.run_name] if flag else []
    return next((command_line("export", name, "DIR", *named, store=store) for name in result.datasets), "")


def _build(loaded: "Recipe", store: Path, *, quiet: bool = False, shards: int | None = None) -> "RunResult":
    """Build a recipe's datasets, with its progress and its warnings shown."""
    from cli.progress import Bars
    from curate.algorithms.compiled import slow_loops
    from curate.api.run import run as build
    from train.plan import check_training_sections, trained_model

    check_training_sections(loaded)
    opened = open_store(store, create=True)
    slow = slow_loops()
    with Bars(quiet=quiet) as bars, by_shards(opened, shards, bars) if shards else nullcontext():
        if slow:
            bars.say(slow)
        if loaded.rounds is not None:
            from cli.rounds.next_round import next_round

            loaded = next_round(loaded, opened, bars)
        return build(loaded, opened, bars, trained=trained_model)


COMMANDS = (demo, init, check, run, steps)
