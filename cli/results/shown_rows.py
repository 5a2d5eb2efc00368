"""The query for the rows that ``gristmill show NAME`` shows: of a table, a view, or a dataset."""

from typing import TYPE_CHECKING

from cli.results.shown_columns import shown_columns
from curate.steps.duckdb_errors import not_called
from curate.storage.table_views import literal
from schemas.errors import UserError, nearest
from schemas.rows import DATASET_TABLES, HISTORY_TABLES, STAGE_TABLES, VIEWS

if TYPE_CHECKING:
    import duckdb

TABLES = (*STAGE_TABLES, *HISTORY_TABLES, *VIEWS)
OF_DATASETS = tuple(DATASET_TABLES.values())
# Which rows of a table are shown, where that is not the first ones.
PARTS = {
    "runs": "ORDER BY number DESC",
    "funnel": "WHERE run_id = (SELECT run_id FROM runs WHERE command = 'run' ORDER BY number DESC LIMIT 1)",
}
# The conversations of datasets, as a person reads them: the last turn of each.
TEXTS = {
    "prompt": "last_question(prompt)",
    **{name: f"{name} ->> '$[#-1].content'" for name in ("completion", "chosen", "rejected")},
}


def names_read(name: str) -> str:
    """Return a query that names all that ``rows_query`` reads for a name."""
    tables = [name] if name in TABLES else OF_DATASETS
    return f"SELECT last_question(NULL) FROM {', '.join([*tables, 'runs'])}"


def rows_query(
    con: "duckdb.DuckDBPyConnection", name: str, columns: str | None, most: int, *, texts: bool = False
) -> str:
    """Return the query for the first rows of a table, a view or a dataset.

    Args:
        con: The connection to the store's tables.
        name: The name of a table or a view, else of a dataset.
        columns: The columns to show (``shown_columns``).
        most: How many rows.
        texts: Whether conversations are shown as texts, where no columns are asked for.

    Raises:
        UserError: There is no such name, or no such column.
    """
    table, part = (name, PARTS.get(name, "")) if name in TABLES else _dataset(con, name)
    there = [row[0] for row in con.execute(f"SELECT column_name FROM (DESCRIBE {table})").fetchall()]
    as_text = TEXTS if texts and columns is None and table in OF_DATASETS else {}
    names = [
        f"{as_text[column]} AS {column}" if column in as_text else f'"{column}"'
        for column in shown_columns(table, there, columns)
    ]
    return f"SELECT {', '.join(names)} FROM {table} {part} LIMIT {most}"


def datasets_of(con: "duckdb.DuckDBPyConnection") -> dict[str, str]:
    """Return the table that has the rows of each dataset, by the dataset's name; a damaged table's are left out."""
    import duckdb

    found: dict[str, str] = {}
    for table in OF_DATASETS:
        try:
            rows = con.execute(f"SELECT DISTINCT dataset FROM {table} WHERE dataset IS NOT NULL ORDER BY 1").fetchall()
        except duckdb.Error:  # who reads it is told
            continue
        found |= {str(name): table for (name,) in rows}
    return found


def _dataset(con: "duckdb.DuckDBPyConnection", name: str) -> tuple[str, str]:
    """Return the table that has a dataset's rows, and the condition that chooses them."""
    datasets = datasets_of(con)
    if name not in datasets:
        raise UserError(not_called(name) or f"no table or dataset {name!r}{nearest(name, [*TABLES, *datasets])}")
    return datasets[name], f"WHERE dataset = {literal(name)}"
