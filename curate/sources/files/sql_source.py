"""Read the rows of an SQL query as a source: ``{sql: "SELECT question AS prompt FROM 'x.parquet'"}``, through DuckDB.

A query is one ``SELECT`` that reads files; it writes none, loads no extension and changes no setting. Paths in it are
relative to the recipe's folder.
"""

import json
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from curate.sources.files.file_names import MAGIC
from curate.sources.files.raw_row import Raw, Reading
from curate.steps.duckdb_errors import one_line
from schemas.errors import UserError

# Nodes of a parsed query that only read. A COPY or an INSERT may stand in a WITH.
READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "threads": "1",  # so that rows come in the same order each time
}
BATCH = 4096
# Functions, and words of SQL, that give another value each time.
CLOCKS = ("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp")
CHANGING = (
    "random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "now", "today", *CLOCKS, "get_current_time",
    "get_current_timestamp", "transaction_timestamp", "current_localtime", "current_localtimestamp",
)  # fmt: skip
DECIMAL = re.compile("DECIMAL|HUGEINT")


def read_sql(sql: str, folder: Path, reading: Reading) -> Iterator[Raw]:
    """Yield the rows of a query.

    Args:
        sql: The query.
        folder: The folder that paths in it are relative to.
        reading: Gets a warning of a query whose rows are others each time.

    Raises:
        UserError: It is not one ``SELECT`` that reads, or DuckDB refuses it; the message has DuckDB's reason.
    """
    from curate.sources.files.arrow_files import batch_rows

    if not isinstance(sql, str) or not sql.strip():
        raise UserError(f"sql: expected a query such as SELECT * FROM 'rows.parquet', found {sql!r}")
    with duckdb.connect(config=CONFIG) as con, _search_path(folder) as place:
        try:
            con.execute(f"SET file_search_path = {_quoted(place)}")
            con.execute("SET lock_configuration = true")
            parsed = _check(con, sql, folder)
            _warn_of_chance(parsed, reading)
            found = con.sql(sql)
            texts = frozenset(
                name for name, kind in zip(found.columns, found.types, strict=True) if str(kind) == "JSON"
            )
            double = next((name for name in found.columns if found.columns.count(name) > 1), None)
            if double:
                raise UserError(f"sql: two columns are named {double!r}; give one another name with AS")
            rows = batch_rows(found.to_arrow_reader(BATCH), texts)
            yield from _with_numbers(rows) if any(DECIMAL.search(str(kind)) for kind in found.types) else rows
        except duckdb.InterruptException:  # DuckDB's error for Ctrl-C
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise UserError(f"sql: {_reason(error)}; the query is: {_short(sql)}") from None


@contextmanager
def _search_path(folder: Path) -> Generator[str]:
    """Give a folder's path as DuckDB's setting takes it: a comma would separate two folders, so a link has none."""
    path = str(folder.absolute())
    if "," not in path:
        yield path
        return
    with TemporaryDirectory(prefix="gristmill-sql-") as made:
        link = Path(made) / "folder"
        link.symlink_to(path)
        yield str(link)


def _check(con: duckdb.DuckDBPyConnection, sql: str, folder: Path) -> Any:
    """Return the parsed query; raise ``UserError`` unless it is one ``SELECT`` that only reads, from clear places."""
    statements = con.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(str(one.type).rpartition(".")[2] for one in statements) or "no statement"
        raise UserError(f"sql: expected one SELECT, found {kinds}; the query is: {_short(sql)}")
    parsed = json.loads(con.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()[0][0])
    if parsed.get("error"):
        raise UserError(f"sql: {parsed.get('error_message')}; the query is: {_short(sql)}")
    for node in _nodes(parsed):
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in READING:
            verb = kind.removesuffix("_QUERY_NODE").removesuffix("_NODE")
            raise UserError(f"sql: expected a query that only reads, found {verb}; the query is: {_short(sql)}")
    if folder.resolve() != Path.cwd():  # DuckDB looks into the current folder first
        named = _names(parsed)
        for text in _paths(parsed):
            if text.lower() not in named:
                _check_place(text, folder)
    return parsed


