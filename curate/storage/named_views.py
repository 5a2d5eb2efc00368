"""The views and macros of a store in SQL that answer what is often asked: one file each in the folder ``views``.

``candidates`` is made here, since it has a column for each scorer of the store.
"""

import re
from functools import cache
from pathlib import Path

import duckdb

from curate.storage.table_views import literal, quoted
from schemas.rows import COMPLETIONS, HISTORY_TABLES, STAGE_TABLES

FOLDER = Path(__file__).parent / "views"
# In the order in which they are made: a view is made after those that it reads.
NAMED = (
    "decision_history", "embeddings", "by_hand", "candidates", "drop_reason", "dropped", "funnel", "duplicates",
    "leaks", "last_question", "examples", "pairs", "trained_on", "leaderboard", "k_curve", "why", "nearest",
)  # fmt: skip
TABLES = (*STAGE_TABLES, *HISTORY_TABLES)
EVERYTHING = (*TABLES, *NAMED)
FROM_FILES = ("decision_history", "embeddings", "by_hand")  # these read files of the store, as tables do
# Columns of the prompt in candidates, beside its text.
OF_PROMPT = ("source", "ground_truth", "metadata", "family")


def with_needs(names: set[str]) -> tuple[str, ...]:
    """Return these tables, views and macros and all that they read, in the order in which they are to be made."""
    found, left = set(), names & set(EVERYTHING)
    while left:
        found |= left
        left = {read for name in left for read in _reads(name)} - found
    return tuple(name for name in EVERYTHING if name in found)


def names_in(text: str) -> set[str]:
    """Return the tables, views and macros of which a text has the name as a word."""
    return {word for word in re.findall(r"\w+", text.lower()) if word in EVERYTHING}


def create_named(con: duckdb.DuckDBPyConnection, name: str, scorers: list[str] | None = None) -> None:
    """Create a view or a macro in a database that has what it reads.

    Args:
        con: The connection to the database.
        name: The view or the macro.
        scorers: The scorers whose columns the view ``candidates`` has; None for those of the table ``scores``.
    """
    if name == "candidates":
        con.execute(candidates_view(scorers_in(con) if scorers is None else scorers))
    else:
        con.execute(_statement(name))


def scorers_in(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of the scorers in a database's table ``scores``."""
    try:
        found = con.execute("SELECT DISTINCT scorer FROM scores WHERE scorer IS NOT NULL ORDER BY 1").fetchall()
    except duckdb.Error:  # the table is damaged: the view says so when it is read
        return []
    return [scorer for (scorer,) in found]


def candidates_view(scorers: list[str]) -> str:
    """Return the statement that makes the view ``candidates``: a candidate, its prompt, and a column for each scorer.

    A score is null where the scorer gave none. A scorer that has the name of a column, or of another scorer but for
    capitals, has ``_score`` (or ``_score2``) at the end of its name.
    """
    own = [name for name in COMPLETIONS if name not in ("completion_id", "prompt_id", "messages")]
    first = ["completion_id", "prompt_id", "prompt", "response"]
    taken, values = {*first, *own, *OF_PROMPT}, []
    for scorer in scorers:
        name = _free_name(scorer, taken)
        taken.add(name.lower())
        values.append(f"max(value) FILTER (scorer = {literal(scorer)}) AS {quoted(name)}")
    columns = [f"c.{name}" for name in own if name != "response"] + [f"p.{name}" for name in OF_PROMPT]
    return (
        f"CREATE VIEW candidates AS SELECT c.completion_id, c.prompt_id, p.prompt, c.response, {', '.join(columns)}, "
        f"s.* EXCLUDE (row_id) FROM completions AS c LEFT JOIN prompts AS p USING (prompt_id) "
        f"LEFT JOIN (SELECT {', '.join(['row_id', *values])} FROM scores GROUP BY row_id) AS s "
        f"ON s.row_id = c.completion_id"
    )


def _free_name(scorer: str, taken: set[str]) -> str:
    """Return the name of a scorer's column that no other column has."""
    own = scorer or "unnamed"  # SQL has no name without characters
    name, number = own, 1
    while name.lower() in taken:
        name, number = f"{own}_score{number if number > 1 else ''}", number + 1
    return name


@cache
def _statement(name: str) -> str:
    """Return the statement in a view's file, which makes the view, without the comments."""
    text = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def _reads(name: str) -> set[str]:
    """Return what a view or a macro may read: the tables, views and macros that its statement names."""
    if name in TABLES or name in FROM_FILES:
        return set()
    if name == "candidates":
        return {"completions", "prompts", "scores"}
    return names_in(_statement(name)) - {name}
