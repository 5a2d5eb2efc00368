"""A copy of a store's tables in a database of its own, which all pages read while it is up to date.

Parquet files are read once; a table page then takes milliseconds. The database that reads the copy may open no other
file, so no query of a page can read or write one. The copy is in a folder of the system's temporary files that only the
user may read, and goes with the object.
"""

import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from cli.viewing.listings import BETWEEN, LISTINGS, NAMES, Listing, listing_select
from curate.storage.damage import said_by
from curate.storage.named_views import EVERYTHING, NAMED, create_named
from curate.storage.sql_views import CONFIG, connect
from curate.storage.store import Store
from curate.storage.table_views import literal, quoted, refusal
from schemas.rows import DECISION_HISTORY, EMBEDDINGS, HISTORY_TABLES, RUN_TABLES, STAGE_TABLES, TEXT

LEFT_OUT = ("embeddings", "nearest", "by_hand")  # large, or read anew for each page (``current``)
SECONDS = 20  # of a query of a page
MEMORY = "2GB"
MOST_VALUES = 60  # of a column that a page offers to choose from
NUMBERS = ("DOUBLE", "BIGINT", "INTEGER", "HUGEINT")


@dataclass(frozen=True)
class Columns:
    """What is known of a listing's columns: their types, the spans of numbers, and the values of facets with counts."""

    rows: int
    types: dict[str, str]
    spans: dict[str, tuple[float, float]]
    values: dict[str, list[tuple[Any, int]]]


@dataclass
class Snapshot:
    """The copy.

    Attributes:
        file: The database's file.
        columns: What is known of each listing's columns.
        damages: By listing, why it cannot be shown.
    """

    folder: tempfile.TemporaryDirectory = field(repr=False)
    file: Path
    columns: dict[str, Columns]
    damages: dict[str, str]
    con: duckdb.DuckDBPyConnection = field(repr=False)
    running: set[duckdb.DuckDBPyConnection] = field(default_factory=set, repr=False)

    @contextmanager
    def cursor(self, seconds: float = SECONDS) -> Generator[duckdb.DuckDBPyConnection]:
        """Yield a connection of which each query ends after so many seconds, and no later than ``interrupt``."""
        cursor = self.con.cursor()
        cursor.execute("USE held")
        timer = threading.Timer(seconds, cursor.interrupt)
        timer.daemon = True
        self.running.add(cursor)
        timer.start()
        try:
            yield cursor
        finally:
            timer.cancel()
            self.running.discard(cursor)
            cursor.close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query by column name."""
        with self.cursor() as cursor:
            result = cursor.execute(query, list(values))
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def interrupt(self) -> None:
        """End all queries that are going on."""
        for cursor in [*self.running]:
            cursor.interrupt()


def make_snapshot(store: Store) -> Snapshot:
    """Copy a store's tables, and return what reads the copy."""
    folder = tempfile.TemporaryDirectory(prefix="gristmill-view-", ignore_cleanup_errors=True)
    file = Path(folder.name) / "rows.duckdb"
    with connect(store) as con:
        con.execute(f"SET memory_limit = '{MEMORY}'")
        con.execute(f"SET temp_directory = {literal(folder.name)}")
        con.execute(f"ATTACH {literal(str(file))} AS held")
        _copy_tables(con)
        columns, damages = {}, {}
        for listing in LISTINGS.values():
            try:
                columns[listing.name] = _make_listing(con, listing)
            except duckdb.Error as error:
                damages[listing.name] = said_by(error)
    return Snapshot(folder, file, columns, damages, reader(file))


def reader(file: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to a copy, which can read it and no other file, and write none."""
    con = duckdb.connect(config={**CONFIG, "memory_limit": MEMORY, "temp_directory": ""})
    con.execute(f"ATTACH {literal(str(file))} AS held (READ_ONLY)")
    con.execute("CREATE TABLE by_hand (label_id VARCHAR, by_hand VARCHAR)")  # the labels (``current``), in memory
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def _copy_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the tables into the database ``held``, and make the views and macros over them; make it the current one."""
    con.execute("CREATE TABLE held.embeddings AS SELECT * FROM memory.main.embeddings LIMIT 0")
    for name in EVERYTHING:
        if name in (*STAGE_TABLES, *HISTORY_TABLES, "decision_history"):
            try:
                con.execute(f"CREATE TABLE held.{name} AS SELECT * FROM memory.main.{name}")
            except duckdb.Error as error:
                message = said_by(error)
                con.execute(f"CREATE VIEW held.{name} AS {refusal(_columns(name), message)}")
    con.execute("USE held")
    for name in NAMED:
        if name not in (*LEFT_OUT, "decision_history"):
            create_named(con, name)


def _columns(name: str) -> dict[str, str]:
    if name in HISTORY_TABLES:
        return HISTORY_TABLES[name]
    own = {"decision_history": DECISION_HISTORY, "embeddings": EMBEDDINGS}.get(name) or STAGE_TABLES[name][0]
    return own | ({"run_id": TEXT} if name in RUN_TABLES else {})


def _make_listing(con: duckdb.DuckDBPyConnection, listing: Listing) -> Columns:
    """Make a listing's table, and return what is known of its columns."""
    scorers = []
    if listing.scorers:
        query = f"SELECT DISTINCT scorer FROM {listing.scorers} WHERE scorer IS NOT NULL ORDER BY 1"
        scorers = [row[0] for row in con.execute(query).fetchall()]
    con.execute(f"CREATE TABLE {listing.table} AS {listing_select(listing, scorers)}")
    described = con.execute(f"DESCRIBE {listing.table}").fetchall()
    types = {row[0]: row[1] for row in described}
    numbers = [name for name, kind in types.items() if kind in NUMBERS]
    rows = con.execute(f"SELECT count(*) FROM {listing.table}").fetchall()[0][0]
    spans = {name: span for name in numbers if (span := _span(con, listing, name)) is not None}
    values = {name: _values(con, listing, name) for name in listing.facets}
    return Columns(rows, types, spans, values)


def _span(con: duckdb.DuckDBPyConnection, listing: Listing, name: str) -> tuple[float, float] | None:
    column = quoted(name)
    finite = f"isfinite({column}::DOUBLE)"
    low, high = con.execute(f"SELECT min({column}), max({column}) FROM {listing.table} WHERE {finite}").fetchall()[0]
    return None if low is None else (float(low), float(high))


def _values(con: duckdb.DuckDBPyConnection, listing: Listing, name: str) -> list[tuple[Any, int]]:
    """Return the most frequent values of a column, with how many rows have them; one more than are offered.

    Of a column of several names, each name is a value.
    """
    column = f"unnest(coalesce(string_split({name}, '{BETWEEN}'), [NULL]))" if name == NAMES else name
    query = f"SELECT {column}, count(*) FROM {listing.table} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES + 1}"
    return con.execute(query).fetchall()
