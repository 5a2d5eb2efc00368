"""Polars types and empty tables for the columns of ``schemas.rows``."""

import polars as pl

from schemas.rows import STAGE_TABLES

POLARS = {
    "VARCHAR": pl.String(),
    "JSON": pl.String(),
    "VARCHAR[]": pl.List(pl.String()),
    "BIGINT": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "BOOLEAN": pl.Boolean(),
}


def polars_schema(columns: dict[str, str]) -> dict[str, pl.DataType]:
    """Return the Polars schema of a table of ``schemas.rows``, or of some of its columns, such as ``PROMPTS``."""
    return {name: POLARS[kind] for name, kind in columns.items()}


def empty(table: str) -> pl.DataFrame:
    """Return a table without rows that has the columns of ``STAGE_TABLES``."""
    return pl.DataFrame(schema=polars_schema(STAGE_TABLES[table][0]))
