"""The command that checks a store: doctor."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.options import STORE, StoreFolder, open_store
from cli.terminal import say
from schemas.counted import counted


def doctor(
    store: StoreFolder = STORE,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Set what is damaged aside, in the store's folder 'damaged', and write the rest, and the views of "
            "gristmill.duckdb as this version has them.",
        ),
    ] = False,
) -> None:
    """Check every file of the store.

    It says what is damaged, what is lost with it and what to do. Exits 1 if something is damaged that is not
    repaired. What --repair sets aside, 'gristmill run' makes anew (for a training 'train', for an evaluation
    'evaluate'); no reply of a model is asked for twice.
    """
    from cli.tables import safe
    from curate.storage import doctor as checks
    from schemas.errors import Failed

    if repair and checks.repair_marker(store):
        say(f"{Path(store)}: store.json was damaged; it is written anew")
    opened = open_store(store)
    findings = checks.examine(opened)
    if repair and (findings or os.access(opened.path, os.W_OK)):  # one that can't be written may well be whole
        findings = checks.repair(opened, findings)
    for one in findings:
        say(safe(one.damage, 1000))
        say(f"  lost: {safe(one.lost, 1000)}")
        if one.repaired:
            say(f"  {safe(one.repaired, 1000)}")
    left = [one for one in findings if not one.repaired]
    if left:
        parts = "1 damaged part" if len(left) == 1 else f"{len(left)} damaged parts"
        do = "see above" if repair else "'gristmill doctor --repair' repairs what can be"
        raise Failed(f"{opened.path}: {parts}; {do}")
    stages, runs = len(opened.stages()), len(opened.runs())
    say(
        f"{opened.path}: {'repaired' if findings else 'no damage'}: {counted(stages, 'stage')} and "
        f"{counted(runs, 'run')} are whole"
    )


COMMANDS = (doctor,)
