"""The candidates that reach a dataset, as numbered rows: what choosing needs of each is in memory, texts stay on disk.

In memory are ids, scores and other numbers and short names. Texts are read by row number, file by file (a file holds
at most ``store.PART`` rows), so that no choice depends on how long the answers are or joins on their ids again.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curate.pipeline.pipeline import Walk
from curate.storage.rows import CANDIDATES, RowSet
from curate.storage.store import POLARS
from schemas.rows import PROMPTS

SLICE = 50_000  # rows whose texts are in memory at a time
SHORT = ("sample_index", "model", "finish_reason", "prompt_tokens", "completion_tokens", "parent_id")


@dataclass(frozen=True)
class Pool:
    """The rows that are in, numbered in their order: the narrow columns, and where on disk each one is."""

    frame: pl.DataFrame
    files: list[Path]
    file: np.ndarray  # of every row, its number in ``files``
    at: np.ndarray  # of every row, its place in that file


@dataclass(frozen=True)
class Candidates:
    """The candidates and their prompts; ``frame`` has ``__row``, ``__place`` (the prompt's row), ids, scores ..."""

    own: Pool
    prompts: Pool
    frame: pl.DataFrame


def read_pool(rows: RowSet, names: list[str] = ()) -> Pool:
    """Number the rows that are in. ``names`` are the table's own columns to hold in memory; scores come along all."""
    files = [file for stage in rows.stages for file in stage.files(rows.table)]
    columns = list(dict.fromkeys([rows.id, *names]))
    parts = [
        pl.read_parquet(file, columns=columns).select(
            *columns, __file=pl.lit(number, pl.Int32), __at=pl.int_range(pl.len(), dtype=pl.Int32)
        )
        for number, file in enumerate(files)
    ]
    if not parts:
        types = {n: t for n, t in rows.columns().items() if n in columns}
        parts = [pl.DataFrame(schema={n: types[n] for n in columns} | {"__file": pl.Int32, "__at": pl.Int32})]
    frame = pl.concat(parts)
    kept_ids = rows.kept_ids[rows.id]
    if not frame[rows.id].equals(kept_ids):
        frame = frame.filter(pl.col(rows.id).is_in(kept_ids.implode()))
    if frame.height > kept_ids.len():  # a row that two stages hold
        frame = frame.unique(rows.id, keep="first", maintain_order=True)
    file, at = frame["__file"].to_numpy(), frame["__at"].to_numpy()
    frame = frame.select(columns)
    scores = [_score(rows, frame[rows.id], name) for name in rows.scores]
    return Pool(frame.hstack(scores) if scores else frame, files, file, at)


def read_candidates(walk: Walk, names: Collection[str] = SHORT) -> Candidates:
    """Read of the candidates that are in: ids, the short columns among ``names``, their scores and their prompt's."""
    own = read_pool(walk.completions, ["prompt_id", *(n for n in SHORT if n in names)])
    prompts = read_pool(walk.prompts)
    places = prompts.frame.select("prompt_id").with_row_index("__place")
    frame = own.frame.with_row_index("__row").join(places, on="prompt_id", how="left", maintain_order="left")
    above = [name for name in walk.prompts.scores if name not in frame.columns]
    if above:
        frame = frame.hstack(prompts.frame.select(above)[frame["__place"]])
    return Candidates(own, prompts, frame)


def gather(pool: Pool, rows: pl.Series, names: list[str]) -> pl.DataFrame:
    """Return columns of these rows (numbers), in their order; read from disk, the files that hold any of them."""
    held = ["messages" if name == "completion" else name for name in names]
    order = rows.to_numpy()
    files = pool.file[order]
    parts, places = [], []
    for number in np.unique(files):
        mine = np.flatnonzero(files == number)
        frame = pl.read_parquet(pool.files[number], columns=list(dict.fromkeys(held)))
        parts.append(frame[pool.at[order[mine]]])
        places.append(mine)
    if not parts:
        types = {name: POLARS[kind] for name, kind in {**PROMPTS, **CANDIDATES}.items()}
        return pl.DataFrame(schema={name: types[name] for name in names})
    back = np.argsort(np.concatenate(places), kind="stable")
    return pl.concat(parts)[back].select(pl.col(h).alias(name) for h, name in zip(held, names, strict=True))


def with_columns(candidates: Candidates, frame: pl.DataFrame, names: list[str]) -> Iterator[pl.DataFrame]:
    """Yield rows of ``candidates.frame``, by slices: ``__row``, ``__place``, both ids and the columns ``names``."""
    wide = [n for n in dict.fromkeys(names) if n not in frame.columns]
    own = [n for n in wide if n in CANDIDATES]
    above = [n for n in wide if n not in CANDIDATES]
    narrow = dict.fromkeys(["__row", "__place", "completion_id", "prompt_id", *(n for n in names if n not in wide)])
    for part in frame.select(*narrow).iter_slices(SLICE):
        if own:
            part = part.hstack(gather(candidates.own, part["__row"], own))
        if above:
            part = part.hstack(gather(candidates.prompts, part["__place"], above))
        yield part


def _score(rows: RowSet, ids: pl.Series, name: str) -> pl.Series:
    """The values of a score, a row for an id; null where there is none."""
    parts = [
        stage.read("scores", ["row_id", "scorer", "value"]).filter(pl.col("scorer") == name)
        for stage in rows.scores[name]
    ]
    if not parts:
        return pl.Series(name, [None], dtype=pl.Float64).new_from_index(0, len(ids))
    found = pl.concat(parts)
    if len(found) == len(ids) and (found["row_id"] == ids).all():  # as they were scored: nothing to look up
        return found["value"].rename(name)
    found = found.select("row_id", "value").unique("row_id", keep="first")
    found = pl.DataFrame({"row_id": ids}).join(found, on="row_id", how="left", maintain_order="left")
    return found["value"].rename(name)
