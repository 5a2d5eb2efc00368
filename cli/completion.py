"""The command ``completion``, and what a shell offers for an argument: files of recipes, names of tables."""

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.program import program, with_program
from cli.terminal import say

if TYPE_CHECKING:
    from curate.storage.store import Store

SHELLS = ("bash", "zsh", "fish")
HARMLESS = re.compile(r"[\w.-]+")  # a store may be anybody's: the shell would run $(...) in a column's name
VARIABLE = "_GRISTMILL_COMPLETE"  # set by the shell's script, whose words Typer then completes
USE = {
    "bash": """# eval "$(gristmill completion bash)" completes in this shell, and in ~/.bashrc in all""",
    "zsh": """# eval "$(gristmill completion zsh)" completes in this shell, and in ~/.zshrc, after compinit, in all""",
    "fish": "# gristmill completion fish | source completes in this shell, and in ~/.config/fish/config.fish in all",
}


def completion(
    shell: Annotated[
        str, typer.Argument(metavar="SHELL", help=" | ".join(SHELLS), autocompletion=lambda: list(SHELLS))
    ],
) -> None:
    """Print a script with which a shell completes commands.

    In bash: eval "$(gristmill completion bash)"
    """
    from schemas.errors import unknown

    if shell not in SHELLS:
        raise unknown("shell", shell, SHELLS)
    from typer.completion import get_completion_script

    script = get_completion_script(prog_name="gristmill", complete_var=VARIABLE, shell=shell)
    # A folder that is the only answer may be followed by a file in it, so bash adds no space.
    script = script.replace(
        "    return 0", "    [[ ${#COMPREPLY[@]} == 1 && $COMPREPLY == */ ]] && compopt -o nospace\n    return 0"
    )
    if program() != "gristmill":
        script = script.replace(" gristmill)", f" {shlex.quote(str(Path(program()).absolute()))})")
    say(with_program(USE[shell]))
    say(script)


def complete_if_asked() -> None:
    """Make Typer's completion ready, where a shell asks for it."""
    if VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()


def recipe_files(incomplete: str) -> list[str]:
    """Return the YAML files and the folders whose paths begin like ``incomplete``."""
    folder, start = os.path.split(incomplete)
    try:
        entries = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    named = [entry for entry in entries if entry.name.startswith(start) and (start or not entry.name.startswith("."))]
    kept = [
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in named
        if entry.is_dir() or entry.name.endswith((".yaml", ".yml"))
    ]
    return [os.path.join(folder, name) for name in kept]


def shipped_recipes() -> list[str]:
    """Return the names of the shipped recipes."""
    from cli.shipped_recipes import recipe_names

    return recipe_names()


def table_names() -> list[str]:
    """Return the names of the tables that ``show`` shows."""
    from schemas.rows import HISTORY_TABLES, STAGE_TABLES, VIEWS

    return [*STAGE_TABLES, *HISTORY_TABLES, *VIEWS]


def format_names() -> list[str]:
    """Return the formats that a result can be written in."""
    from cli.results.formats import FORMATS

    return [*FORMATS]


def column_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what a list of columns of the table in the command may go on as; nothing if no store is at hand."""
    from curate.storage.sql_views import connect

    words = [ctx.params.get("table"), *ctx.args]  # Typer takes no argument in where an option's value is missing
    table, store = next((name for name in table_names() if name in words), None), _store(ctx)
    if table is None or store is None:
        return []
    import duckdb

    from schemas.errors import UserError

    try:
        with connect(store, None, f"SELECT * FROM {table}") as con:
            columns = [row[0] for row in con.execute(f"SELECT column_name FROM (DESCRIBE {table})").fetchall()]
    except (UserError, OSError, duckdb.Error):
        return []
    chosen, comma, start = incomplete.rpartition(",")
    offered = columns if chosen else ["all", *columns]
    return [f"{chosen}{comma}{name}" for name in _harmless(offered) if name.startswith(start)]


def recipe_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the recipes that the store has runs of, the latest first."""
    store = _store(ctx)
    names = [run["recipe"] for run in reversed(store.runs())] if store else []
    return [name for name in _harmless(names) if name.startswith(incomplete)]


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of the runs that made datasets, the latest first, and the names of their recipes."""
    store = _store(ctx)
    runs = [run for run in store.runs() if run["command"] == "run"][::-1] if store else []
    names = [run["run_id"] for run in runs] + [run["recipe"] for run in runs]
    return [name for name in _harmless(names) if name.startswith(incomplete)]


def _harmless(names: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if HARMLESS.fullmatch(name)]


def _store(ctx: typer.Context) -> "Store | None":
    """Return the store that a command names, without a word on what is wrong with it; None if there is none."""
    from curate.storage.store import Store
    from schemas.errors import UserError

    try:
        store = Store(ctx.params.get("store") or "store", create=False)
    except (UserError, OSError):
        return None
    store.damaged = lambda _: None
    return store


COMMANDS = (completion,)
