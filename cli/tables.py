"""Tables of figures for a person, made with Rich, and what a store holds in a few of them."""

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.plain_console import PlainConsole
from cli.program import with_program
from cli.results.cells import number_text
from cli.results.on_screen import line_width
from cli.terminal import STEERING

if TYPE_CHECKING:
    import duckdb

    from curate.storage.row_history import RowHistory
    from curate.storage.store import Store

NAMES = ("split", "scorer", "model", "group", "on", "benchmark", "metric")  # columns of names, which have room to fold
RUNS = ["run", "command", "status", "seconds", "new tokens", "requests", "reused"]  # where there is room for them
SEPARATOR = 3  # characters between two columns


def console() -> Console:
    """Return the console for tables on stdout; it is wide in a pipe, so that nothing is cut."""
    return PlainConsole(width=line_width(sys.stdout))


def safe(value: Any, length: int = 400) -> str:
    """Return a value as one line of text of at most ``length`` characters, without what could steer a terminal."""
    if isinstance(value, float):
        return number_text(value)
    text = "" if value is None else str(value)
    text = STEERING.sub("", text.replace("\n", "⏎"))
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


def overview(con: "duckdb.DuckDBPyConnection", store: "Store", tables: list[str]) -> None:
    """Print what a store holds: its tables with their numbers of rows, how scores go with length, the latest runs."""
    from cli.results.shown_rows import datasets_of
    from curate.api.length_bias import length_sentences
    from schemas.rows import VIEWS

    counts = {t: _count(con, t) for t in tables}
    rows = [*counts.items()]
    shown = console()
    with shown.capture() as captured:
        shown.print(Text(f"store {store.path}"))
        shown.print(table(None, ["table", "rows"], rows))
        bias = length_sentences(con) if "damaged" not in counts.values() else []
        if bias:
            shown.print(Text("\nscores of models, and the length of the response"))
        for sentence in bias:
            shown.print(Padding(Text(safe(sentence)), (0, 0, 0, 2)))
        shown.print(Text(f"\nalso to show, made of these: {', '.join(VIEWS)}"))
        if datasets := datasets_of(con):
            shown.print(Text(f"and the datasets: {', '.join(safe(name) for name in datasets)}"))
        runs = con.execute("""SELECT run_id, command, status, round(seconds, 1), completion_tokens,
                              requests, requests_reused
                              FROM runs ORDER BY number DESC LIMIT 8""").fetchall()
        columns, runs, left_out = without_columns(RUNS, runs, shown.width, [*RUNS[:2:-1], "command"])
        more = f" ('gristmill show runs --columns all' has {', '.join(reversed(left_out))})" if left_out else ""
        shown.print(Text(with_program(f"\nlatest runs{more}")))
        shown.print(table(None, columns, runs))
    lines = [line.rstrip() for line in captured.get().split("\n")]
    sys.stdout.write("\n".join(lines))  # at once: the reader of a pipe may have seen enough


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
