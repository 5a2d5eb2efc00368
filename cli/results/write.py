"""Writes the answer to a statement: a table for a person, JSON, CSV or Parquet for a program."""

import csv
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cli.output_file import output_file
from cli.results.formats import FOR_PEOPLE
from cli.results.interruptible import interruptible
from cli.results.on_screen import OnTerminal, show
from cli.results.text_tables import Result, as_markdown, as_records, as_table
from cli.terminal import json_text, safe_json, terminal_text

if TYPE_CHECKING:
    import duckdb

BATCH = 5_000  # rows
# Polars reads Parquet's JSON as bytes; DuckDB writes a sum of integers as a fraction that may be another number.
IN_PARQUET = {"JSON": "VARCHAR", "HUGEINT": "DECIMAL(38, 0)"}


def write_answer(
    con: "duckdb.DuckDBPyConnection", statement: str, format: str, output: Path | None, limit: int
) -> None:
    """Run one statement and write its result to stdout, or to a file, which is whole or not there.

    CSV in a file or a pipe has each value exactly, also one that begins with ``=``, which a spreadsheet would run as a
    formula: a mark before it would change the data. JSON has escapes for controls, which are the same value; a column
    of JSON is JSON in it, not a text.

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
    types = [str(column[1]) for column in result.description or []]
    if format in FOR_PEOPLE:
        rows = result.fetchmany(limit + 1)
        if heads == ["explain_key", "explain_value"] or heads[:1] == ["physical_plan"]:  # a drawing of many lines
            out.write("\n".join(terminal_text(str(row[-1])) for row in rows))
            return
        if heads in (["Count"], ["Success"]) and len(rows) < 2:  # of a statement that changes something
            out.write(f"done: {rows[0][0]} rows\n" if heads == ["Count"] and rows else "done\n")
            return
        _show_rows(Result(heads, types, rows[:limit]), format, out, more=len(rows) > limit)
    elif format == "csv":
        writer = csv.writer(OnTerminal(out) if out.isatty() else out, lineterminator="\n")
        writer.writerow(heads)
        for rows in _batches(result):
            writer.writerows(rows)
    else:
        _to_json(_batches(result), heads, types, out, lines=format == "jsonl")


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
        note = f"... the first {len(result.rows)} rows; {how}"
    show(lambda width: shapes[format](result, width), out, note=note)


def _to_json(
    batches: Iterator[list[tuple]], heads: Sequence[str], types: Sequence[str], out: TextIO, *, lines: bool
) -> None:
    """Write rows as JSON: an object a line, or one list of objects."""
    is_json = [kind == "JSON" for kind in types]
    keys = [json_text(head) for head in heads]
    before = "" if lines else "[\n"
    for rows in batches:
        for row in rows:
            values = (_json_value(*one) for one in zip(row, is_json, strict=True))
            out.write(f"{before}{{{', '.join(f'{key}: {value}' for key, value in zip(keys, values, strict=True))}}}")
            before = "\n" if lines else ",\n"
    out.write(("\n" if before == "\n" else "") if lines else ("\n]\n" if before != "[\n" else "[]\n"))


def _json_value(value: Any, is_json: bool) -> str:
    """Return a value as JSON on one line; the text of a JSON column is JSON already."""
    if isinstance(value, Decimal):
        return str(value)
    if not is_json or value is None:
        return json_text(value, default=str)
    if "\n" in value or "\r" in value:  # between its parts: in a text they are escaped
        value = json.dumps(json.loads(value), ensure_ascii=False)
    return safe_json(value)


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
