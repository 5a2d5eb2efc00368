"""The command that starts a further machine's processes of a training: node."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import say


def node(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The launch file that 'gristmill train' named, in the store's work/.")
    ],
    allow_code: Annotated[
        bool,
        typer.Option("--allow-code", help="Run code that is not gristmill's, such as a trainer of your own."),
    ] = False,
) -> None:
    """Work for a training on several machines, until it ends.

    The store, the models and the folder that 'gristmill train' was started in need the same paths here. It exits with
    the code of the training. Run it only on a file that your own 'gristmill train' wrote.
    """
    from train.launch.node import run_node

    code = run_node(file, say, allow_code=allow_code)
    if code:
        raise typer.Exit(code)


COMMANDS = (node,)
