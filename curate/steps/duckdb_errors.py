"""DuckDB's message about a query that it refuses, as one line."""

import re

import duckdb

COLUMN = re.compile(r'Binder Error: Referenced column "([^"]*)" not found in FROM clause!( Candidate bindings: (.*))?')
TABLE = re.compile(r"Catalog Error: Table with name (\S+) does not exist!( Did you mean (.*))?")


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
        kept = f"no table {table[1]!r}" + (
            f"; did you mean {table[3]}" if table[3] else "; 'gristmill show' lists them"
        )
    return kept[:400]
