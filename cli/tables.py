"""Prints query results: as tables for a person, as JSON, CSV or Parquet for a program."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.output_file import check_output, output_file
from cli.plain_console import PlainConsole
from cli.terminal import json_text, terminal_text

if TYPE_CHECKING:
    import duckdb

    from curate.storage.row_history import RowHistory
    from curate.storage.store import Store

# A model's text must not steer the terminal, end a line or turn its direction.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
NAMES = ("split", "scorer", "model", "group", "on", "benchmark", "metric")  # columns of names, which have room to fold
SEPARATOR = 3  # characters between two columns


def console() -> Console:
    """Return the console for tables on stdout; it is wide in a pipe, so that nothing is cut."""
    return PlainConsole(width=None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "200")))


def safe(value: Any, length: int = 400) -> str:
    """Return a value as one line of text of at most ``length`` characters, without control characters."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.0f}"
    text = "" if value is None else str(value)
    text = CONTROL.sub("", text.replace("\n", "⏎"))
    return text if len(text) <= length else text[: length - 1] + "…"


def figure(value: float | None, decimals: int) -> str:
    """Return a figure with so many decimals, with fewer digits where it is large; ``-`` for none."""
    if value is None:
        return "-"
    return f"{value:,.{decimals}f}" if value < 1000 else f"{value:,.0f}" if value < 1e6 else f"{value:.2g}"


def without_empty(columns: list[str], rows: list[tuple], nothing: str) -> tuple[list[str], list[tuple]]:
    """Leave out the columns whose cells all are ``nothing``; return the columns and the rows that are left."""
    kept = [at for at in range(len(columns)) if any(row[at] != nothing for row in rows)]
    return [columns[at] for at in kept], [tuple(row[at] for at in kept) for row in rows]


def table(title: str | None, columns: list[str], rows: list[tuple], names: Collection[str] = ()) -> Table:
    """Return a Rich table.

    Args:
        title: The line above it, or None.
        columns: The names of the columns.
        rows: The rows; columns with numbers are aligned right.
        names: Columns of names: where the table is too wide they fold, so that no figure is cut.
    """
    made = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        number = any(isinstance(r[index], int | float) and not isinstance(r[index], bool) for r in rows)
        made.add_column(
            Text(safe(column)),
            justify="right" if number else "left",
            overflow="fold" if len(columns) < 5 or column in names else "ellipsis",
            no_wrap=len(columns) >= 5 and column not in names,
            min_width=min(6, max(len(safe(r[index])) for r in rows)) if rows and column in names else None,
        )
    for row in rows:
        made.add_row(*(Text(safe(v)) for v in row))
    return made


def without_columns(
    columns: list[str], rows: list[tuple], width: int, spare: Sequence[str]
) -> tuple[list[str], list[tuple], list[str]]:
    """Leave out columns of a table until it fits.

    Args:
        columns: The names of the columns.
        rows: The rows.
        width: The characters that there is room for.
        spare: The columns that may be left out, the first one first.

    Returns:
        The columns and the rows that are left, and the columns left out. Names may still fold.
    """
    columns, rows, left_out = list(columns), list(rows), []
    for name in (name for name in spare if name in columns):
        texts = [[safe(row[at]) for row in (columns, *rows)] for at in range(len(columns))]
        widths = [
            min(map(cell_len, cells[:1])) if head in NAMES else max(map(cell_len, cells))
            for head, cells in zip(columns, texts, strict=True)
        ]
        if sum(widths) + SEPARATOR * (len(columns) - 1) <= width:
            break
        at = columns.index(name)
        columns, rows = columns[:at] + columns[at + 1 :], [row[:at] + row[at + 1 :] for row in rows]
        left_out.append(name)
    return columns, rows, left_out


