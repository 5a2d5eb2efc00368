"""The SELECT behind each table of the store in SQL: the rows of Parquet files, each row once.

Files are named by their path in the store. The macro ``in_store`` puts the store's own place before it: in a database
in memory the place that it has; in ``gristmill.duckdb`` the folder that this file is in when it is opened, so that the
views hold wherever the store is copied or moved.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from curate.storage.stage import PART
from schemas.rows import JSON, RUN_TABLES, TEXT

# A database's temporary folder is its own path with ``.tmp`` at the end, unless the client names another: the one way
# for a view to know its own place. ``SET VARIABLE store = '/data/store'`` comes before it. Where neither says
# anything, as in a database that has this one attached, it is the folder that the store had when this was written.
OWN_FOLDER = r"nullif(regexp_extract(current_setting('temp_directory'), '^(.*/)gristmill\.duckdb\.tmp$', 1), '')"

# A table's files in a stage: the stage's label, the run that made it, and the paths of the files in the store.
StageFiles = tuple[str, str | None, list[str]]


def in_store_macro(folder: Path, *, movable: bool) -> str:
    """Return the statement that makes the macro ``in_store``, which takes paths in the store and returns whole ones.

    Args:
        folder: The store's folder.
        movable: Whether the macro is for a file in the store's folder that may be copied or moved with it.
    """
    place = literal(f"{folder}/")
    if movable:
        place = f"coalesce(getvariable('store') || '/', {OWN_FOLDER}, {place})"
    return f"CREATE MACRO in_store(files) AS list_transform(files, lambda file: {place} || file)"


def table_select(table: str, columns: Mapping[str, str], key: tuple[str, ...], stages: list[StageFiles]) -> str:
    """Return the SELECT of a table. Of rows with the same key in several stages, it has the first stage's.

    A column that came after a stage was made is null in its rows. A table of ``RUN_TABLES`` has the column ``run_id``
    at the end. Columns of JSON, which are text in the files, have that type.
    """
    casts = ", ".join(f'"{name}"::JSON AS "{name}"' for name, kind in columns.items() if kind == JSON)
    rows = _text_select(table, columns, key, stages)
    return f"SELECT * REPLACE ({casts}) FROM ({rows})" if casts else rows


def _text_select(table: str, columns: Mapping[str, str], key: tuple[str, ...], stages: list[StageFiles]) -> str:
    """Return the SELECT of a table with JSON as text, as it is in the files."""
    nothing = nothing_of({name: TEXT if kind == JSON else kind for name, kind in columns.items()})
    runs = {file: run for _, run, files in stages for file in files} if table in RUN_TABLES else None
    if not stages:
        return nothing
    unique_files, shared_files = [], []
    labels = Counter(label for label, _, _ in stages)
    distinct = _label_is_key(table, list(labels)) or len(stages) == 1
    for label, _, files in stages:
        (unique_files if distinct and labels[label] == 1 else shared_files).extend(files)
    parts = [_rows(unique_files, runs)] if unique_files else []
    if shared_files:
        order = ", ".join(literal(file) for file in shared_files)
        place = f"list_position([{order}], {_path_in_store('filename')})"
        parts.append(
            f"SELECT DISTINCT ON ({', '.join(key)}) * EXCLUDE (filename) FROM ({_rows(shared_files, runs, 'filename')})"
            f" ORDER BY {place}"
        )
    return " UNION ALL BY NAME ".join(f"({part})" for part in (nothing, *parts))


def decision_history_select(columns: Mapping[str, str], stages: list[StageFiles]) -> str:
    """Return the SELECT of the decisions of all these stages, also those that a later run made anew.

    ``path`` is the stage's folder, as in the table ``stages``, and ``row`` puts the decisions of a stage in order.
    """
    nothing = nothing_of(columns)
    files = [file for _, _, files in stages for file in files]
    if not files:
        return nothing
    file = r"regexp_extract(filename, '(\d+)\.parquet$', 1)::BIGINT"
    rows = (
        f"SELECT * EXCLUDE (filename, file_row_number), split_part({_path_in_store('filename')}, '/', 2) AS path, "
        f"{file} * {PART} + file_row_number AS row FROM {_read(files)}, filename = true, file_row_number = true)"
    )
    return f"({nothing}) UNION ALL BY NAME ({rows})"


def embeddings_select(columns: Mapping[str, str], files: list[str]) -> str:
    """Return the SELECT of the embeddings in these files, whose folders' names begin with their models'."""
    nothing = nothing_of(columns)
    if not files:
        return nothing
    model = f"regexp_replace(split_part({_path_in_store('filename')}, '/', 2), '-[0-9a-f]+$', '')"
    read = f"read_parquet({_in_store(files)}, filename = true)"  # each has the same columns
    return (
        f"({nothing}) UNION ALL BY NAME "
        f"(SELECT DISTINCT ON (model, text_hash) {model} AS model, text_hash, value FROM {read})"
    )


def by_hand_select(columns: Mapping[str, str], files: list[str]) -> str:
    """Return the SELECT of the labels in force in a store's file of labels, as ``hand_labels.read_labels`` has them."""
    if not files:
        return nothing_of(columns)
    values = ", ".join(f"line ->> '{name}' AS \"{name}\"" for name in ("row_id", "label", "over", "text", "by", "at"))
    kind = "CASE WHEN label IN ('keep', 'drop') THEN 'fate' ELSE label END"
    low, high = (f'{side}(row_id, coalesce("over", row_id))' for side in ("least", "greatest"))
    return f"""WITH
        texts AS (SELECT string_split(content, chr(10))[:-2] AS texts FROM read_text({_in_store(files)})),
        numbered AS (SELECT unnest(texts) AS line, generate_subscripts(texts, 1) AS number FROM texts),
        lines AS (SELECT number, {values} FROM numbered WHERE json_valid(line)),
        cleared AS (SELECT row_id, max(number) AS number FROM lines WHERE label = 'clear' GROUP BY row_id),
        last AS (
            SELECT * FROM lines WHERE label IN ('keep', 'drop', 'prefer', 'edit', 'note')
            QUALIFY row_number() OVER (PARTITION BY {kind}, {low}, {high} ORDER BY number DESC) = 1
        )
        SELECT
            l.row_id, l.label, l."over" AS over_id, l.text, l."by" AS person, try_cast(l."at" AS TIMESTAMP) AS given_at
        FROM last AS l LEFT JOIN cleared AS a ON a.row_id = l.row_id LEFT JOIN cleared AS b ON b.row_id = l."over"
        WHERE l.number > greatest(coalesce(a.number, 0), coalesce(b.number, 0)) ORDER BY l.number"""


