"""DuckDB's message about a query that it refuses, as one line."""

import re

import duckdb

from schemas.rows import MACROS

COLUMN = re.compile(r'Binder Error: Referenced column "([^"]*)" not found in FROM clause!( Candidate bindings: (.*))?')
TABLE = re.compile(r"Catalog Error: Table with name (\S+) does not exist!( Did you mean (.*))?")
CALLS = {call.partition("(")[0]: call for call in MACROS}


def one_line(error: duckdb.Error) -> str:
    """Return DuckDB's message in one line, with its suggestion but without its excerpt of the query."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = " ".join(line for line in lines if not line.startswith(("LINE ", "^")))
    column, table = COLUMN.match(kept), TABLE.match(kept)
    if column:
        several = "one of " if column[3] and "," in column[3] else ""
        near = f"; did you mean {several}{column[3]}?" if column[3] else ""
        kept = f"no column {column[1]!r}{near} (a text stands in single quotes)"
    elif table:
        near = f"; did you mean {table[3]}" if table[3] else "; 'gristmill show' lists them"
        kept = not_called(table[1]) or f"no table {table[1]!r}{near}"
    elif "Malformed JSON" in kept:
        kept = f"{kept[:320]}; -> and ->> read JSON; a column of plain text is read as it is"
    return kept[:400]


def not_called(name: str) -> str | None:
    """Return what to say where a macro's name stands as that of a table; None for another name."""
    return (
        f"{name} is no table, it is called: FROM {CALLS[name]}; a text stands in single quotes"
        if name in CALLS
        else None
    )
