"""The command ``agree``: how far a score can be relied on, by its agreement with recorded verdicts."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import STORE, RecipeName, StoreFolder, open_store
from cli.terminal import json_text
from schemas.counted import counted

if TYPE_CHECKING:
    import polars as pl

    from curate.api.agreement import Agreement

FORMATS = ("table", "json", "jsonl")
SHORT = 150  # characters of a text in the table
ANSWERS = {"pairs": "pairs", "verdicts": "answers", "grades": "answers"}


def agree(
    scorer: Annotated[str, typer.Argument(metavar="SCORER", help="The score: its name in the store.")],
    column: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="COLUMN",
            help="The verdicts: another score, chosen (recorded pairs), a column, or metadata.KEY.",
        ),
    ],
    store: StoreFolder = STORE,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="Also for each value of this column or metadata.KEY.")
    ] = None,
    at: Annotated[
        float | None,
        typer.Option("--at", help="The score from which an answer counts as good; by default as many do as are good."),
    ] = None,
    good: Annotated[
        float | None,
        typer.Option("--good", help="The verdict from which an answer is good, where verdicts are grades."),
    ] = None,
    top: Annotated[int, typer.Option("--top", "-n", help="How many disagreements to show.", min=0)] = 5,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help=f"{' | '.join(FORMATS)}; json and jsonl have whole texts.",
            autocompletion=lambda: [*FORMATS],
        ),
    ] = "table",
    recipe: RecipeName = None,
) -> None:
    """Show how a score agrees with recorded verdicts.

    It shows where they disagree most clearly. Figures have 95% intervals, in which the answers to a prompt count as
    one cluster.
    """
    from curate.api.agreement import agreement
    from schemas.errors import unknown

    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    found = agreement(open_store(store), scorer, column, by=by, at=at, good=good, top=top, recipe=recipe)
    if format == "table":
        _show(found)
    elif format == "json":
        sys.stdout.write(json_text(_summary(found) | _parts(found), indent=1) + "\n")
    else:
        for part, rows in _parts(found).items():
            for row in rows:
                sys.stdout.write(json_text({"part": part, **row}) + "\n")


def _summary(found: "Agreement") -> dict[str, Any]:
    names = (
        "scorer", "column", "kind", "answers", "compared", "prompts", "nulls", "without_verdict", "at", "notes",
    )  # fmt: skip
    return {name: getattr(found, name) for name in names}


def _parts(found: "Agreement") -> dict[str, list[dict[str, Any]]]:
    return {"figures": found.figures.to_dicts(), "disagreements": found.disagreements.to_dicts()}


def _show(found: "Agreement") -> None:
    from cli.tables import console, safe, table

    shown, what = console(), ANSWERS[found.kind]
    title = f"{found.scorer} with {found.column}: {found.compared:,} {what} of {counted(found.prompts, 'prompt')}"
    left = [f"{counted(sum(found.nulls.values()), 'answer has', 'answers have')} no score"] if found.nulls else []
    left += (
        [f"{found.without_verdict:,} {'has' if found.without_verdict == 1 else 'have'} no verdict"]
        if found.without_verdict
        else []
    )
    if left:
        title += f" (of {counted(found.answers, 'answer')}, {' and '.join(left)})"
    shown.print(table(safe(title), ["figure", "value", "95% interval", what], _figures(found.figures, "")))
    parts = found.figures.filter(found.figures["by"] != "")
    if parts.height:
        shown.print(table("\nIn parts", *_in_parts(parts, what)))
    if found.disagreements.height:
        shown.print(table("\nThe most confident disagreements", *_disagreements(found)))
    lines = [f"no score: {reason} ({count:,})" for reason, count in list(found.nulls.items())[:3]]
    if found.at is not None:
        lines.append(f"an answer counts as good from {found.scorer} {found.at:.4g} up")
    for line in (*lines, *found.notes):
        shown.print(safe(line), soft_wrap=True)


def _figures(figures: "pl.DataFrame", by: str) -> list[tuple]:
    return [(row["figure"], *_values(row)) for row in figures.filter(figures["by"] == by).to_dicts()]


def _in_parts(figures: "pl.DataFrame", what: str) -> tuple[list[str], list[tuple]]:
    """Return the columns and rows of the table of groups: a row for each, a column for each figure."""
    names = figures["figure"].unique(maintain_order=True).to_list()
    rows: dict[str, dict[str, str]] = {}
    for row in figures.to_dicts():
        value, ends, count = _values(row)
        cell = f"{value} ({ends})" if value else row["why"]
        rows.setdefault(f"{row['by']}: {row['group']}", {what: count})[row["figure"]] = cell
    columns = [what, *names]
    return ["part", *columns], [(part, *(cells.get(name, "") for name in columns)) for part, cells in rows.items()]


def _values(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return a figure, its interval and its number of answers as text; why there is none in place of the interval."""
    signed = "+" if row["figure"].startswith(("Spearman", "Kendall", "kappa")) else ""
    value = "" if row["value"] is None else f"{row['value']:{signed}.3f}"
    ends = row["why"] if row["low"] is None else f"{row['low']:{signed}.3f} to {row['high']:{signed}.3f}"
    return value, ends, f"{row['count']:,}"


def _disagreements(found: "Agreement") -> tuple[list[str], list[tuple]]:
    """Return the columns and rows of the table of disagreements, with shortened texts."""
    from cli.tables import safe

    rows = found.disagreements.to_dicts()
    if found.kind == "pairs":
        texts = [
            (
                f"{safe(row['chosen_score'])} < {safe(row['rejected_score'])}",
                row["prompt"],
                row["chosen"],
                row["rejected"],
            )
            for row in rows
        ]
        names = [f"{found.scorer}", "prompt", "chosen", "rejected"]
    else:
        texts = [
            (
                f"{safe(row['score'])}, but {safe(row['verdict'])}",
                row["prompt"],
                row["response"],
                row["completion_id"][:10],
            )
            for row in rows
        ]
        names = [f"{found.scorer}, {found.column}", "prompt", "response", "id"]
    return names, [(first, *(safe(text, SHORT) for text in more)) for first, *more in texts]


COMMANDS = (agree,)
