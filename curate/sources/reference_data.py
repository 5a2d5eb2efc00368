"""Read the texts that rows are compared with (``against``): files, hub data sets, or the stores of earlier runs.

An entry of ``against`` is what a source may name (a file, a folder, a pattern, a hub name, a URL), or a mapping with
``path`` and the settings ``fields``, ``hub``, ``split`` and ``limit`` of a source. A folder with a ``store.json`` is a
store; its rows are those that the steps over its prompts and completions kept.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curate.algorithms.text import same_text
from curate.sources.files.file_names import is_pattern, pattern_folder
from curate.sources.open_source import content_of, source_path
from curate.sources.read_source import Source, read_source
from curate.sources.remote.hub_names import hub_place, is_hub_url
from curate.sources.remote.urls import is_url, shown_url, without_secrets
from curate.steps.code_hash import code_hash
from curate.storage.sql_views import connect
from curate.storage.store import Store, is_store
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint
from schemas.rows import PROMPTS
from schemas.sql_frames import frame_of

KEYS = ("path", "fields", "hub", "split", "limit")
SCHEMA = {"text": pl.String, "file": pl.String, "line": pl.Int64, "row_id": pl.String}


class ReferenceData(NamedTuple):
    """Texts to compare rows with.

    Attributes:
        rows: The columns of ``SCHEMA``: the text, the file as the recipe names it, the line (null for a row of a store)
            and the id of the row.
        content: A fingerprint that changes when the rows do.
    """

    rows: pl.DataFrame
    content: str


class _TextColumns(NamedTuple):
    """The columns that a row's text is made of, and the id of the rows: of prompts or of completions.

    Where ``of_conversations``, messages take the place of a text only in conversations (``same_text.conversations``).
    """

    id: str
    columns: tuple[str, ...]
    of_conversations: bool = False


def read_reference_data(
    against: Any,
    column: str,
    folder: Path,
    own_store: Path,
    where: str,
    dataset_type: str = "",
    *,
    turns: bool = False,
) -> ReferenceData:
    """Return the texts of all entries of ``against``, in their order.

    Args:
        against: An entry, or a list of them (see above).
        column: The column of prompts or of completions that is compared, or ``row`` for prompt and response.
        folder: The folder that paths are relative to.
        own_store: The store of this run, which is refused as an entry.
        where: ``file:line``, with which an error begins.
        dataset_type: The type of the dataset whose rows are compared, if they are a dataset's. The texts are then those
            that ``curate.datasets.trl_rows.text_of`` returns for rows of that type.
        turns: Whether the text of a conversation is all its turns, as ``curate.pipeline.dedup`` compares them.

    Raises:
        UserError: An entry is wrong, cannot be read or has no row with the column.
    """
    entries = against if isinstance(against, list) else [against]
    if not entries:
        raise UserError(f"{where}: against: expected a file, a data set or a store, or a list of them, found []")
    code = code_hash(_read_entry)  # how an entry's texts are made
    columns = _text_columns(column, dataset_type) if turns else _text_column(column)
    parts, contents = [pl.DataFrame(schema=SCHEMA)], [column, dataset_type, code]
    for entry in entries:
        settings = _check_entry(entry, where)
        rows, content = _read_entry(settings, columns, folder, own_store, where)
        if rows.is_empty():
            raise UserError(f"{where}: against: {without_secrets(settings['path'])} has no row with a {column!r}")
        parts.append(rows.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))
        contents += [settings["path"], content]
    return ReferenceData(pl.concat(parts), fingerprint(contents))


def _check_entry(entry: Any, where: str) -> dict[str, Any]:
    """Return an entry of ``against`` as a mapping with ``path``; raise ``UserError`` for anything else."""
    settings = {"path": entry} if isinstance(entry, str) else entry
    if not isinstance(settings, dict) or not isinstance(settings.get("path"), str) or not settings["path"]:
        raise UserError(f"{where}: against: expected a file, a data set or a store, found {entry!r}")
    for key in settings:
        if key not in KEYS:
            raise unknown("key of against called", key, KEYS, where)
    return settings


def _read_entry(
    settings: dict[str, Any], text: _TextColumns, folder: Path, own_store: Path, where: str
) -> tuple[pl.DataFrame, str]:
    """Return the rows of one entry in the columns of ``SCHEMA``, and a fingerprint of them."""
    name, settings = settings["path"], {k: v for k, v in settings.items() if k != "path"}
    path = folder / Path(name).expanduser()
    if is_store(path):
        if path.resolve() == own_store:
            raise UserError(f"{where}: against: {name} is the store of this run; name another, or a file")
        if settings:
            raise unknown("key of against for a store called", next(iter(settings)), ["path"], where)
        rows = _read_store(path, name, text)
        return rows, _rows_fingerprint(rows)
    try:
        source = source_path(name, folder, settings.get("hub"))
    except UserError as error:
        raise UserError(f"{where}: against: {error}") from None
    if isinstance(source, Path) and not source.exists() and not is_pattern(source):
        raise UserError(f"{where}: against: there is no file, store or hub data set {name!r}")
    if not isinstance(settings.get("hub", {}), dict):
        raise UserError(f"{where}: against: hub: expected a mapping such as {{split: test}}, found {settings['hub']!r}")
    try:
        content = content_of(source, settings.get("split"), settings.get("hub"))
        if content is None:
            rows = _source_rows(read_source(source, **settings), source, name, text)
            return rows, _rows_fingerprint(rows)
        return _read_file(source, name, text, content, json.dumps(settings)), fingerprint([content, settings])
    except (UserError, TypeError) as error:
        raise UserError(f"{where}: against: {error}") from None


def _rows_fingerprint(rows: pl.DataFrame) -> str:
    """Return a fingerprint of rows, computed a part at a time."""
    digest = hashlib.sha256()
    for part in rows.iter_slices(50_000):
        digest.update(part.write_ndjson().encode())
    return digest.hexdigest()[:32]


@lru_cache(maxsize=8)
def _read_file(source: Path | str, name: str, text: _TextColumns, _content: str, settings: str) -> pl.DataFrame:
    """Return the rows of files, read once for a plan and the run after it. Settings are JSON text, for the cache."""
    return _source_rows(read_source(source, **json.loads(settings)), source, name, text)


def _source_rows(source: Source, path: Path | str, name: str, text: _TextColumns) -> pl.DataFrame:
    """Return the rows of a source in the columns of ``SCHEMA``."""
    rows = source.prompts
    if text.id != "prompt_id":
        rows = source.completions.rename({"messages": "completion"}).join(
            rows, on="prompt_id", how="left", maintain_order="left"
        )
    return _with_text(rows, _shown_file(path, name), text)


def _shown_file(path: Path | str, name: str) -> pl.Expr:
    """Return the file of a source's rows, as the recipe names it: with several files, the name of each below it."""
    if is_url(path) and not is_hub_url(path):
        return pl.lit(shown_url(name))
    if isinstance(path, Path) and not path.is_dir() and not is_pattern(path):
        return pl.lit(name)
    if isinstance(path, str):
        base = hub_place(name)
    else:
        base = str(pattern_folder(Path(name))) if is_pattern(path) else name.rstrip("/")
    folder = "" if base == "." else f"{base}/"
    return pl.when(pl.col("file").is_null()).then(pl.lit(base)).otherwise(pl.lit(folder) + pl.col("file"))


