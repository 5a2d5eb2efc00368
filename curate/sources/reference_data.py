"""Other data that rows are compared with (``against``): files, hub data sets, or the store of an earlier run.

An entry is a path or a hub name, or a mapping with ``path`` and what ``source`` takes beside it: ``fields``, ``hub``,
``limit``. A folder with a ``store.json`` is a store: its rows are those that its prompts' and completions' steps kept.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curate.algorithms.text import same_text as same
from curate.sources.hub import is_hub_name
from curate.sources.read_source import read_source
from curate.steps.registry import HERE as CURATE
from curate.steps.registry import source_hash
from curate.storage.sql_views import connect
from curate.storage.store import Store, file_hash
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint
from schemas.rows import PROMPTS

KEYS = ("path", "fields", "hub", "limit")
SCHEMA = {"text": pl.String, "file": pl.String, "line": pl.Int64, "row_id": pl.String}


class ReferenceData(NamedTuple):
    """``rows``: text, file (as the recipe names it), line (null where a store has none), row_id; and their content."""

    rows: pl.DataFrame
    content: str


def read_reference_data(against: Any, on: str, folder: Path, own: Path, where: str, of: str = "") -> ReferenceData:
    """Read the texts of other data.

    ``on`` is a column of prompts or of completions, or ``row``: prompt and response. ``of`` is the type of the dataset
    whose rows are compared, if any: then texts are what ``curate.datasets.trl_rows.text_of`` makes of rows of that type. Paths
    are relative to ``folder``; ``own`` is the store that is being written to, which is no other data. Raises
    ``UserError`` beginning with ``where``.
    """
    entries = against if isinstance(against, list) else [against]
    if not entries:
        raise UserError(f"{where}: against: expected a file, a data set or a store, or a list of them, found []")
    parts, contents = [pl.DataFrame(schema=SCHEMA)], [on, of, source_hash(CURATE / "sources/read_source.py")]
    for entry in entries:
        given = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(given, dict) or not isinstance(given.get("path"), str) or not given["path"]:
            raise UserError(f"{where}: against: expected a file, a data set or a store, found {entry!r}")
        for key in given:
            if key not in KEYS:
                raise unknown("key of against called", key, KEYS, where)
        rows, content = _read(given, (on, of), folder, own, where)
        if rows.is_empty():
            raise UserError(f"{where}: against: {given['path']} has no row with a {on!r}")
        parts.append(rows.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))
        contents += [given["path"], content]
    return ReferenceData(pl.concat(parts), fingerprint(contents))


def _read(
    given: dict[str, Any], what: tuple[str, str], folder: Path, own: Path, where: str
) -> tuple[pl.DataFrame, str]:
    name, settings = given["path"], {k: v for k, v in given.items() if k != "path"}
    path = folder / Path(name).expanduser()
    if (path / "store.json").exists():
        if path.resolve() == own:
            raise UserError(f"{where}: against: {name} is the store of this run; name another, or a file")
        if settings:
            raise unknown("key of against for a store called", next(iter(settings)), ["path"], where)
        rows = _of_store(path, name, what)
        return rows, _content(rows)
    hub = "hub" in settings or (not path.exists() and is_hub_name(name))
    if not hub and not path.is_file():
        raise UserError(f"{where}: against: there is no file, store or hub data set {name!r}")
    if not isinstance(settings.get("hub", {}), dict):
        raise UserError(f"{where}: against: hub: expected a mapping such as {{split: test}}, found {settings['hub']!r}")
    try:
        if hub:
            rows = _of_source(read_source(name, **settings), name, what)
            return rows, _content(rows)
        key = file_hash(path)
        return _of_file(path, name, what, key, json.dumps(settings)), fingerprint([key, settings])
    except (UserError, TypeError) as error:
        raise UserError(f"{where}: against: {error}") from None


def _content(rows: pl.DataFrame) -> str:
    """A fingerprint of rows, part by part."""
    digest = hashlib.sha256()
    for part in rows.iter_slices(50_000):
        digest.update(part.write_ndjson().encode())
    return digest.hexdigest()[:32]


@lru_cache(maxsize=8)
def _of_file(path: Path, name: str, what: tuple[str, str], _content: str, settings: str) -> pl.DataFrame:
    """A file's rows, read once for a plan and the run after it; settings are JSON text, as a cache's keys must be."""
    return _of_source(read_source(path, **json.loads(settings)), name, what)


def _of_source(found: Any, name: str, what: tuple[str, str]) -> pl.DataFrame:
    rows, (id, columns) = found.prompts, _needed(*what)
    if id != "prompt_id":
        rows = found.completions.rename({"messages": "completion"}).join(
            rows, on="prompt_id", how="left", maintain_order="left"
        )
    return _texts(rows, name, id, columns)


def _of_store(path: Path, name: str, what: tuple[str, str]) -> pl.DataFrame:
    """The rows of a store's latest runs that are still in after the steps over prompts and completions."""
    id, columns = _needed(*what)
    out = "SELECT row_id FROM decisions WHERE NOT kept AND (stage LIKE 'prompts.%' OR stage LIKE 'completions.%')"
    rows = f"FROM (SELECT *, NULL AS line FROM (SELECT * EXCLUDE (line) FROM prompts WHERE prompt_id NOT IN ({out})))"
    if id != "prompt_id":
        rows += f"""JOIN (SELECT * RENAME (messages AS completion) FROM completions
                          WHERE error IS NULL AND completion_id NOT IN ({out})) USING (prompt_id)"""
    wanted = ", ".join(f'"{column}"' for column in dict.fromkeys((id, "line", *columns)))
    with connect(Store(path, create=False)) as con:
        found = pl.from_arrow(con.sql(f"SELECT {wanted} {rows} ORDER BY 1").to_arrow_table())
    return _texts(found, name, id, columns)


def _needed(on: str, of: str) -> tuple[str, list[str]]:
    """Which rows are meant, by the name of their id, and the columns their text is made of."""
    if not of or on == "prompt":
        return "prompt_id" if on in PROMPTS else "completion_id", [on]
    told = ["prompt", "messages"] if on == "row" else []
    return ("prompt_id", told) if of == "prompt" else ("completion_id", [*told, "response", "completion"])


def _texts(rows: pl.DataFrame, name: str, id: str, columns: list[str]) -> pl.DataFrame:
    """The rows with a text, in the columns of ``SCHEMA``. Of a text and its turns these are it, where they say more."""
    if not {*columns} <= {*rows.columns}:
        return pl.DataFrame(schema=SCHEMA)
    text = pl.col(columns[0])
    if len(columns) > 1:
        pairs = zip(columns[::2], columns[1::2], strict=True)
        parts = [same.beyond(rows[turns]).fill_null(rows[told]).fill_null("") for told, turns in pairs]
        text = pl.concat_str(parts, separator="\n")
    return rows.select(text.alias("text"), file=pl.lit(name), line="line", row_id=id).drop_nulls("text")
