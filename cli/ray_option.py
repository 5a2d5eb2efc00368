"""The option ``--ray [ADDRESS]``: Ray makes the calls that are spread, where it is given."""

from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cli.terminal import say
from schemas.errors import UserError, printable

HERE = "here"  # what is read where no address follows the option
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        help="Let Ray read sources, find near-duplicates and score: on this machine, or on the cluster 'auto' or "
        "HOST:PORT.",
    ),
]


class WithRay(TyperCommand):
    """A command whose ``--ray`` may stand without a value, which Typer has no words for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            UserError: A word too many follows ``--ray``: it was meant as an address, and is none.
        """
        given = list(args)  # Typer takes away what it has read
        try:
            return super().parse_args(ctx, with_address(args))
        except Exception as error:
            word = next((after for one, after in pairwise(given) if one == "--ray"), "")
            if "extra argument" in str(getattr(error, "message", "")) and _is_no_recipe(word):
                raise UserError(f"--ray: expected auto or host:port, found '{printable(word)}'") from None
            raise


def _is_no_recipe(word: str) -> bool:
    return word.strip("-") == word != "" and word not in (HERE, "auto") and not word.endswith((".yaml", ".yml"))


def with_address(arguments: list[str]) -> list[str]:
    """Return arguments in which ``--ray`` has an address: ``here`` where none follows."""
    given: list[str] = []
    for place, one in enumerate(arguments):
        given.append(one)
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        if one == "--ray" and not (following in (HERE, "auto") or ":" in following):
            given.append(HERE)
    return given


@contextmanager
def calls_by_ray(address: str | None) -> Generator[None]:
    """Let Ray make the calls of every ``spread`` in the body of a ``with``; None for who makes them otherwise.

    Raises:
        UserError: It is no address; in the body, that there is no cluster there, or one that cannot make calls.
        ModuleNotFoundError: Ray is not installed.
    """
    if address is None:
        yield
        return
    from curate.spread.ray_tasks import ray_tasks
    from curate.spread.spread import run_by

    with ray_tasks("" if address == HERE else address) as runner, run_by(runner):
        yield
        for reason, count in runner.failed.items():
            tasks = "1 task was" if count == 1 else f"{count:,} tasks were"
            say(f"warning: {tasks} done by this process, as a worker of Ray could not: {reason}", err=True)