def write(con: "duckdb.DuckDBPyConnection", query: str, format: str, output: Path | None, limit: int) -> None:
    """Run a query and write its result. A file is written whole and then renamed.

    CSV in a file or a pipe has each value exactly, also one that begins with ``=``, which a spreadsheet would run as a
    formula: a mark before it would change the data. JSON has escapes for controls, which are the same value.

    Args:
        con: The connection to the store's tables.
        query: The query.
        format: 'table', 'json', 'jsonl', 'csv' or 'parquet'.
        output: The file to write, or None for stdout.
        limit: The most rows that a table shows.

    Raises:
        UserError: DuckDB refuses the query; the error has its reason in one line.
    """
    import duckdb

    from curate.steps.duckdb_errors import one_line
    from curate.storage.damage import damage_in
    from schemas.errors import UserError

    if format == "parquet" and output is None and sys.stdout.isatty():
        raise UserError("a terminal cannot show the format parquet; name a file with --output FILE")
    if output is not None:
        check_output(output, "--output")
    try:
        if not con.extract_statements(query):
            raise UserError('SQL: the query is empty; expected one such as "SELECT * FROM prompts LIMIT 5"')
        if format == "parquet":
            _to_parquet(con, query, output)
        elif output is None:
            _to_text(con.execute(query), format, sys.stdout, limit)
        else:
            with output_file(output, "--output") as made, open(made, "w", encoding="utf-8", newline="") as file:
                _to_text(con.execute(query), format, file, limit)
    except duckdb.Error as error:
        raise UserError(damage_in(error) or f"SQL: {one_line(error)}") from None


def overview(con: "duckdb.DuckDBPyConnection", store: "Store", tables: list[str]) -> None:
    """Print what a store holds: its tables with their numbers of rows, how scores go with length, the latest runs."""
    from curate.api.length_bias import length_sentences

    counts = {t: _count(con, t) for t in tables}
    rows = [*counts.items()]
    shown = console()
    shown.print(Text(f"store {store.path}"))
    shown.print(table(None, ["table", "rows"], rows))
    bias = length_sentences(con) if "damaged" not in counts.values() else []
    if bias:
        shown.print(Text("\nscores of models, and the length of the response"))
    for sentence in bias:
        shown.print(Text(f"  {safe(sentence)}"), soft_wrap=True)
    runs = con.execute("""SELECT run_id, command, status, round(seconds, 1), requests, requests_reused,
                          completion_tokens
                          FROM runs ORDER BY number DESC LIMIT 8""").fetchall()
    columns = ["run", "command", "status", "seconds", "requests", "reused", "new tokens"]
    shown.print(table("\nlatest runs", columns, runs))


def _count(con: "duckdb.DuckDBPyConnection", table: str) -> int | str:
    """Return the number of rows of a table; the word ``damaged`` for one of which a part is."""
    import duckdb

    from curate.storage.damage import damage_in

    try:
        return con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    except duckdb.Error as error:
        if damage_in(error) is None:
            raise
        return "damaged"


def story(history: "RowHistory", out: TextIO) -> None:
    """Print a row's history."""
    out.write(safe(history.title, 1000) + "\n")
    for heading, lines in history.parts:
        out.write(f"\n{safe(heading, 1000)}\n")
        out.writelines(f"  {safe(line, 1000)}\n" for line in lines)


class _OnTerminal:
    """Writes to a terminal what can't steer it; a file and a pipe get the data exactly."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def write(self, text: str) -> int:
        return self.out.write(terminal_text(text))


def _to_parquet(con: "duckdb.DuckDBPyConnection", query: str, output: Path | None) -> None:
    from schemas.errors import UserError

    relation = con.sql(query)
    if relation is None:  # a statement that returns no rows
        raise UserError("SQL: the statement returns no rows to write; expected a SELECT")
    if output is not None:
        with output_file(output, "--output") as made:
            relation.write_parquet(str(made), compression="zstd")
        return
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "result.parquet"
        relation.write_parquet(str(made), compression="zstd")
        with made.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def _to_text(result: "duckdb.DuckDBPyConnection", format: str, out: TextIO, limit: int) -> None:
    columns = [column[0] for column in result.description or []]
    if format == "table":
        rows = result.fetchmany(limit + 1)
        shown = console() if out is sys.stdout else PlainConsole(file=out, width=200)
        shown.print(table(None, columns, rows[:limit]))
        if len(rows) > limit:
            shown.print(f"... the first {limit} rows; --limit shows more, --format jsonl all")
    elif format == "csv":
        import csv

        writer = csv.writer(_OnTerminal(out) if out.isatty() else out, lineterminator="\n")
        writer.writerow(columns)
        while rows := result.fetchmany(5000):
            writer.writerows(rows)
    else:
        _to_json(result, columns, out, lines=format == "jsonl")


def _to_json(result: "duckdb.DuckDBPyConnection", columns: list[str], out: TextIO, *, lines: bool) -> None:
    first = True
    if not lines:
        out.write("[")
    while rows := result.fetchmany(5000):
        for row in rows:
            text = json_text(dict(zip(columns, row, strict=True)), default=str)
            out.write(text + "\n" if lines else ("\n" if first else ",\n") + text)
            first = False
    if not lines:
        out.write("\n]\n")
