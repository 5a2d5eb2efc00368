"""A cache of numbers computed from texts, by the hash of the text: embeddings and sketches.

A folder (``Store.cache_folder``) holds the values of one maker: a model, or a step with its settings. It has Parquet
files of some hundred rows with the columns ``text_hash`` and ``value``. Each is written whole as soon as its values are
computed, so a process that is killed loses one file's values at most. The values that are read come as one column that
is mapped from a file, so they are never all in memory.
"""

import hashlib
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from curate.storage.damage import Damaged, files_damage
from curate.storage.files import disk_failed, sync
from curate.storage.mapped_columns import as_series, mapped_rows
from schemas.ids import fingerprint
from schemas.progress import Progress, StageWarning

BLOCK = 50_000  # texts in memory at a time


def cached_by_text(
    texts: pl.Series,
    folder: Path,
    make: Callable[[pl.Series], np.ndarray],
    shard: int,
    progress: Progress,
    label: str,
    each: Callable[[Callable[[pl.Series], np.ndarray], Iterable[pl.Series]], Iterable[np.ndarray]] = map,
) -> pl.Series:
    """Return the value of each text, from the cache or computed now.

    Args:
        texts: The texts; a null counts as an empty text.
        folder: The cache's folder, which is made if it is missing.
        make: Takes texts and returns an array with a row for each. It is called for texts of similar length that the
            cache has no value of.
        shard: The most texts of a call to ``make``, and of a file.
        progress: The display to report to.
        label: The label of the work on the display.
        each: How ``make`` is called for the parts of the texts: as ``map``, or some parts ahead.

    Returns:
        A Series of ``Array(..., d)``, one row a text.

    Raises:
        Failed: The disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*"):  # of a process that was killed while it wrote
        leftover.unlink(missing_ok=True)
    rows = pl.DataFrame({"text_hash": _hashes(texts)}).with_row_index("row")
    for damage in _set_damaged_aside(folder):
        progress.warn(StageWarning(label, f"{damage}"))
    cached = _index(folder)
    missing = rows.join(cached, on="text_hash", how="anti").unique("text_hash", keep="first")
    progress.begin(label, missing.height, "texts")
    if missing.height:
        lengths = texts.str.len_bytes().fill_null(0)
        missing = missing.with_columns(length=lengths.gather(missing["row"])).sort("length", "text_hash")
        parts = list(missing.iter_slices(shard))
        made = each(make, (texts.gather(part["row"]).fill_null("") for part in parts))
        for part, values in zip(parts, made, strict=True):
            cached = pl.concat([cached, _write(folder, part["text_hash"], np.ascontiguousarray(values))])
            progress.advance(part.height)
    return as_series(_gather(rows, cached, folder), "value")


def _hashes(texts: pl.Series) -> pl.Series:
    """Return 32 hex digits of the SHA-256 of each text."""
    parts = []
    for low in range(0, len(texts), BLOCK):
        block = texts[low : low + BLOCK].fill_null("")
        parts.append(pl.Series([hashlib.sha256(t.encode("utf-8", "surrogatepass")).hexdigest()[:32] for t in block]))
    return pl.concat(parts) if parts else pl.Series([], dtype=pl.String)


def _set_damaged_aside(folder: Path) -> list[Damaged]:
    """Rename files of a cache that cannot be read, so that their values are computed again; return what is wrong."""
    damages = list(files_damage(sorted(folder.glob("*.parquet"))))
    for damage in damages:
        damage.path.rename(damage.path.with_suffix(".damaged"))
    return [Damaged(one.path, one.problem, "its values are computed again") for one in damages]


def _index(folder: Path) -> pl.DataFrame:
    """Return where each cached value is: ``text_hash``, ``file`` (its name) and ``at`` (the row in the file)."""
    schema = {"text_hash": pl.String, "file": pl.String, "at": pl.Int64}
    parts = [
        pl.read_parquet(file, columns=["text_hash"]).select(
            "text_hash", file=pl.lit(file.name), at=pl.int_range(pl.len())
        )
        for file in sorted(folder.glob("*.parquet"))
    ]
    index = pl.concat([pl.DataFrame(schema=schema), *parts])
    return index.unique("text_hash", keep="first", maintain_order=True)


def _write(folder: Path, hashes: pl.Series, values: np.ndarray) -> pl.DataFrame:
    """Write a file of values; return its part of the index."""
    name = f"{fingerprint(hashes.to_list())[:16]}.parquet"
    hidden = folder / f".{name}"
    try:
        parquet = BytesIO()  # the file is not Polars' to write: its errors do not say that the disk is full
        table = pl.DataFrame({"text_hash": hashes, "value": as_series(values, "value")})
        table.write_parquet(parquet, compression="uncompressed")
        hidden.write_bytes(parquet.getbuffer())
        sync(hidden)  # so that the renamed file has its content even after a power failure
        hidden.rename(folder / name)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise disk_failed(folder, error) from None
    return pl.DataFrame({"text_hash": hashes}).select("text_hash", file=pl.lit(name), at=pl.int_range(pl.len()))


def _gather(rows: pl.DataFrame, cached: pl.DataFrame, folder: Path) -> np.ndarray:
    """Return the value of each row in order, read file by file."""
    places = rows.join(cached, on="text_hash").select("row", "file", "at").sort("file", "row")
    gathered = np.zeros((0, 0), np.float32)
    for (name,), part in places.group_by("file", maintain_order=True):
        values = pl.read_parquet(folder / name, columns=["value"])["value"].to_numpy()
        if not gathered.size:
            gathered = mapped_rows(rows.height, values.shape[1], values.dtype, folder)
        gathered[part["row"].to_numpy()] = values[part["at"].to_numpy()]
    return gathered
