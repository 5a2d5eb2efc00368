"""Answers one query of the SQL box, in a process of its own that may write no file and take little memory.

It is run as a file, alone: it imports nothing of gristmill. The query comes on stdin, the answer goes out as JSON.
A SELECT alone is no promise: DuckDB 2 takes ``WITH x AS (COPY ... TO 'file') SELECT ...`` as one. So the database that
is read was opened read-only, DuckDB may open no other file, and the kernel refuses the process every write to one.
"""

import contextlib
import json
import re
import resource
import sys
import threading
import time
from typing import Any

import duckdb

SECONDS, ROWS, COLUMNS, CHARACTERS = 10, 1000, 100, 2000  # the last: of a value
MOST_CHARACTERS = 8_000_000  # of an answer
LONGEST = 100_000  # characters of a query
MEMORY = 2_500_000_000  # bytes of addresses, of which DuckDB takes a gigabyte for data
EXPLAIN = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s+)?(?=\S)", re.IGNORECASE)
ONE = "one SELECT or EXPLAIN statement is taken here"
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "memory_limit": "1GB",
    "temp_directory": "", "threads": "2",
}  # fmt: skip


class Refused(Exception):
    """A query that is not taken; the message says why."""


def checked(query: str) -> tuple[str, bool]:
    """Return a query's SELECT, and what is to be explained before it: ``EXPLAIN``, ``EXPLAIN ANALYZE`` or nothing.

    Raises:
        Refused: It is anything but one SELECT, or EXPLAIN of one.
    """
    if len(query) > LONGEST:
        raise Refused(f"the query has over {LONGEST:,} characters")
    explain = EXPLAIN.match(query)
    rest = query[explain.end() :] if explain else query
    try:
        statements = duckdb.extract_statements(rest)
    except duckdb.Error as error:
        raise Refused(one_line(error)) from None
    if len(statements) != 1:
        raise Refused(f"{ONE}; found {len(statements) or 'none'}")
    kind = statements[0].type.name
    if kind != "SELECT":
        raise Refused(f"{ONE}; found {kind}{' after EXPLAIN' if explain else ''}")
    return query if explain else rest, explain is not None


def answer(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    """Return what a query answers: columns, types, at most ``ROWS`` rows of texts, and whether there are more."""
    text, explains = checked(query)
    started = time.monotonic()
    if explains:
        rows = con.execute(text).fetchmany(ROWS)
        columns, types = ["plan"], ["VARCHAR"]
        rows = [(str(row[-1]),) for row in rows]
    else:
        relation = con.sql(text)
        columns, types = relation.columns[:COLUMNS], [str(kind) for kind in relation.types[:COLUMNS]]
        relation = relation.project(f"left(COLUMNS(*)::VARCHAR, {CHARACTERS + 1})").limit(ROWS + 1)
        rows = [row[:COLUMNS] for row in relation.fetchall()]
        if len(relation.columns) > COLUMNS:
            columns = [*columns[:-1], f"{columns[-1]} (and {len(relation.columns) - COLUMNS + 1} more columns)"]
    shown = within(rows[:ROWS])
    return {
        "columns": columns, "types": types, "rows": shown, "more": len(rows) > len(shown), "most": len(shown),
        "seconds": time.monotonic() - started,
    }  # fmt: skip


def within(rows: list[tuple]) -> list[tuple]:
    """Return the first rows, as many as have ``MOST_CHARACTERS`` together."""
    left, kept = MOST_CHARACTERS, []
    for row in rows:
        left -= sum(len(value) for value in row if value is not None)
        if left < 0:
            break
        kept.append(row)
    return kept


def locked(file: str) -> duckdb.DuckDBPyConnection:
    """Return a connection that reads this database and no other file, and can be set no other way."""
    con = duckdb.connect(config=CONFIG)
    con.execute("ATTACH '" + file.replace("'", "''") + "' AS held (READ_ONLY)")
    con.execute("USE held")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def one_line(error: BaseException) -> str:
    """Return DuckDB's message without the picture of the query below it."""
    return " ".join(str(error).partition("\n\n")[0].split())[:600]


def main() -> None:
    """Answer the query on stdin about the database that the first argument names."""
    con = locked(sys.argv[1])
    for name, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, 4 * SECONDS)):
        hard = resource.getrlimit(name)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has no limit of addresses
            resource.setrlimit(name, (most, most))
    timer = threading.Timer(SECONDS, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        found = answer(con, sys.stdin.read(LONGEST + 1))
    except Refused as error:
        found = {"error": str(error)}
    except duckdb.InterruptException:
        found = {"error": f"stopped: the query took over {SECONDS} s"}
    except (duckdb.OutOfMemoryException, MemoryError):
        found = {"error": "stopped: the query needs over 1 GB of memory"}
    except duckdb.Error as error:
        found = {"error": one_line(error)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
