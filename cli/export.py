"""The command that writes a dataset into a folder for other programs, and pushes it to the hub: export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import STORE, Force, Private, Push, RecipeName, StoreFolder, open_store
from cli.terminal import say
from schemas.counted import counted

if TYPE_CHECKING:
    from curate.export.export import Exported


def export(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset's name in its recipe.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; it must be new, or empty.")],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="hub (Parquet and a card) | jsonl | datasets (save_to_disk) | csv | trl | openai | llamafactory | "
            "axolotl | ms-swift | verl.",
        ),
    ] = "hub",
    store: StoreFolder = STORE,
    recipe: RecipeName = None,
    push: Push = None,
    private: Private = False,
    license_check: Annotated[
        bool, typer.Option("--license-check", help="Refuse where the recipe names no licence for a source.")
    ] = False,
    force: Force = False,
    no_refused: Annotated[
        bool, typer.Option("--no-refused", help="Of the format hub: leave the refused rows out.")
    ] = False,
) -> None:
    """Write a dataset into a folder that other programs read.

    What a format cannot hold is said with the number of rows.
    """
    from curate.export.export import export_dataset
    from curate.export.push import check_push, push_folder

    check_push(push, private=private)
    done = export_dataset(
        open_store(store, look=True),
        dataset,
        folder,
        format=format,
        recipe=recipe,
        license_check=license_check,
        force=force,
        refused=not no_refused,
        reuse=push is not None,
    )
    _report(done)
    if push is not None:
        push_folder(folder, push, private=private, say=lambda line: say(f"  {line}", err=True))
        say(f"pushed: {push}")


def _report(done: "Exported") -> None:
    """Say what was written, and what was lost."""
    from curate.export.facts import taken_out

    about = done.about
    rows = ", ".join(f"{count:,} {split}" for split, count in about.splits.items())
    if done.reused:
        say(f"{about.format}: {done.folder}: has these rows already ({rows})")
        return
    for what, count in about.lost.items():
        say(f"  {count:,} of {counted(about.rows, 'row')} {'loses' if count == 1 else 'lose'} {what}", err=True)
    for why, count in about.left_out.items():
        say(f"  {counted(count, 'row is', 'rows are')} left out: {why}", err=True)
    for note in about.notes:
        say(f"  {note}", err=True)
    if done.refused:
        found = taken_out(done.found)
        warned = f"; some were refused by {', '.join(found)}: --no-refused leaves all of them out" if found else ""
        beside = counted(done.refused, "refused row is", "refused rows are")
        say(f"  {beside} beside them{warned}", err=True)
    say(f"{about.format}: {done.folder}: {counted(about.rows, 'row')} ({rows})")


COMMANDS = (export,)