def _names(parsed: Any) -> set[str]:
    """Return the names that a query gives to parts of itself (``WITH name AS``), in lower case."""
    maps = [node["cte_map"] for node in _nodes(parsed) if isinstance(node.get("cte_map"), dict)]
    return {str(entry["key"]).lower() for one in maps for entry in one.get("map") or []}


def _warn_of_chance(parsed: Any, reading: Reading) -> None:
    """Warn of what gives other values each time: ``random()``, the time, a sample."""
    nodes = list(_nodes(parsed))
    names = {f"{node['function_name']}()": 0 for node in nodes if node.get("function_name") in CHANGING}
    columns = (node["column_names"] for node in nodes if node.get("class") == "COLUMN_REF" and "column_names" in node)
    names |= {one[0]: 0 for one in columns if len(one) == 1 and str(one[0]).lower() in CLOCKS}
    if any(isinstance(node.get("sample"), dict) and node["sample"].get("seed") == -1 for node in nodes):
        names["a sample without a seed"] = 0
    if names:
        reading.warn(
            f"the query uses {', '.join(names)}: its rows are others each run, and every stage made of them is "
            "made anew; for an order by chance that stays write ORDER BY md5(prompt)"
        )


def _check_place(text: str, folder: Path) -> None:
    """Raise ``UserError`` where a relative path in a query would be read from the current folder."""
    here, there = _matches(Path.cwd(), text), _matches(folder, text)
    if here and [path.resolve() for path in here] != [path.resolve() for path in there]:
        raise UserError(
            f"sql: {text!r} is in the current folder, and paths are relative to the recipe's folder {str(folder)!r}; "
            "write the whole path"
        )


def _matches(folder: Path, text: str) -> list[Path]:
    """Return the files that a relative path or a pattern names in a folder."""
    if Path(text).is_absolute() or "://" in text:
        return []
    try:
        return sorted(folder.glob(text)) if MAGIC.search(text) else [folder / text] * (folder / text).exists()
    except (OSError, ValueError):
        return []


def _paths(node: Any, in_function: bool = False) -> Iterator[str]:
    """Yield the texts of a parsed query that may be paths: names of tables, and constants of table functions."""
    if isinstance(node, list):
        for one in node:
            yield from _paths(one, in_function)
    elif isinstance(node, dict):
        name = node.get("table_name") if node.get("type") == "BASE_TABLE" else None
        if isinstance(name, str) and ("." in name or MAGIC.search(name)):  # a file has an ending; others are names
            yield name
        in_function = in_function or node.get("type") == "TABLE_FUNCTION"
        for one in node.values():
            if in_function and isinstance(one, str) and ("." in one or MAGIC.search(one)):
                yield one
            yield from _paths(one, in_function)


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a parsed query."""
    if isinstance(node, list):
        for one in node:
            yield from _nodes(one)
    elif isinstance(node, dict):
        yield node
        for one in node.values():
            yield from _nodes(one)


def _with_numbers(rows: Iterator[Raw]) -> Iterator[Raw]:
    """Yield rows with a number in place of each decimal: DuckDB's sums and its literals are decimals."""
    return (raw._replace(row=_number(raw.row)) for raw in rows)


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, dict):
        return {key: _number(item) for key, item in value.items()}
    return [_number(item) for item in value] if isinstance(value, list) else value


def _reason(error: duckdb.Error) -> str:
    """Return DuckDB's reason in one line; that it would load an extension is no remedy here."""
    text = one_line(error)
    needed = re.search(r"(?:requires the extension|in the) (\w+) (?:to be loaded|extension)", text)
    if needed:
        return f"it needs DuckDB's extension {needed[1]!r}, and none is loaded; name a file on this machine"
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _short(sql: str) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= 200 else text[:200] + "..."
