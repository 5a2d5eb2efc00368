"""The command worker, and the run that it works for: ``gristmill run --shards N``."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.program import with_program
from cli.terminal import say

if TYPE_CHECKING:
    from curate.storage.store import Store
    from schemas.progress import Progress

MOST = 10_000  # shards
Shards = Annotated[
    int | None,
    typer.Option(
        "--shards",
        metavar="N",
        help="Have N processes of 'gristmill worker', here or elsewhere, read the sources, find near-duplicates and "
        "score.",
        min=1,
        max=MOST,
    ),
]


def worker(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The run's store, on a disk that all machines see.")],
    shard: Annotated[
        str, typer.Option("--shard", metavar="I/N", help="Which of N workers this is: I counts from 0, as in 0/4.")
    ],
    stay: Annotated[bool, typer.Option("--stay", help="Wait for further runs when one has ended.")] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait", metavar="SECONDS", help="End where there is no run, or no sign of one, for so long.", min=0
        ),
    ] = None,
) -> None:
    """Work for a run with --shards N, until it ends.

    Slurm, Kubernetes or you start N of them, on machines that see the store's disk.
    """
    from cli.mixed_up import check_store_path
    from curate.spread.shard_worker import ShardWorker
    from curate.steps.own_code import VARIABLE

    check_store_path(store)
    os.environ.pop(VARIABLE, None)  # what a worker does needs no code of a recipe: none runs that a store names
    place, count = parsed(shard)
    working = ShardWorker(store, place, count, stay=stay, wait=wait, say=_told)
    working.work()
    _told(f"shard {shard}: ended; calls that were made here: {working.calls:,}")


def parsed(shard: str) -> tuple[int, int]:
    """Return I and N of ``I/N``.

    Raises:
        UserError: It is none.
    """
    from schemas.errors import UserError, short_repr

    found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", shard)
    place, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 0 <= place < count <= MOST:
        last = f" ({place}/{count} is none: the last is {count - 1}/{count})" if 0 < count <= MOST else ""
        raise UserError(
            f"--shard: expected I/N with I from 0 to N-1, as $SLURM_PROCID/$SLURM_NTASKS is, and N at most {MOST:,}; "
            f"found {short_repr(shard)}{last}"
        )
    return place, count


@contextmanager
def by_shards(store: "Store", shards: int, shown: "Progress") -> Generator[None]:
    """Let the workers of shards make the calls in the body of a ``with``; lines about them go to ``shown``.

    Raises:
        UserError: Another run has the store's shards; the store's folders are not this user's own.
    """
    from curate.spread.shards import Shards as Runner
    from curate.spread.spread import run_by
    from curate.storage.shards_lock import shards_of
    from schemas.progress import StageWarning

    def warn(line: str) -> None:
        shown.warn(StageWarning("shards", line))

    with shards_of(store), Runner(store.path, shards, shown.say, warn) as runner, run_by(runner):
        yield


def _told(line: str) -> None:
    say(with_program(line), err=True)


COMMANDS = (worker,)
