"""Reads a score of the answers in a store beside another value of them: another score, a column, or a metadata path."""

import json
import re
from dataclasses import dataclass

import duckdb
import polars as pl

from schemas.errors import UserError, unknown
from schemas.rows import COMPLETIONS, OTHER_METADATA, PROMPTS
from schemas.sql_frames import frame_of

METADATA = re.compile(r"metadata(?:\.|\s*->>?\s*'?)(.+?)'?")
# The columns that an answer may be compared by or grouped by, as SQL; the answer's own come before its prompt's.
COLUMNS = {name: f'p."{name}"' for name in PROMPTS} | {name: f'c."{name}"' for name in COMPLETIONS}
LOOKED_AT = 1000  # prompts whose metadata are looked at for the names of their keys


@dataclass(frozen=True)
class VerdictRows:
    """Answers that have a score, with the other value of each.

    Attributes:
        rows: ``completion_id``, ``prompt_id``, ``cluster`` (the prompt's family), ``sample_index``, ``score``,
            ``verdict`` (as text), ``length`` (characters of the response) and ``kind`` (the column to group by, as
            text); only answers with a score and a verdict.
        answers: How many answers the scorer was run on.
        errors: Why answers have no score, with their number.
        without_verdict: How many answers have a score and no verdict.
    """

    rows: pl.DataFrame
    answers: int
    errors: dict[str, int]
    without_verdict: int


def read_verdict_rows(con: duckdb.DuckDBPyConnection, scorer: str, column: str | None, by: str | None) -> VerdictRows:
    """Read the answers that a scorer was run on.

    Args:
        con: A connection to the store's tables (``curate.storage.sql_views.connect``).
        scorer: The name of a score.
        column: The name of a score, a column of completions or prompts, or ``metadata.KEY`` (of the row that the answer
            came with); None for no other value.
        by: A column or a metadata path to group by, or None.

    Raises:
        UserError: There is no such score or column; the message has the nearest name.
    """
    known = scorers(con)
    if scorer not in known:
        raise unknown("score of answers (in the store) called", scorer, known)
    joined, parameters = "", [scorer]
    if column is None:
        verdict = "'0'"
    elif column in known:
        joined = "LEFT JOIN scores v ON v.row_id = s.row_id AND v.scorer = ?"
        verdict, parameters = "v.value::VARCHAR", [column, scorer]
    else:
        verdict = f"({_column(con, column, known)})::VARCHAR"
    kind = f"({_column(con, by, [])})::VARCHAR" if by else "NULL::VARCHAR"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE verdict_rows AS
        SELECT c.completion_id, c.prompt_id, coalesce(p.family, c.prompt_id) AS cluster, c.sample_index,
               s.value AS score, s.error, {verdict} AS verdict, length(c.response) AS length, {kind} AS kind
        FROM scores s JOIN completions c ON c.completion_id = s.row_id LEFT JOIN prompts p ON p.prompt_id = c.prompt_id
        LEFT JOIN (SELECT row_id, any_value(evidence) AS metadata FROM decisions WHERE reason = ? GROUP BY row_id) own
        ON own.row_id = c.completion_id {joined} WHERE s.scorer = ?""",
        [OTHER_METADATA, *parameters],
    )
    errors = con.execute(
        """SELECT coalesce(error, 'no value'), count(*) FROM verdict_rows WHERE score IS NULL GROUP BY 1
        ORDER BY 2 DESC, 1 LIMIT 20"""
    ).fetchall()
    counts = con.execute(
        "SELECT count(*), count(*) FILTER (score IS NOT NULL AND verdict IS NULL) FROM verdict_rows"
    ).fetchall()[0]
    rows = frame_of(
        con.sql(
            """SELECT * EXCLUDE (error) FROM verdict_rows WHERE score IS NOT NULL AND verdict IS NOT NULL
            ORDER BY prompt_id, sample_index, completion_id"""
        )
    )
    return VerdictRows(rows, counts[0], dict(errors), counts[1])


def read_texts(con: duckdb.DuckDBPyConnection, ids: list[str]) -> dict[str, tuple[str | None, str | None]]:
    """Return for some answers the text of the prompt and of the response, by the answer's id."""
    found = con.execute(
        """SELECT completion_id, prompt, response FROM completions c LEFT JOIN prompts p USING (prompt_id)
        WHERE list_contains(?, completion_id)""",
        [ids],
    ).fetchall()
    return {one: (prompt, response) for one, prompt, response in found}


def scorers(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of the scores that answers in the store have."""
    found = con.execute("SELECT DISTINCT scorer FROM scores SEMI JOIN completions ON completion_id = row_id ORDER BY 1")
    return [name for (name,) in found.fetchall()]


def _column(con: duckdb.DuckDBPyConnection, name: str, known: list[str]) -> str:
    """Return a column or a metadata path as SQL."""
    path = METADATA.fullmatch(name)
    if not path:
        if name not in COLUMNS:
            keys = [f"metadata.{key}" for key in _keys(con)]
            raise unknown("score, column or metadata path called", name, [*known, *COLUMNS, *keys])
        return COLUMNS[name]
    keys = [key.strip("\"'$") for key in path[1].split(".") if key.strip("\"'$")]
    held = _keys(con)
    if not keys or keys[0] not in held:
        raise unknown("key of the metadata called", ".".join(keys), held)
    if any('"' in key for key in keys):
        raise UserError(f"{name}: a key of the metadata has a quotation mark in it; use 'gristmill sql'")
    steps = "$" + "".join(f'."{key}"' for key in keys)
    return "json_extract_string(coalesce(own.metadata, p.metadata), '" + steps.replace("'", "''") + "')"


def _keys(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the keys that the metadata of the first prompts have, and those of the answers that have their own."""
    found = con.execute(
        f"""(SELECT metadata FROM prompts WHERE metadata IS NOT NULL LIMIT {LOOKED_AT}) UNION ALL
        (SELECT evidence FROM decisions WHERE reason = ? LIMIT {LOOKED_AT})""",
        [OTHER_METADATA],
    ).fetchall()
    values = [json.loads(text) for (text,) in found]
    return list(dict.fromkeys(key for value in values if isinstance(value, dict) for key in value))
