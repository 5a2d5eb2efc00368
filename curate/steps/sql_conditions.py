"""SQL conditions over rows: the ``where:`` and ``filter:`` of a recipe, run by DuckDB on the rows in memory."""

import re

import duckdb
import polars as pl

from schemas.errors import UserError

TABLE = "rows"


def holds(rows: pl.DataFrame, condition: str, where: str) -> pl.Series:
    """Say for each row whether an SQL condition holds (null counts as not), as a Boolean Series.

    The condition sees the row's own columns only: no files, no other tables. Raises ``UserError`` naming ``where`` and
    DuckDB's reason if it is not valid.
    """
    # The condition stands on lines of its own, so that a comment at its end cannot swallow the parenthesis.
    found = _asked(rows, f"SELECT __row FROM {TABLE} WHERE (\n{condition}\n)", condition, where)["__row"].to_numpy()
    kept = pl.Series("kept", [False]).new_from_index(0, rows.height)
    return kept.scatter(found.astype("uint32"), True) if len(found) else kept


def values(rows: pl.DataFrame, expression: str, where: str) -> pl.Series:
    """The value of an SQL expression for each row, as a Float64 Series; null where SQL's is.

    It sees what a condition sees (``holds``). Raises ``UserError`` if it is not valid, or its values are no numbers.
    """
    found = _asked(rows, f"SELECT __row, (\n{expression}\n) AS value FROM {TABLE}", expression, where)
    if found.height != rows.height or not (found["value"].dtype.is_numeric() or found["value"].dtype == pl.Boolean):
        raise UserError(f"{where}: expected an expression that gives each row a number; it is: {expression}")
    return found.sort("__row")["value"].cast(pl.Float64)


def _asked(rows: pl.DataFrame, query: str, text: str, where: str) -> pl.DataFrame:
    """The answer to a query over rows alone, numbered by ``__row``."""
    with duckdb.connect(config={"enable_external_access": "false"}) as con:
        con.register(TABLE, rows.with_row_index("__row").to_arrow())
        try:
            return pl.from_arrow(con.sql(query).to_arrow_table())
        except duckdb.InterruptException:  # what it makes of Ctrl-C
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise UserError(f"{where}: {one_line(error)}; the condition is: {text}") from None


def mentioned(condition: str, columns: list[str]) -> list[str]:
    """The columns whose names occur in a condition, so that no others need be read."""
    whole = condition.lower()
    words = set(re.findall(r"\w+", whole))
    # A name that is no word, such as "my-score", stands in quotes.
    return [c for c in columns if c.lower() in words or (not re.fullmatch(r"\w+", c) and c.lower() in whole)]


def check(condition: str, columns: dict[str, pl.DataType], where: str) -> None:
    """Raise ``UserError`` if a condition is not valid SQL over these columns."""
    if not isinstance(condition, str):
        raise UserError(f"{where}: expected an SQL condition, such as \"split = 'train'\", found {condition!r}")
    holds(pl.DataFrame(schema=columns), condition, where)


def one_line(error: duckdb.Error) -> str:
    """DuckDB's message in one line, without the picture of the query; its suggestion is kept."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("LINE ", "^"))]
    return " ".join(kept)[:400]
