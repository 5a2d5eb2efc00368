"""A stage of the store: a folder with a manifest, and tables in Parquet files of at most ``PART`` rows."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.storage.damage import Damaged, read_manifest, read_table
from curate.storage.files import file_hash, link, whole_file, write_whole
from curate.storage.records import Manifest, TableFiles
from schemas.ids import fingerprint
from schemas.rows import STAGE_TABLES

if TYPE_CHECKING:
    import polars as pl

PART = 50_000  # rows of a Parquet file
LEVEL = 1  # of Zstandard: files are an eighth larger than by its default of 3, and are written in half the time
CARD = "README.md"  # of a model: written anew by each evaluation, so it has no hash


@dataclass(frozen=True)
class Stage:
    """A finished stage.

    Attributes:
        stage_id: A hash of all that the stage depends on.
        path: Its folder.
        manifest: The content of ``stage.json``; its ``tables`` maps a table's name to ``{"rows", "content", "files"}``.
    """

    stage_id: str
    path: Path
    manifest: Manifest

    @property
    def warnings(self) -> list[str]:
        """The warnings about the stage's rows, each with the setting to change."""
        return self.manifest.get("warnings", [])

    @property
    def order(self) -> tuple[int, str]:
        """What stages are sorted by, to have them in the order in which they were made.

        That is their number in the store. Stages of earlier versions have none; they come first, by the clock.
        """
        return self.manifest.get("number", 0), self.manifest["made_at"]

    @property
    def signature(self) -> list[tuple[int, int]]:
        """The size and the time of each file of its tables, and of its manifest: they change where content does."""
        files = [self.path / "stage.json", *(file for table in self.manifest["tables"] for file in self.files(table))]
        return [(file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else (0, 0) for file in files]

    @property
    def size(self) -> int:
        """The bytes of all its files."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    def rows(self, table: str) -> int:
        """Return the number of rows of a table, 0 if the stage wrote no such table."""
        held = self.manifest["tables"].get(table)
        return held["rows"] if held else 0

    def content(self, *tables: str) -> str:
        """Return a fingerprint of the content of these tables, or of all tables if none is named."""
        held = self.manifest["tables"]
        return "+".join(f"{t}={held[t]['content']}" for t in (tables or sorted(held)) if t in held)

    def files(self, table: str) -> list[Path]:
        """Return the Parquet files of a table, in row order."""
        held = self.manifest["tables"].get(table)
        return [self.path / name for name in held["files"]] if held else []

    def folder(self, name: str) -> Path:
        """Return the path of a folder in the stage, such as the ``model`` of a training."""
        return self.path / name

    def text(self, name: str) -> str | None:
        """Return the text of a file in the stage's folder that is no table, such as ``curves.svg``; None for none."""
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None

    def rewrite(self, name: str, text: str) -> None:
        """Write such a file anew: a report, which says of a model what became known later."""
        write_whole(self.path / name, text)

    def read(self, table: str, columns: list[str] | None = None) -> "pl.DataFrame":
        """Return a table, or some of its columns, in row order; an empty table if the stage wrote none.

        Raises:
            Damaged: A file of it is gone or cut short.
        """
        import polars as pl  # here and below, so that a query of no table need not load it

        from curate.storage.polars_types import empty

        files = self.files(table)
        if not files:
            return empty(table).select(columns or pl.all())
        return pl.concat([read_table(f, columns) for f in files])


@dataclass
class StageWriter:
    """Writes the tables of a stage that is being made.

    Attributes:
        path: The hidden folder that the stage is written into.
        target: The folder that it is renamed to.
        parts: A folder for parts of the stage that are made before it: a killed process leaves it to the next.
        durable: Whether what is written is to be there after a power cut.
        tables: The manifest's ``tables``, as far as they are written.
        info: Further keys of the manifest.
        kept: The number of rows of ``decisions`` that say that a row stays.
    """

    path: Path
    target: Path
    parts: Path
    durable: bool = True
    tables: dict[str, TableFiles] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    kept: int = 0

    def write(self, table: str, rows: "pl.DataFrame") -> None:
        """Append rows to a table as Parquet files of at most ``PART`` rows, so that they can be read back in parts.

        Columns are put in the order and types of ``schemas.rows``.
        """
        for part in write_files(self.path, f".{table}", table, rows):
            Path(part.path).rename(self._next_file(table, part))

    def take_part(self, table: str, part: "PartFile") -> None:
        """Append a file of rows that ``write_files`` wrote in this store; it stays where it is, too."""
        link(Path(part.path), self._next_file(table, part))

    def _next_file(self, table: str, part: "PartFile") -> Path:
        """Return the path of a table's next file, which is counted."""
        held = self.tables.setdefault(table, {"rows": 0, "files": []})
        name = f"{table}-{len(held['files']):04d}.parquet"
        held["files"].append(name)
        held["rows"] += part.rows
        self.kept += part.kept
        return self.path / name

    def folder(self, name: str) -> Path:
        """Return the path at which to make a folder in the stage, such as the ``model`` of a training."""
        return self.path / name

    def write_text(self, name: str, text: str) -> None:
        """Write a file that is no table, such as a picture of curves; ``name`` may be in a folder of the stage."""
        (self.path / name).write_text(text, encoding="utf-8")

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of the stage that is neither a table nor text, such as a picture's pixels."""
        (self.path / name).write_bytes(content)

    def take_in(self, file: Path) -> None:
        """Move a file that a library wrote, such as a tracker's report, into the stage."""
        shutil.move(file, self.path / file.name)

    def finished_folder(self, name: str) -> str:
        """Return the path that a folder will have in the finished stage, relative to the store."""
        return f"stages/{self.target.name}/{name}"

    def stage(self) -> Stage:
        """Return the finished stage; only after the block that writes it."""
        return load_stage(self.target)

    def finish(self) -> dict[str, Any]:
        """Hash the files, and return what the manifest says of them: its ``tables``, and ``files`` if there are any."""
        for held in self.tables.values():
            held["content"] = fingerprint([file_hash(self.path / name) for name in held["files"]])[:20]
        written = {
            str(file.relative_to(self.path)): {"bytes": file.stat().st_size, "content": file_hash(file)}
            for file in sorted(self.path.glob("*/**/*"))
            if file.is_file() and not file.is_symlink() and file.name != CARD
        }
        return {"tables": self.tables} | ({"files": written} if written else {})


@dataclass
class PartFile:
    """A file with rows of a table: its path, its rows, and of ``decisions`` how many say that a row stays."""

    path: str
    rows: int
    kept: int = 0


def write_files(folder: Path, name: str, table: str, rows: "pl.DataFrame") -> list[PartFile]:
    """Write rows of a table as Parquet files of at most ``PART`` rows, at least one; columns as in ``conform``.

    A file is whole, or not there: who writes the same one at the same time, or later, does no harm to one that is used.

    Args:
        folder: The folder to write into.
        name: The beginning of the files' names.
        table: The table.
        rows: The rows.
    """
    rows, made = conform(table, rows), []
    for part in rows.iter_slices(PART) if rows.height else [rows]:
        path = folder / f"{name}-{len(made):04d}.parquet"
        with whole_file(path) as temporary:
            part.write_parquet(temporary, compression="zstd", compression_level=LEVEL)
        kept = int(part["kept"].sum()) if table == "decisions" else 0
        made.append(PartFile(str(path), part.height, kept))
    return made


def parts_of(tables: "Iterable[pl.DataFrame]", size: int) -> "Iterator[pl.DataFrame]":
    """Yield the rows of tables in tables of ``size`` rows, the last of which may be smaller; one table at least."""
    import polars as pl

    held: list[pl.DataFrame] = []
    written = False
    for table in tables:
        held.append(table)
        while sum(one.height for one in held) >= size:
            whole = pl.concat(held, rechunk=True)  # the same rows are the same bytes
            yield whole[:size]
            held, written = [whole[size:]], True
    if held and (not written or any(one.height for one in held)):
        yield pl.concat(held, rechunk=True)


def load_stage(path: Path) -> Stage:
    """Return the finished stage in a folder.

    Raises:
        Damaged: Its manifest is gone, cut short, or not what a stage has.
    """
    manifest = read_manifest(path)
    return Stage(manifest["stage_id"], path, manifest)


def stage_in(folder: Path) -> Stage | None:
    """Return the finished stage in any folder, or None where there is none of ours."""
    try:
        return load_stage(folder)
    except Damaged:
        return None


def stages_beside(stage: Stage) -> Iterator[Stage]:
    """Yield the finished stages in the store that holds a stage, by the names of their folders."""
    for folder in sorted(stage.path.parent.iterdir()):
        if (found := stage_in(folder)) is not None:
            yield found


def conform(table: str, rows: "pl.DataFrame") -> "pl.DataFrame":
    """Return rows with the columns of ``STAGE_TABLES`` in their order and types.

    A missing column is null; other columns stay, at the end.
    """
    import polars as pl

    from curate.storage.polars_types import polars_schema

    schema = polars_schema(STAGE_TABLES[table][0])
    known = [
        (pl.col(name) if name in rows.columns else pl.lit(None).alias(name)).cast(kind) for name, kind in schema.items()
    ]
    return rows.select(*known, *[c for c in rows.columns if c not in schema])
