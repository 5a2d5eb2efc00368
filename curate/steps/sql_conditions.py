"""Evaluate SQL conditions on rows in memory with DuckDB: the ``where:`` and ``filter:`` of a recipe."""

import json
import os
import re
from functools import lru_cache
from typing import Any

import duckdb
import polars as pl

from curate.steps.duckdb_errors import one_line
from schemas.errors import UserError
from schemas.sql_frames import frame_of, register_frame

TABLE = "rows"
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",  # no file, no other database, no extension, and no way to allow them
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def holds(rows: pl.DataFrame, condition: str, where: str) -> pl.Series:
    """Return for each row whether an SQL condition holds, as a Boolean Series; null counts as false.

    Args:
        rows: The rows. The condition sees their columns only: no files, no other tables.
        condition: The condition.
        where: The recipe's file and line, for errors.

    Raises:
        UserError: The condition is not valid; the message has DuckDB's reason.
    """
    # The condition stands on lines of its own, so that a comment at its end cannot swallow the parenthesis.
    true_rows = _query(rows, f"SELECT __row FROM {TABLE} WHERE (\n{condition}\n)", condition, where)["__row"].to_numpy()
    kept = pl.Series("kept", [False]).new_from_index(0, rows.height)
    return kept.scatter(true_rows.astype("uint32"), True) if len(true_rows) else kept


def values(rows: pl.DataFrame, expression: str, where: str) -> pl.Series:
    """Return the value of an SQL expression for each row, as a Float64 Series; null where SQL's value is null.

    Args:
        rows: The rows. The expression sees their columns only, as in ``holds``.
        expression: The expression.
        where: The recipe's file and line, for errors.

    Raises:
        UserError: The expression is not valid, or its values are no numbers.
    """
    found = _query(rows, f"SELECT __row, (\n{expression}\n) AS value FROM {TABLE}", expression, where)
    if found.height != rows.height or not (found["value"].dtype.is_numeric() or found["value"].dtype == pl.Boolean):
        raise UserError(f"{where}: expected an expression that gives each row a number; it is: {expression}")
    return found.sort("__row")["value"].cast(pl.Float64)


def _query(rows: pl.DataFrame, query: str, condition: str, where: str) -> pl.DataFrame:
    """Return the result of a query over rows that are numbered by ``__row``."""
    with _database(os.getpid()).cursor() as con:
        try:
            if len(con.extract_statements(query)) != 1:  # a second one could change what the next condition sees
                raise UserError(f"{where}: expected one SQL condition, found several statements: {condition}")
            changing = _changing(condition)
            if changing:
                raise UserError(
                    f"{where}: {changing}() gives another value in each run, so that no run could be repeated; the "
                    f"condition is: {condition}"
                )
            register_frame(con, TABLE, rows.with_row_index("__row"))
            return frame_of(con.sql(query))
        except duckdb.InterruptException:  # DuckDB's error for Ctrl-C
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise UserError(f"{where}: {one_line(error)}; the condition is: {condition}") from None


@lru_cache(maxsize=1)
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """Return the empty database in memory in which a process's conditions run; a fork of it opens its own.

    Opening one takes as long as many conditions. A cursor of it sees the rows that it registered, and no other's.
    """
    return duckdb.connect(config=CONFIG | {"lock_configuration": "true"})


@lru_cache(maxsize=1)
def _changing_functions() -> frozenset[str]:
    """Return the names of the functions whose value is not that of their arguments alone, such as ``random``."""
    with _database(os.getpid()).cursor() as con:
        found = con.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE has_side_effects OR stability <> 'CONSISTENT'"
        ).fetchall()
    return frozenset(name for (name,) in found)


@lru_cache(maxsize=1024)
def _changing(condition: str) -> str:
    """Return the first function in a condition whose value is not that of its arguments, such as ``random``, or none.

    A condition that DuckDB can't parse has none: its query says why.
    """
    with _database(os.getpid()).cursor() as con:
        text = f"SELECT 1 FROM {TABLE} WHERE (\n{condition}\n)"
        ((parsed,),) = con.execute("SELECT json_serialize_sql(?)::VARCHAR", [text]).fetchall()
    called = set(_functions(json.loads(parsed)))
    return min(called & _changing_functions(), default="") if called else ""


def _functions(node: Any) -> list[str]:
    """Return the names of the functions in a query, as ``json_serialize_sql`` gives it."""
    if isinstance(node, list):
        return [name for part in node for name in _functions(part)]
    if not isinstance(node, dict):
        return []
    name = node.get("function_name")
    # An operator is of every type at once, and DuckDB says "may change" of dates less ages.
    own = [name.lower()] if isinstance(name, str) and name.isidentifier() else []
    return own + [name for part in node.values() for name in _functions(part)]


def mentioned(condition: str, columns: list[str]) -> list[str]:
    """Return the columns whose names occur in a condition, so that no others need be read."""
    text = condition.lower()
    words = set(re.findall(r"\w+", text))
    # A name that is no word, such as "my-score", is quoted in the condition.
    return [c for c in columns if c.lower() in words or (not re.fullmatch(r"\w+", c) and c.lower() in text)]


def check(condition: str, columns: dict[str, pl.DataType], where: str) -> None:
    """Raise ``UserError`` if a condition is not valid SQL over these columns."""
    if not isinstance(condition, str):
        raise UserError(f"{where}: expected an SQL condition, such as \"split = 'train'\", found {condition!r}")
    if not _is_valid(condition, tuple(columns.items())):
        holds(pl.DataFrame(schema=columns), condition, where)


@lru_cache(maxsize=4096)
def _is_valid(condition: str, columns: tuple[tuple[str, pl.DataType], ...]) -> bool:
    """Return whether a condition is valid: a plan checks the same ones several times."""
    try:
        holds(pl.DataFrame(schema=dict(columns)), condition, "")
    except UserError:
        return False
    return True
