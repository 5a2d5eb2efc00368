"""Splits what a person or a file asks into statements, each with the format that its end asks for."""

import re
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import UserError

if TYPE_CHECKING:
    import duckdb

BELOW = re.compile(r"\\G(?=[;\s]|$);?")  # ends a statement, as in MySQL: a row's values one below another


class Statement(NamedTuple):
    """A statement, and whether its rows are to be shown one below another."""

    text: str
    as_records: bool


def statements(con: "duckdb.DuckDBPyConnection", text: str) -> list[Statement]:
    r"""Return the statements of a text, which ``;`` or ``\G`` ends.

    Args:
        con: Any connection: DuckDB's parser knows where a statement ends.
        text: The text.

    Raises:
        duckdb.Error: It is no SQL.
        UserError: There is no statement in it.
    """
    found: list[Statement] = []
    *ended, rest = BELOW.split(text)
    for part in ended:
        several = con.extract_statements(part)
        found += [Statement(one.query.strip(), at == len(several)) for at, one in enumerate(several, 1)]
    found += [Statement(one.query.strip(), False) for one in con.extract_statements(rest)]
    if not found:
        raise UserError('SQL: the query is empty; expected one such as "SELECT * FROM prompts LIMIT 5"')
    return found


def is_whole(con: "duckdb.DuckDBPyConnection", text: str) -> bool:
    r"""Return whether what was typed so far ends a statement: with ``;`` or ``\G``, in no quotes."""
    if not text.rstrip().endswith((";", r"\G")):
        return False
    try:
        con.extract_statements(BELOW.split(text)[-1])
    except Exception as error:  # noqa: BLE001 (DuckDB's, which is imported late)
        return "unterminated" not in str(error)
    return True
