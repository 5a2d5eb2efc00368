"""Finds a row of a store by its id, the start of its id, or its place in a source."""

import duckdb

from schemas.errors import UserError

# The tables in which an id is looked for, with their id columns. ``training_rows`` may have rows of earlier datasets,
# and ``decisions`` rows of sources that became no prompts, by their place: they are looked for last.
ID_COLUMNS = {
    "prompts": "prompt_id",
    "completions": "completion_id",
    "sft": "row_id",
    "preferences": "row_id",
    "unpaired": "row_id",
    "rl_prompts": "row_id",
    "training_rows": "row_id",
    "decisions": "row_id",
}
MADE_OF = ("completion_id", "chosen_id", "rejected_id")  # of a dataset row
# ``check`` names rows so.
AT_PLACE = """
SELECT DISTINCT prompt_id FROM prompts
WHERE line IS NOT NULL AND ? IN (
    concat(file, ':', line), concat(source, ':', line), concat(source, '/', file, ':', line)
) LIMIT 6"""


def find_row(con: duckdb.DuckDBPyConnection, id_start: str) -> tuple[str, str] | None:
    """Return the table and the id of the row whose id begins with ``id_start``, or that stood at this place.

    Args:
        con: A connection to the store's tables.
        id_start: The id, the first characters of it, or the place.

    Returns:
        The table and the id; None if there is no such row.

    Raises:
        UserError: Several rows have such an id.
    """
    hits: list[tuple[str, str]] = []
    for table, column in ID_COLUMNS.items():
        if table == "decisions":
            hits = hits or [("prompts", row[0]) for row in con.execute(AT_PLACE, [id_start]).fetchall()]
            if hits:
                break
        rows = con.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE starts_with({column}, ?) ORDER BY len({column}) LIMIT 6",
            [id_start],
        ).fetchall()
        hits += [(table, row[0]) for row in rows if row[0] not in [h[1] for h in hits]]
    exact = [hit for hit in hits if hit[1] == id_start]
    if exact or len(hits) == 1:
        return (exact or hits)[0]
    if hits:
        raise UserError(
            f"{id_start!r} is the start of several ids: {', '.join(h[1] for h in hits[:5])} ...; give more of it"
        )
    return None


def made_of(con: duckdb.DuckDBPyConnection, table: str, row_id: str) -> list[str]:
    """Return the ids of a row and of what it was made of."""
    key = ID_COLUMNS[table]
    result = con.execute(f"SELECT * FROM {table} WHERE {key} = ?", [row_id])
    names = [column[0] for column in result.description]
    row = dict(zip(names, result.fetchone() or (), strict=False))
    return [row_id, *(row[name] for name in (*MADE_OF, "prompt_id") if row.get(name))]
