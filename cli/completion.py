"""The command ``completion``, and what a shell offers for an argument: files of recipes, names of tables."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli.program import program, with_program
from cli.terminal import say

SHELLS = ("bash", "zsh", "fish")
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


COMMANDS = (completion,)