def nothing_of(columns: Mapping[str, str]) -> str:
    """Return a SELECT of these columns that has no rows."""
    return "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items()) + " WHERE false"


def refusal(columns: Mapping[str, str], message: str) -> str:
    """Return a SELECT of these columns that raises an error when it is read, also under a condition on any of them."""
    error = f"error({literal(message)})"
    return (
        "SELECT "
        + ", ".join(f'{error}::{kind} AS "{name}"' for name, kind in columns.items())
        + f" WHERE {error}::BOOLEAN"
    )


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return a column's or a table's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _label_is_key(table: str, labels: list[str]) -> bool:
    """Return whether stages of different labels never hold the same row of a table, so that no row need be looked for.

    The label is in the key of a decision (``stage``), of a dataset's row (``dataset``) and of a score (``scorer``),
    except for scores that a source recorded.
    """
    if table == "scores":
        return all(label.split(".")[1] in ("score", "by_hand") for label in labels)
    return table in ("decisions", "diversity", "sft", "preferences", "unpaired", "rl_prompts")


def _rows(files: list[str], runs: dict[str, str | None] | None, more: str = "") -> str:
    """Return a SELECT of the rows of files, with the run that made each if it is asked for, and a further column."""
    if runs is None and not more:
        return f"SELECT * FROM {_read(files)})"
    columns = "*" if more else "* EXCLUDE (filename)"
    if runs is not None:
        made = ", ".join(f"{literal(file)}: {literal(run)}" for file in files if (run := runs[file]) is not None)
        run_id = f"MAP {{{made}}}[{_path_in_store('filename')}]" if made else "NULL"
        columns += f", {run_id}::VARCHAR AS run_id"
    return f"SELECT {columns} FROM {_read(files)}, filename = true)"


def _read(files: list[str]) -> str:
    """Return the call that reads files, left open for further options."""
    return f"read_parquet({_in_store(files)}, union_by_name = true"


def _in_store(files: list[str]) -> str:
    return f"in_store([{', '.join(literal(file) for file in files)}])"


def _path_in_store(column: str) -> str:
    """Return the last three parts of a path: ``stages/train-sft-3f9a/trainings-0000.parquet``."""
    return rf"regexp_extract({column}, '[^/]+/[^/]+/[^/]+$')"
