"""The arguments and options that commands share, reading the recipe and opening the store that they name."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.completion import recipe_files, recipe_names
from cli.program import program
from cli.terminal import say

if TYPE_CHECKING:
    from curate.storage.store import Store
    from schemas.progress import StageWarning
    from schemas.recipe import Recipe

RecipeFile = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="The recipe, a YAML file.", autocompletion=recipe_files)
]
StoreFolder = Annotated[
    Path, typer.Option("--store", envvar="GRISTMILL_STORE", help="The folder of the store, which holds all data.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Replace a value of the recipe, as in models.student=smollm2-135m. Repeatable.",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with the code 2 if there are warnings, after the work is done.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress: only warnings and errors, and the result.")]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        help="A smoke run: only the first N rows of each source. It is kept apart from the whole recipe's runs.",
        min=1,
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Run the code that the recipe brings along, and remember that until the code changes.",
    ),
]
AllowKey = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-key",
        metavar="NAME=HOST",
        help="The key in the variable NAME may be sent to HOST, as in MY_KEY=api.example.com. Repeatable.",
    ),
]
Push = Annotated[
    str | None,
    typer.Option("--push", metavar="OWNER/NAME", help="Push the folder to the hub, as you are there."),
]
Private = Annotated[bool, typer.Option("--private", help="What --push makes is private.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier export in DIR.")]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write a report, one HTML file, at the end (gristmill report)."),
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="Only what runs of this recipe made. Runs of demo with --limit 20 have the name demo.limit20.",
        autocompletion=recipe_names,
    ),
]
STORE = Path("store")


def read_recipe(
    path: Path,
    overrides: list[str] | None,
    limit: int | None = None,
    *,
    allow_code: bool = False,
    allow_key: list[str] | None = None,
) -> "Recipe":
    """Read a recipe whose code may run.

    Args:
        path: The file.
        overrides: The values of ``--set``.
        limit: The most rows of each source.
        allow_code: Whether ``--allow-code`` is given.
        allow_key: The values of ``--allow-key``.

    Raises:
        UserError: The recipe is not valid, or has code run that is not allowed.
    """
    from cli.permission import permit

    loaded = load_only(path, overrides, limit, allow_key)
    permit(loaded, allow_code)
    return loaded


def load_only(
    path: Path, overrides: list[str] | None, limit: int | None = None, allow_key: list[str] | None = None
) -> "Recipe":
    """Read a recipe, and name the hosts of ``--allow-key``. Its code is not looked at."""
    from cli.mixed_up import check_recipe_path
    from schemas.load_recipe import load_recipe

    check_recipe_path(path)
    if allow_key:
        from curate.models.key_hosts import name_hosts

        name_hosts(allow_key)
    return load_recipe(path, [*(overrides or []), *([] if limit is None else [f"limit={limit}"])])


def open_store(path: Path, *, create: bool = False, look: bool = False) -> "Store":
    """Open the store; say on stderr what is damaged, and if it waits for another process.

    ``create`` makes it if it is not there; with ``look`` nothing at all is written into it.
    """
    from cli.mixed_up import check_store_path
    from curate.storage.store import Store

    check_store_path(path)
    store = Store(path, create=create, look=look)
    store.waiting = lambda message: say(message, err=True)
    store.damaged = lambda message: say(f"warning: {message}", err=True)
    if not look:
        store.note_killed_runs()
    return store


def end_strictly(warnings: "list[StageWarning]") -> None:
    """Raise ``UserError`` if there are warnings, for ``--strict``."""
    from schemas.errors import UserError

    if warnings:
        count = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
        raise UserError(f"{count} above, and --strict is given; the work itself is done")


def command_line(*arguments: object, store: Path = STORE) -> str:
    """Return the line that runs gristmill with these arguments, to paste into a shell in the current folder.

    Args:
        *arguments: The command and its arguments.
        store: The store; ``--store`` is left out for the default.
    """
    chosen = [] if store == Path(os.environ.get("GRISTMILL_STORE", STORE)) else ["--store", store]
    return " ".join(_quoted(str(part)) for part in (program(), *arguments, *chosen))


def _quoted(text: str) -> str:
    """Return the text as one word for a shell; SQL, which has single quotes, in double quotes."""
    return shlex.quote(text) if "'" not in text or set(text) & set('"$`\\!') else f'"{text}"'