def _read_store(path: Path, name: str, text: _TextColumns) -> pl.DataFrame:
    """Return the rows of a store's latest runs that no step over prompts or completions dropped."""
    dropped = "SELECT row_id FROM decisions WHERE NOT kept AND (stage LIKE 'prompts.%' OR stage LIKE 'completions.%')"
    prompts = f"SELECT * EXCLUDE (line) FROM prompts WHERE prompt_id NOT IN ({dropped})"
    rows = f"FROM (SELECT *, NULL AS line FROM ({prompts}))"
    if text.id != "prompt_id":
        rows += f"""JOIN (SELECT * RENAME (messages AS completion) FROM completions
                          WHERE error IS NULL AND completion_id NOT IN ({dropped})) USING (prompt_id)"""
    columns = ", ".join(f'"{column}"' for column in dict.fromkeys((text.id, "line", *text.columns)))
    with connect(Store(path, create=False)) as con:
        found = frame_of(con.sql(f"SELECT {columns} {rows} ORDER BY 1"))
    return _with_text(found, pl.lit(name), text)


def _text_column(column: str) -> _TextColumns:
    return _TextColumns("prompt_id" if column in PROMPTS else "completion_id", (column,))


def _text_columns(column: str, dataset_type: str) -> _TextColumns:
    """Return the columns that a text is made of: one column, or pairs of a text and its messages."""
    if column == "prompt":
        return _TextColumns("prompt_id", ("prompt", "messages"), of_conversations=True)
    if not dataset_type and column == "response":
        return _TextColumns("completion_id", ("response", "completion"), of_conversations=True)
    if not dataset_type:
        return _text_column(column)
    prompt = ("prompt", "messages") if column == "row" else ()
    if dataset_type == "prompt":
        return _TextColumns("prompt_id", prompt)
    return _TextColumns("completion_id", (*prompt, "response", "completion"))


def _with_text(rows: pl.DataFrame, file: pl.Expr, text: _TextColumns) -> pl.DataFrame:
    """Return the rows that have a text, in the columns of ``SCHEMA``.

    Of a text and its messages, the messages are taken where they have more than the one text
    (``same_text.more_than_text``), or are a conversation.
    """
    if not {*text.columns} <= {*rows.columns}:
        return pl.DataFrame(schema=SCHEMA)
    joined = pl.col(text.columns[0])
    if text.of_conversations:
        joined = same_text.as_text(same_text.conversations(rows[text.columns[1]])).fill_null(rows[text.columns[0]])
        return rows.select(joined.alias("text"), file=file, line="line", row_id=text.id).drop_nulls("text")
    if len(text.columns) > 1:
        pairs = zip(text.columns[::2], text.columns[1::2], strict=True)
        parts = [
            same_text.as_text(same_text.more_than_text(rows[messages])).fill_null(rows[text_column]).fill_null("")
            for text_column, messages in pairs
        ]
        joined = pl.concat_str(parts, separator="\n")
    return rows.select(joined.alias("text"), file=file, line="line", row_id=text.id).drop_nulls("text")
