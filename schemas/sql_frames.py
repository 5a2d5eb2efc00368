"""Polars frames into DuckDB and back by Arrow's C interface, so that neither needs pyarrow: the core has none."""

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import duckdb


class _Stream:
    """A frame as a stream of Arrow: DuckDB asks for a new one each time that a query reads it."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._frame.__arrow_c_stream__(requested_schema)


def register_frame(con: "duckdb.DuckDBPyConnection", name: str, frame: pl.DataFrame) -> None:
    """Let the queries of a connection read a frame as a table.

    A column of the type Null, which DuckDB does not read from a stream, is one of SQL's own nulls, which goes with
    values of any type. Within lists and structs it becomes a null number.

    Args:
        con: The connection.
        name: The table's name: letters and underscores.
        frame: The frame; one column at least has another type than Null.
    """
    empty = [column for column, kind in frame.schema.items() if kind == pl.Null]
    held = frame.drop(empty)
    held = held.cast({column: _typed(kind) for column, kind in held.schema.items() if kind.is_nested()})
    con.register(f"{name}_held", _Stream(held))
    nulls = ['NULL AS "{}"'.format(column.replace('"', '""')) for column in empty]
    con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {', '.join(['*', *nulls])} FROM {name}_held")


def frame_of(relation: "duckdb.DuckDBPyRelation") -> pl.DataFrame:
    """Return the rows of a query.

    Raises:
        duckdb.Error: The query fails; a stream alone would raise an error of Polars in its place.
    """
    return pl.DataFrame(relation.materialize())


def _typed(kind: Any) -> Any:
    """Return a type with numbers in place of Null."""
    if isinstance(kind, pl.List):
        return pl.List(_typed(kind.inner))
    if isinstance(kind, pl.Struct):
        return pl.Struct({field.name: _typed(field.dtype) for field in kind.fields})
    return pl.Int32() if kind == pl.Null else kind
