"""Writes the answer to a statement: a table for a person, JSON, CSV or Parquet for a program."""

import csv
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cli.output_file import output_file
from cli.results.cells import blob_text
from cli.results.formats import FOR_PEOPLE
from cli.results.interruptible import interruptible
from cli.results.json_values import NESTED, NoNumbers, Writer, json_writer
from cli.results.on_screen import OnTerminal, show
from cli.results.text_tables import Result, as_markdown, as_records, as_table
from cli.terminal import json_text, say, terminal_text
from schemas.counted import the_first

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

BATCH = 5_000  # rows
# Polars reads Parquet's JSON as bytes; DuckDB writes a sum of integers as a fraction that may be another number.
IN_PARQUET = {"JSON": "VARCHAR", "HUGEINT": "DECIMAL(38, 0)"}


def write_answer(
    con: "duckdb.DuckDBPyConnection", statement: str, format: str, output: Path | None, limit: int
) -> None:
    """Run one statement and write its result to stdout, or to a file, which is whole or not there.

    CSV in a file or a pipe has each value exactly, also one that begins with ``=``, which a spreadsheet would run as a
    formula: a mark before it would change the data; lists, structs and maps are JSON in it. JSON has escapes for
    controls, which are the same value; a column of JSON is JSON in it, not a text. NaN and infinite numbers are null in
    JSON, and counted on stderr.

    Args:
        con: The connection to the store's tables.
        statement: The statement.
        format: One of ``FORMATS``.
        output: The file, or None for stdout.
        limit: The most rows that a format for people shows.

    Raises:
        duckdb.Error: DuckDB refuses the statement.
        UserError: The file can't be written.
    """
    if format == "parquet":
        _to_parquet(con, statement, output)
    elif output is None:
        _to_text(interruptible(con, lambda: con.execute(statement)), format, sys.stdout, limit)
    else:
        with output_file(output, "--output") as made, open(made, "w", encoding="utf-8", newline="") as file:
            _to_text(interruptible(con, lambda: con.execute(statement)), format, file, limit)


def _to_text(result: "duckdb.DuckDBPyConnection", format: str, out: TextIO, limit: int) -> None:
    heads = [column[0] for column in result.description or []]
    kinds = [column[1] for column in result.description or []]
    if format in FOR_PEOPLE:
        rows = result.fetchmany(limit + 1)
        if heads == ["explain_key", "explain_value"] or heads[:1] == ["physical_plan"]:  # a drawing of many lines
            out.write("\n".join(terminal_text(str(row[-1])) for row in rows))
            return
        if heads in (["Count"], ["Success"]) and len(rows) < 2:  # of a statement that changes something
            noun = "row" if rows and rows[0][0] == 1 else "rows"
            out.write(f"done: {rows[0][0]} {noun}\n" if heads == ["Count"] and rows else "done\n")
            return
        shown = Result(heads, [str(kind) for kind in kinds], _as_texts(rows[:limit], kinds, str))
        _show_rows(shown, format, out, more=len(rows) > limit)
        return
    no_numbers = NoNumbers()
    if format == "csv":
        writer = csv.writer(OnTerminal(out) if out.isatty() else out, lineterminator="\n")
        writer.writerow(heads)
        for rows in _batches(result):
            writer.writerows(_as_texts(rows, kinds, no_numbers))
    else:
        writers = [json_writer(kind, no_numbers) for kind in kinds]
        _to_json(_batches(result), heads, writers, out, lines=format == "jsonl")
    if no_numbers.count:
        say(f"warning: {no_numbers.sentence()}", err=True)


def _show_rows(result: Result, format: str, out: TextIO, *, more: bool) -> None:
    """Show rows to a person, in a pager where they are longer than the screen."""
    shapes = {
        "table": as_table,
        "box": lambda shown, width: as_table(shown, width, grid=True),
        "records": as_records,
        "markdown": lambda shown, width: as_markdown(shown),
    }
    note = "" if result.rows else "no rows"
    if more:
        how = "more with --limit (of show: --rows; in the shell: .limit), all with --format jsonl"
        note = f"... {the_first(len(result.rows), 'row')}; {how}"
    show(lambda width: shapes[format](result, width), out, note=note)


def _to_json(
    batches: Iterator[list[tuple]], heads: Sequence[str], writers: Sequence[Writer], out: TextIO, *, lines: bool
) -> None:
    """Write rows as JSON: an object a line, or one list of objects."""
    keys = [json_text(head) for head in _distinct(heads)]
    before = "" if lines else "[\n"
    for rows in batches:
        for row in rows:
            parts = (f"{key}: {write(value)}" for key, write, value in zip(keys, writers, row, strict=True))
            out.write(f"{before}{{{', '.join(parts)}}}")
            before = "\n" if lines else ",\n"
    out.write(("\n" if before == "\n" else "") if lines else ("\n]\n" if before != "[\n" else "[]\n"))


def _distinct(heads: Sequence[str]) -> list[str]:
    """Return the names of columns, of which a join may have one twice, as Parquet gets them: ``a``, ``a_1``."""
    names: dict[str, str] = {}
    for head in heads:
        tries = (head, *(f"{head}_{number}" for number in range(1, len(heads) + 1)))
        name = next(name for name in tries if name.lower() not in names)
        names[name.lower()] = name
    return [*names.values()]


def _as_texts(rows: list[tuple], kinds: "Sequence[DuckDBPyType]", no_number: Callable[[float | str], str]) -> list[Any]:
    """Return rows with JSON for lists, structs and maps, and what DuckDB prints for bytes; the rest as it is."""
    texts: dict[int, Callable[[Any], str]] = {
        at: json_writer(kind, no_number) for at, kind in enumerate(kinds) if kind.id in NESTED
    }
    texts |= {at: blob_text for at, kind in enumerate(kinds) if kind.id == "blob"}
    if not texts:
        return rows
    return [
        [texts[at](value) if at in texts and value is not None else value for at, value in enumerate(row)]
        for row in rows
    ]


def _batches(result: "duckdb.DuckDBPyConnection") -> Iterator[list[tuple]]:
    while rows := result.fetchmany(BATCH):
        yield rows


def _to_parquet(con: "duckdb.DuckDBPyConnection", statement: str, output: Path | None) -> None:
    """Write a result as Parquet."""
    from schemas.errors import UserError

    relation = con.sql(statement)
    if relation is None:  # a statement that returns no rows
        raise UserError("SQL: the statement returns no rows to write; expected a SELECT")
    names = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in relation.columns]
    if len({*names}) == len(names):
        casts = zip(names, map(str, relation.types), strict=True)
        kept = (f"{name}::{IN_PARQUET[kind]} AS {name}" if kind in IN_PARQUET else name for name, kind in casts)
        relation = relation.project(", ".join(kept))
    if output is not None:
        with output_file(output, "--output") as made:
            interruptible(con, lambda: relation.write_parquet(str(made), compression="zstd"))
        return
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "result.parquet"
        interruptible(con, lambda: relation.write_parquet(str(made), compression="zstd"))
        with made.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
