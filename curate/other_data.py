"""Other data that rows are compared with (``against``): files, hub data sets, or the store of an earlier run.

An entry is a path or a hub name, or a mapping with ``path`` and what ``source`` takes beside it: ``fields``, ``hub``,
``limit``. A folder with a ``store.json`` is a store: its rows are those that its prompts' and completions' steps kept.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curate.catalog import connect
from curate.hub import is_hub_name
from curate.sources import read_source
from curate.store import Store, file_hash
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint

KEYS = ("path", "fields", "hub", "limit")
SCHEMA = {"text": pl.String, "file": pl.String, "line": pl.Int64, "row_id": pl.String}


class OtherData(NamedTuple):
    """``rows``: text, file (as the recipe names it), line (null where a store has none), row_id; and their content."""

    rows: pl.DataFrame
    content: str


def read_other(against: Any, on: str, folder: Path, own: Path, where: str) -> OtherData:
    """Read the texts of other data.

    ``on`` is a column of prompts or of completions, or ``row``: prompt and response. Paths are relative to ``folder``;
    ``own`` is the store that is being written to, which is no other data. Raises ``UserError`` beginning with
    ``where``.
    """
    entries = against if isinstance(against, list) else [against]
    if not entries:
        raise UserError(f"{where}: against: expected a file, a data set or a store, or a list of them, found []")
    parts, contents = [pl.DataFrame(schema=SCHEMA)], []
    for entry in entries:
        given = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(given, dict) or not isinstance(given.get("path"), str) or not given["path"]:
            raise UserError(f"{where}: against: expected a file, a data set or a store, found {entry!r}")
        for key in given:
            if key not in KEYS:
                raise unknown("key of against called", key, KEYS, where)
        rows, content = _read(given, on, folder, own, where)
        if rows.is_empty():
            raise UserError(f"{where}: against: {given['path']} has no row with a {on!r}")
        parts.append(rows.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))
        contents.append(content)
    return OtherData(pl.concat(parts), fingerprint([on, contents]))


def _read(given: dict[str, Any], on: str, folder: Path, own: Path, where: str) -> tuple[pl.DataFrame, str]:
    name, settings = given["path"], {k: v for k, v in given.items() if k != "path"}
    path = folder / Path(name).expanduser()
    if (path / "store.json").exists():
        if path.resolve() == own:
            raise UserError(f"{where}: against: {name} is the store of this run; name another, or a file")
        return _of_store(path, name, on)
    hub = "hub" in settings or (not path.exists() and is_hub_name(name))
    if not hub and not path.is_file():
        raise UserError(f"{where}: against: there is no file, store or hub data set {name!r}")
    try:
        if hub:
            rows = _of_source(read_source(name, **settings), name, on)
            return rows, fingerprint(rows["text"].to_list())
        key = file_hash(path)
        return _of_file(path, name, on, key, json.dumps(settings)), fingerprint([key, settings])
    except TypeError as error:
        raise UserError(f"{where}: against: {error}") from None


@lru_cache(maxsize=8)
def _of_file(path: Path, name: str, on: str, _content: str, settings: str) -> pl.DataFrame:
    """A file's rows, read once for a plan and the run after it; settings are JSON text, as a cache's keys must be."""
    return _of_source(read_source(path, **json.loads(settings)), name, on)


def _of_source(found: Any, name: str, on: str) -> pl.DataFrame:
    prompts, answers = found.prompts, found.completions
    if on in prompts.columns:
        rows = prompts.select(text=on, line="line", row_id="prompt_id")
    else:
        lines = prompts.select("prompt_id", "line", "prompt")
        rows = answers.join(lines, on="prompt_id", how="left", maintain_order="left").select(
            text=pl.concat_str(pl.col("prompt").fill_null(""), pl.col("response").fill_null(""), separator="\n")
            if on == "row" else on, line="line", row_id="completion_id")  # fmt: skip
    return rows.drop_nulls("text").with_columns(file=pl.lit(name))


def _of_store(path: Path, name: str, on: str) -> tuple[pl.DataFrame, str]:
    """The rows of a store's latest runs that are still in after the steps over prompts and completions."""
    of_prompts = "SELECT prompt_id AS row_id, {} AS text FROM prompts"
    joined = "SELECT completion_id AS row_id, {} AS text FROM completions LEFT JOIN prompts USING (prompt_id)"
    with connect(Store(path, create=False)) as con:
        columns = {row[0] for row in con.execute("DESCRIBE prompts").fetchall()}
        what = "coalesce(prompt, '') || chr(10) || coalesce(response, '')" if on == "row" else f'"{on}"'
        query = (of_prompts if on in columns else joined).format(what)
        rows = pl.from_arrow(con.sql(
            f"SELECT * FROM ({query}) WHERE text IS NOT NULL AND row_id NOT IN (SELECT row_id FROM decisions "
            "WHERE NOT kept AND (stage LIKE 'prompts.%' OR stage LIKE 'completions.%')) ORDER BY row_id"
        ).to_arrow_table())  # fmt: skip
    rows = rows.with_columns(file=pl.lit(name), line=pl.lit(None, pl.Int64))
    return rows, fingerprint(rows["row_id"].to_list())
