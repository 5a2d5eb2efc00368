"""Answers the statements of a text, one after another."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.results.statements import statements
from cli.results.write import write_answer
from schemas.errors import UserError

if TYPE_CHECKING:
    import duckdb


def answer(con: "duckdb.DuckDBPyConnection", text: str, format: str, limit: int, output: Path | None = None) -> None:
    r"""Run the statements of a text and write what each returns, with a blank line between tables.

    Args:
        con: The connection to the store's tables.
        text: The statements.
        format: The format (``cli.results.formats``); a statement that ends with ``\G`` is shown as records.
        limit: The most rows that a format for people shows.
        output: The file for the answer of the only statement; None for stdout.

    Raises:
        UserError: DuckDB refuses a statement, in one line with its reason; those before it are answered. Or there are
            several, and a file or a format that holds one.
    """
    import duckdb

    from curate.steps.duckdb_errors import one_line
    from curate.storage.damage import damage_in

    try:
        several = statements(con, text)
        if len(several) > 1 and (output is not None or format in ("json", "parquet")):
            what = "--output takes" if output is not None else f"the format {format} holds"
            remedy = "name one, or write --format jsonl to stdout"
            raise UserError(f"SQL: {what} the answer to one statement, found {len(several)}; {remedy}")
        for number, one in enumerate(several):
            if number and format != "jsonl":
                sys.stdout.write("\n")
            write_answer(con, one.text, "records" if one.as_records and format == "table" else format, output, limit)
    except duckdb.Error as error:
        raise UserError(damage_in(error) or f"SQL: {one_line(error)}") from None
