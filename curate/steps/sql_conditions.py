"""Evaluate SQL conditions on rows in memory with DuckDB: the ``where:`` and ``filter:`` of a recipe."""

import json
import re
from functools import lru_cache
from typing import Any

import duckdb
import polars as pl

from schemas.errors import UserError

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
    with duckdb.connect(config=CONFIG) as con:
        con.register(TABLE, rows.with_row_index("__row").to_arrow())
        try:
            changing = _changing(condition)
            if changing:
                raise UserError(
                    f"{where}: {changing}() gives another value in each run, so that no run could be repeated; the "
                    f"condition is: {condition}"
                )
            return pl.DataFrame(con.sql(query).to_arrow_table())
        except duckdb.InterruptException:  # DuckDB's error for Ctrl-C
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise UserError(f"{where}: {one_line(error)}; the condition is: {condition}") from None


@lru_cache(maxsize=1024)
def _changing(condition: str) -> str:
    """Return the first function in a condition whose value is not that of its arguments, such as ``random``, or none.

    A condition that DuckDB can't parse has none: its query says why.
    """
    with duckdb.connect(config=CONFIG) as con:
        text = f"SELECT 1 FROM {TABLE} WHERE (\n{condition}\n)"
        ((parsed,),) = con.execute("SELECT json_serialize_sql(?)::VARCHAR", [text]).fetchall()
        called = sorted(set(_functions(json.loads(parsed))))
        if not called:
            return ""
        found = con.execute(
            "SELECT function_name FROM duckdb_functions() WHERE list_contains(?, function_name) "
            "AND (has_side_effects OR stability <> 'CONSISTENT') ORDER BY 1 LIMIT 1",
            [called],
        ).fetchall()
    return found[0][0] if found else ""


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
    holds(pl.DataFrame(schema=columns), condition, where)


def one_line(error: duckdb.Error) -> str:
    """Return DuckDB's message in one line, with its suggestion but without its excerpt of the query."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("LINE ", "^"))]
    return " ".join(kept)[:400]
