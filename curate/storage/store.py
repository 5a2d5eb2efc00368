"""The store: a folder of finished stages in Parquet, and the history of the runs that made them.

    store/
      store.json                     the format of the store
      stages/score-length-3f9a.../   one finished stage: stage.json and its tables, scores-0000.parquet ...
      runs/20261124-101500-demo.json one run: which stages it used, what it cost
      replies/                       every model reply, durable as it arrived (``curate.storage.reply_log``)
      embeddings/                    every embedding, by model (``curate.models.embeddings``)
      sketches/                      MinHash sketches, by settings, where rows are compared with other data
      work/                          trainings in progress: checkpoints
      gristmill.duckdb               views over all of it, for any DuckDB client (``curate.storage.sql_views``)

A stage is written into a hidden folder and renamed: one that exists is whole. Only this module, ``curate.storage.reply_log``,
``curate.models.embeddings`` and ``curate.storage.sql_views`` touch the disk.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from curate.storage.polars_types import POLARS
from schemas.errors import UserError
from schemas.ids import fingerprint
from schemas.rows import STAGE_TABLES
from schemas.version import STORE_FORMAT, VERSION

PART = 50_000  # rows of a Parquet file


@dataclass(frozen=True)
class Stage:
    """A finished stage. ``tables`` maps a table's name to ``{"rows", "content", "files"}``."""

    stage_id: str
    path: Path
    manifest: dict[str, Any]

    def rows(self, table: str) -> int:
        """How many rows of a table this stage wrote."""
        return self.manifest["tables"].get(table, {}).get("rows", 0)

    def content(self, *tables: str) -> str:
        """A fingerprint of the content of these tables (all of them when none is named)."""
        held = self.manifest["tables"]
        return "+".join(f"{t}={held[t]['content']}" for t in (tables or sorted(held)) if t in held)

    def files(self, table: str) -> list[Path]:
        """The Parquet files of a table, in row order."""
        return [self.path / name for name in self.manifest["tables"].get(table, {}).get("files", [])]

    def read(self, table: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Read a table, or some of its columns, in row order; an empty table if the stage wrote none."""
        files = self.files(table)
        if not files:
            return empty(table).select(columns or pl.all())
        return pl.concat([pl.read_parquet(f, columns=columns) for f in files])


@dataclass
class StageWriter:
    """Where a stage in the making writes its tables; ``info`` ends up in its manifest."""

    folder: Path
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    kept: int = 0  # rows of ``decisions`` that say that a row stays

    def write(self, table: str, rows: pl.DataFrame) -> None:
        """Append rows to a table as Parquet files of at most ``PART`` rows, so that they can be read back in parts.

        Columns are put in the contract's order and types.
        """
        rows = conform(table, rows)
        if table == "decisions":
            self.kept += int(rows["kept"].sum())
        held = self.tables.setdefault(table, {"rows": 0, "files": []})
        for part in rows.iter_slices(PART) if rows.height else [rows]:
            name = f"{table}-{len(held['files']):04d}.parquet"
            part.write_parquet(self.folder / name, compression="zstd")
            held["files"].append(name)
        held["rows"] += rows.height

    def finish(self) -> dict[str, Any]:
        """Hash what was written and return the manifest's ``tables``."""
        for held in self.tables.values():
            held["content"] = fingerprint([file_hash(self.folder / name) for name in held["files"]])[:20]
        return self.tables


class Store:
    """A store on disk. ``Store(path)`` makes an empty one where there is none."""

    def __init__(self, path: Path | str, *, create: bool = True) -> None:
        """Open a store; raises ``UserError`` if it was made by a newer version, or is missing and not to be created."""
        self.path = Path(path).resolve()
        marker = self.path / "store.json"
        if not marker.exists():
            if not create:
                raise UserError(f"{path}: no store here; 'gristmill run RECIPE' makes one (or name one with --store)")
            _refuse_foreign_folder(self.path)
            try:
                for name in ("stages", "runs", "replies", "embeddings", "work"):
                    (self.path / name).mkdir(parents=True, exist_ok=True)
                write_whole(marker, json.dumps({"format": STORE_FORMAT, "made_by": f"gristmill {VERSION}"}))
            except OSError as error:
                raise UserError(f"{path}: no store can be made here: {error.strerror}") from None
        _check_format(marker)
        self.waiting: Callable[[str], None] = lambda message: None

    # Stages ---------------------------------------------------------------------------------------------------------

    def stages(self) -> dict[str, Path]:
        """All finished stages: id -> folder."""
        folders = (p for p in (self.path / "stages").iterdir() if not p.name.startswith("."))
        return {p.name.rsplit("-", 1)[-1]: p for p in sorted(folders)}

    def stage(self, stage_id: str) -> Stage | None:
        """The finished stage of this id, or None."""
        path = next((self.path / "stages").glob(f"*-{stage_id}"), None)
        return load_stage(path) if path else None

    def newest_part(self, label: str, stage_id: str) -> Stage | None:
        """The newest stage that holds a part of what the stage ``stage_id`` would: a budget ended it, or a failure."""
        folders = (self.path / "stages").glob(f"{slug(label)}-*/stage.json")
        parts = [load_stage(path.parent) for path in folders]
        parts = [part for part in parts if part.manifest["what"].get("part_of") == stage_id]
        return max(parts, key=lambda part: part.manifest["made_at"], default=None)

    @contextmanager
    def new_stage(self, stage_id: str, label: str, **manifest: Any) -> Iterator[StageWriter]:
        """Write a stage: yields a ``StageWriter``; on leaving, the stage is renamed into place, whole.

        If the body raises, nothing is left of it.
        """
        target = self.path / "stages" / f"{slug(label)}-{stage_id}"
        folder = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        writer, started = StageWriter(folder), time.monotonic()
        try:
            yield writer
            whole = {
                "stage_id": stage_id,
                "label": label,
                "tables": writer.finish(),
                "seconds": round(time.monotonic() - started, 3),
                "made_at": now(),
                "version": VERSION,
                **manifest,
                **writer.info,
            }
            write_whole(folder / "stage.json", json.dumps(whole, ensure_ascii=False, indent=1))
            folder.rename(target)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def take(self, stage: Stage) -> Stage:
        """Move a finished stage of another store into this one, whole, and return it as it is here."""
        target = self.path / "stages" / stage.path.name
        hidden = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(hidden, ignore_errors=True)
        shutil.move(stage.path, hidden)  # a copy where the two stores are on different disks
        hidden.rename(target)
        return load_stage(target)

    # Runs -----------------------------------------------------------------------------------------------------------

    def save_run(self, run: dict[str, Any]) -> None:
        """Write a run's record, whole."""
        write_whole(self.path / "runs" / f"{run['run_id']}.json", json.dumps(run, ensure_ascii=False, indent=1))

    def runs(self) -> list[dict[str, Any]]:
        """All runs, oldest first."""
        return [json.loads(p.read_text(encoding="utf-8")) for p in sorted((self.path / "runs").glob("*.json"))]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store for writing. If another process has it, say so through ``waiting`` and wait.

        The lock is the kernel's: it is gone with the process that held it, however that died.
        """
        with open(self.path / "lock", "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                self.waiting(f"waiting for process {file.read().strip() or '?'}, which is writing to {self.path}")
                fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            for leftover in (self.path / "stages").glob(".*"):  # of a process that was killed while it wrote
                shutil.rmtree(leftover, ignore_errors=True)
            for leftover in (*(self.path / "runs").glob(".*"), *self.path.glob(".gristmill.duckdb.*")):
                leftover.unlink(missing_ok=True)
            yield


def load_stage(path: Path) -> Stage:
    """Read the manifest of a finished stage's folder."""
    manifest = json.loads((path / "stage.json").read_text(encoding="utf-8"))
    return Stage(manifest["stage_id"], path, manifest)


def conform(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows the table's columns, in order and type; a missing column is null, further ones stay at the end."""
    columns = STAGE_TABLES[table][0]
    known = [
        (pl.col(name) if name in rows.columns else pl.lit(None).alias(name)).cast(POLARS[kind])
        for name, kind in columns.items()
    ]
    return rows.select(*known, *[c for c in rows.columns if c not in columns])


def empty(table: str) -> pl.DataFrame:
    """An empty table with the contract's columns."""
    return pl.DataFrame(schema={name: POLARS[kind] for name, kind in STAGE_TABLES[table][0].items()})


def now() -> str:
    """The time in UTC, as ISO text with milliseconds."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def slug(text: str) -> str:
    """A name that is safe in a path: letters, digits, dots and dashes."""
    return "".join(c if c.isalnum() or c in ".-_" else "-" for c in text).strip("-.")[:60] or "stage"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def file_hash(path: Path) -> str:
    """20 hex digits of the SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def _refuse_foreign_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file; --store takes a folder")
    if path.is_dir() and any(path.iterdir()):
        raise UserError(f"{path}: is not a gristmill store, and not empty; name another folder with --store")


def _check_format(marker: Path) -> None:
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
        version, maker = int(found["format"]), str(found.get("made_by", "?"))
    except (ValueError, KeyError, TypeError):
        raise UserError(f'{marker}: is damaged; expected {{"format": {STORE_FORMAT}, ...}}') from None
    if version > STORE_FORMAT:
        raise UserError(
            f"{marker.parent}: this store has format {version}, made by {maker}; gristmill {VERSION} reads "
            f"format {STORE_FORMAT}: upgrade gristmill, or name another store with --store"
        )
