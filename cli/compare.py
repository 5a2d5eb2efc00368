"""The command ``compare``: arms trained alike on several seeds, and what can be said of their difference."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    open_store,
    read_recipe,
)
from cli.terminal import say
from schemas.counted import counted

if TYPE_CHECKING:
    import polars as pl

    from train.arms.result import Comparison

HEAD = ["arms", "means", "difference (95% over seeds)", "p", "verdict"]
SEEDS = 12  # the most seeds whose differences are a line


def compare(
    recipe: RecipeFile,
    arms: Annotated[
        str,
        typer.Option(
            "--arms",
            metavar="A,B",
            help="1 to 6 datasets or trainings of the recipe; random: the control of the first one's dataset.",
        ),
    ],
    seeds: Annotated[int, typer.Option("--seeds", help="How many seeds each arm is trained on.")] = 5,
    training: Annotated[
        str | None,
        typer.Option("--train", metavar="NAME", help="The training whose options datasets are trained with."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="The share by which the trained tokens of arms may differ.")
    ] = 0.05,
    seed_sd: Annotated[
        float | None,
        typer.Option("--seed-sd", help="The spread over seeds to assume, before any is measured; 0.03 if not set."),
    ] = None,
    lower: Annotated[
        list[str] | None,
        typer.Option("--lower", metavar="NAME", help="A scorer, split or SPLIT/SCORER whose lower scores are better."),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the comparison as Markdown too.")
    ] = None,
    store: StoreFolder = STORE,
    overrides: Overrides = None,
    limit: Limit = None,
    allow_code: AllowCode = False,
    allow_key: AllowKey = None,
    report: ReportFile = None,
    quiet: Quiet = False,
) -> None:
    """Train arms on several seeds, and say whether they differ.

    They are trained alike and evaluated. The verdict is Student's t over the seeds. What is trained already is
    reused, and a comparison that was stopped goes on. Arms with unequal trained tokens are refused before anything
    is trained.
    """
    from cli.output_file import check_output
    from cli.progress import Bars
    from cli.reporting.command import finish_report
    from cli.reporting.make import check_report
    from train.arms.compare import compare

    check_report(report)
    if markdown is not None:
        check_output(markdown, "--markdown")
    loaded = read_recipe(recipe, overrides, limit, allow_code=allow_code, allow_key=allow_key)
    opened = open_store(store)
    with Bars(quiet=quiet) as bars:
        how = {"train": training, "tolerance": tolerance, "seed_sd": seed_sd, "lower": lower or ()}
        found = compare(loaded, opened, arms, seeds, **how, progress=bars)
    show_compared(found)
    _write_markdown(markdown, found.markdown)
    finish_report(report, store, loaded)


def _write_markdown(path: Path | None, text: str) -> None:
    """Write the comparison as ``--markdown`` asks, and say where."""
    from cli.output_file import output_file

    if path is not None:
        with output_file(path, "--markdown") as made:
            made.write_text(text, encoding="utf-8")
        say(f"Markdown: {path}")


def show_compared(found: "Comparison") -> None:
    """Print a comparison: what was trained, the verdicts as a table and in words, the seeds, and its pictures."""
    from cli.tables import console, safe, table
    from train.arms.markdown import amounts

    shown, verdicts = console(), found.verdicts
    columns = ["arm", "trainings", "steps", "trained tokens", ""]
    shown.print(table("\nTrained on each seed", columns, amounts(found.rows)))
    for (split, scorer), rows in verdicts.group_by("split", "scorer", maintain_order=True):
        lower = ", lower is better" if rows["better"][0] == "lower" else ""
        most = [int(str(rows[one].max())) for one in ("prompts", "families")]
        size = f"{counted(most[0], 'prompt')}, {counted(most[1], 'family', 'families')}"
        title = safe(f"{scorer}{f' on {split}' if split else ''}: {size}{lower}", 100)
        shown.print(table(f"\n{title}", HEAD, [_row(row) for row in rows.iter_rows(named=True)]))
    shown.print()
    for line in found.of_arms:
        shown.print(safe(line, 1000), soft_wrap=True)
    for line in found.stage.warnings:
        shown.print(safe(f"warning: {line}", 1000), soft_wrap=True)
    for line in _seed_lines(found.seeds):
        shown.print(safe(line, 1000), soft_wrap=True)
    pictures = [found.drawing, *([found.picture] if found.picture else [])]
    say(f"drawing: {' and '.join(map(str, pictures))}   id: {found.stage.stage_id}")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    from train.arms.markdown import number
    from train.arms.sentences import interval, p_text
    from train.evaluating.signed import signed

    means = f"{number(row['mean'])} / {number(row['versus_mean'])}"
    change = f"{signed(row['difference'])} ({interval(row['low'], row['high'])})"
    if row["low"] is None:
        change = signed(row["difference"])
    return f"{row['arm']} - {row['versus']}", means, change, p_text(row["p_holm"]), row["verdict"]


def _seed_lines(seeds: "pl.DataFrame") -> list[str]:
    """Return the differences of the seeds as lines, one for each pair, split and scorer."""
    from train.evaluating.signed import signed

    lines = ["", "seed by seed:"]
    for names, rows in seeds.group_by("split", "scorer", "arm", "versus", maintain_order=True):
        split, scorer, arm, versus = names
        values = [signed(value) for value in rows["difference"].to_list()]
        more = f" and {len(values) - SEEDS} more" if len(values) > SEEDS else ""
        lines.append(f"  {split or ''} {scorer}, {arm} - {versus}: {' '.join(values[:SEEDS])}{more}")
    return lines


COMMANDS = (compare,)
