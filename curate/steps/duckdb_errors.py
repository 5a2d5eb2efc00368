"""What DuckDB says of a query that it refuses, as one line."""

import duckdb


def one_line(error: duckdb.Error) -> str:
    """Return DuckDB's message in one line, with its suggestion but without its excerpt of the query."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("LINE ", "^"))]
    return " ".join(kept)[:400]
