"""The Polars type of each column type of ``schemas.rows``, so that every table is built from the one contract."""

import polars as pl

POLARS = {
    "VARCHAR": pl.String(),
    "VARCHAR[]": pl.List(pl.String()),
    "BIGINT": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "BOOLEAN": pl.Boolean(),
}


def polars_schema(columns: dict[str, str]) -> dict[str, pl.DataType]:
    """Return the Polars schema of a table of ``schemas.rows``, or of some of its columns, such as ``PROMPTS``."""
    return {name: POLARS[kind] for name, kind in columns.items()}
