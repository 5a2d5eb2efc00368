"""Damage in a store: files that are missing, empty, cut short or changed, each named in one line with its remedy.

Nothing on disk is believed. What is read of a stage's manifest or of a run's record is checked here, and a table is
compared with the hash that its stage has of it. A damaged part stops only what needs it.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from curate.storage.files import file_hash
from curate.storage.records import Manifest, RunInfo, TableFiles, WrittenFile
from schemas.errors import UserError, kind_of
from schemas.ids import fingerprint
from schemas.rows import STAGE_TABLES

if TYPE_CHECKING:
    import polars as pl

# How the label of a stage begins -> the command that makes the stage anew.
MAKERS = {"train-": "train", "evaluate": "evaluate", "compare": "compare"}
# The keys that a manifest and a record may leave out, each with the types of its value.
STAGE_KINDS: dict[str, tuple[type, ...]] = {
    "number": (int,), "seconds": (int, float), "version": (str,), "what": (dict,), "result": (str,),
    "rows_in": (int, type(None)), "warnings": (list,), "truths_alone": (dict, type(None)), "leftovers": (dict,),
    "unanswered": (int,), "unanswered_truths": (int,), "learnt": (dict, type(None)), "name": (str,), "source": (str,),
    "adapter": (bool,), "benchmark": (dict, type(None)), "counts": (dict,), "failed": (dict,),
}  # fmt: skip
RUN_KINDS: dict[str, tuple[type, ...]] = {
    "number": (int,), "limit_of": (str, type(None)), "started_at": (str, type(None)), "resolved": (dict, type(None)),
}  # fmt: skip
REPAIR = "'gristmill doctor --repair' sets it aside"


class Damaged(UserError):
    """A part of the store is damaged. The message names the file, what is wrong with it, and the remedy.

    Attributes:
        path: The file or the folder.
        problem: What is wrong with it, such as ``is empty``.
    """

    def __init__(self, path: Path, problem: str, remedy: str = REPAIR) -> None:
        """Take the file or the folder, what is wrong with it, and what to do."""
        super().__init__(f"{path}: damaged: {problem}; {remedy}")
        self.path, self.problem = path, problem


def remedy_of(folder: Path) -> str:
    """Return what to do about a damaged stage, by the name of its folder, which begins with the stage's label."""
    command = next((name for start, name in MAKERS.items() if folder.name.startswith(start)), "run")
    return f"'gristmill {command} RECIPE' makes the stage anew, {REPAIR}"


def read_manifest(folder: Path) -> Manifest:
    """Return the content of the ``stage.json`` of a stage's folder.

    Raises:
        Damaged: It is missing, empty, cut short, no JSON, or not what a stage has.
    """
    remedy = remedy_of(folder)
    if not folder.is_dir() or folder.is_symlink():
        raise Damaged(folder, "is no folder of a stage", f"move it away, or {REPAIR}")
    file = folder / "stage.json"
    held = _read_json(file, remedy)
    problem = _wrong_manifest(held)
    if problem:
        raise Damaged(file, problem, remedy)
    return cast(Manifest, {"seconds": 0.0, "what": {}, "result": ""} | held)


def read_run(file: Path) -> RunInfo:
    """Return the record of a run.

    Raises:
        Damaged: It is empty, cut short, no JSON, or not what a record has.
    """
    remedy = f"the run is left out, its stages are there; {REPAIR}"
    held = _read_json(file, remedy)
    problem = _wrong_fields(held, ("run_id", "recipe", "command", "status"), ("started_at",))
    problem = problem or _wrong_kinds(held, RUN_KINDS)
    stages = held.get("stages") if not problem else []
    if not isinstance(stages, list) or not all(_is_run_stage(one) for one in stages):
        problem = "'stages' is no list of stages"
    if problem:
        raise Damaged(file, problem, remedy)
    return cast(RunInfo, held)


def table_damage(folder: Path, tables: dict[str, TableFiles]) -> list[Damaged]:
    """Return what is wrong with tables of a stage: files that are gone, and content that is not what was written.

    Every byte is read.

    Args:
        folder: The stage's folder.
        tables: The tables to look at, from its manifest.
    """
    found = []
    for table, held in tables.items():
        missing = [name for name in held["files"] if not is_plain(folder / name)]
        if missing:
            found += files_damage([folder / missing[0]])
            continue
        try:
            content = fingerprint([file_hash(folder / name) for name in held["files"]])[:20]
        except OSError as error:
            found.append(Damaged(folder / held["files"][0], f"cannot be read: {error.strerror}", remedy_of(folder)))
            continue
        if content != held.get("content", content):
            files = [folder / name for name in held["files"]]
            broken = next(files_damage(files), None)
            found.append(broken or Damaged(files[0], _changed(table, files), remedy_of(folder)))
    return found


def folder_damage(folder: Path, files: dict[str, WrittenFile], *, hashes: bool) -> Iterator[Damaged]:
    """Yield what is wrong with the files in a stage's folders, such as a model's weights: those gone or changed.

    Args:
        folder: The stage's folder.
        files: The files, from its manifest.
        hashes: Whether every byte is read; else a file is known by its size alone.
    """
    for name, held in files.items():
        file = folder / name
        try:
            size = file.stat().st_size
            if size != held["bytes"]:
                yield Damaged(file, f"has {size:,} bytes, and had {held['bytes']:,}", remedy_of(folder))
            elif hashes and file_hash(file) != held["content"]:
                yield Damaged(file, "the content is not what was written: another hash", remedy_of(folder))
        except FileNotFoundError:
            yield Damaged(file, "is missing", remedy_of(folder))
        except OSError as error:
            yield Damaged(file, f"cannot be read: {error.strerror}", remedy_of(folder))


def is_plain(file: Path) -> bool:
    """Return whether a file of a store is one: no link, which may lead out of it, and no pipe, which may never end."""
    return file.is_file() and not file.is_symlink()


def files_damage(files: Iterable[Path]) -> Iterator[Damaged]:
    """Yield what is wrong with Parquet files, by their ends alone: those gone, no plain files, empty or cut short."""
    import polars as pl  # here, so that a query of no table need not load it

    for file in files:
        if file.exists() and not is_plain(file):
            yield Damaged(file, "is no plain file", remedy_of(file.parent))
            continue
        try:
            pl.read_parquet_schema(file)
        except FileNotFoundError:
            yield Damaged(file, "is missing", remedy_of(file.parent))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            size = file.stat().st_size
            problem = "is empty" if not size else f"is no whole Parquet file ({size:,} bytes)"
            yield Damaged(file, problem, remedy_of(file.parent))


def read_table(file: Path, columns: list[str] | None = None) -> "pl.DataFrame":
    """Return a Parquet file of a stage, or some of its columns.

    Raises:
        Damaged: It is gone, no plain file, cut short, or no Parquet.
    """
    import polars as pl

    if not is_plain(file):
        raise next(files_damage([file]))
    try:
        return pl.read_parquet(file, columns=columns)
    except (pl.exceptions.ComputeError, pl.exceptions.PanicException, OSError) as error:
        known = next(files_damage([file]), None)
        text = " ".join(str(error).split())[:100]
        raise known or Damaged(file, f"cannot be read: {text}", remedy_of(file.parent)) from None


def damage_in(error: Exception) -> str | None:
    """Return what is damaged, from an error of DuckDB's that a view of a damaged table raises; None for another."""
    text = " ".join(str(error).split())
    return text.removeprefix("Invalid Input Error: ") if ": damaged: " in text else None


def said_by(error: Exception) -> str:
    """Return what an error of DuckDB's says, in a line: what is damaged, else its own first line."""
    return damage_in(error) or str(error).partition("\n")[0]


def tables_in(folder: Path) -> list[str]:
    """Return the tables that a folder has files of, by their names; for a stage whose manifest is damaged."""
    if not folder.is_dir():
        return []
    names = {file.name.rsplit("-", 1)[0] for file in folder.glob("*.parquet")}
    return [table for table in STAGE_TABLES if table in names]


def _changed(table: str, files: list[Path]) -> str:
    more = f" (or one of the {len(files)} files of the table)" if len(files) > 1 else ""
    return f"the content of {table} is not what was written: another hash{more}"


def _read_json(file: Path, remedy: str) -> dict[str, Any]:
    try:
        if file.exists() and not is_plain(file):
            raise Damaged(file, "is no plain file", remedy)
        text = file.read_text(encoding="utf-8")
        held = json.loads(text)
    except FileNotFoundError:
        raise Damaged(file, "is missing", remedy) from None
    except OSError as error:
        raise Damaged(file, f"cannot be read: {error.strerror}", remedy) from None
    except (ValueError, RecursionError):
        empty = not file.stat().st_size
        raise Damaged(file, "is empty" if empty else "is no whole JSON text", remedy) from None
    if not isinstance(held, dict):
        raise Damaged(file, "holds no mapping", remedy)
    return held


def _wrong_manifest(held: dict[str, Any]) -> str:
    """Return what is wrong with the content of a ``stage.json``; empty if nothing is."""
    fields = _wrong_fields(held, ("stage_id", "label", "made_at"), ("made_at",))
    problem = fields or _wrong_tables(held.get("tables")) or _wrong_kinds(held, STAGE_KINDS)
    if not problem and not all(isinstance(text, str) for text in held.get("warnings", [])):
        return "'warnings' is no list of texts"
    if not problem and not _are_written_files(held.get("files", {})):
        return "'files' is no mapping of files"
    return problem


def _wrong_fields(held: dict[str, Any], texts: tuple[str, ...], times: tuple[str, ...]) -> str:
    """Return what is wrong with the texts and the times of a record; empty if nothing is."""
    wrong = next((name for name in texts if not isinstance(held.get(name), str)), None)
    if wrong:
        return f"{wrong!r} is no text"
    for name in times:
        try:
            datetime.fromisoformat(held.get(name) or "2000-01-01")
        except (TypeError, ValueError):
            return f"{name!r} is no time"
    return ""


def _wrong_kinds(held: dict[str, Any], kinds: dict[str, tuple[type, ...]]) -> str:
    """Return which of the keys that need not be there has a value of a wrong type; empty if none has."""
    wrong = next((name for name, right in kinds.items() if name in held and not isinstance(held[name], right)), None)
    return f"{wrong!r} is {kind_of(held[wrong])}" if wrong else ""


def _wrong_tables(tables: object) -> str:
    if not isinstance(tables, dict):
        return "'tables' is no mapping"
    for name, held in tables.items():
        if not isinstance(held, dict) or not isinstance(held.get("rows"), int):
            return f"the table {name!r} has no number of rows"
        files = held.get("files")
        if not isinstance(files, list) or not all(_is_name(one) for one in files):
            return f"the table {name!r} has no list of files"
    return ""


def _are_written_files(files: object) -> bool:
    """Return whether this says of files in a stage's folders, which lead nowhere else, what was written."""
    return isinstance(files, dict) and all(
        all(_is_name(part) for part in name.split("/"))
        and isinstance(held, dict)
        and isinstance(held.get("bytes"), int)
        and isinstance(held.get("content"), str)
        for name, held in files.items()
    )


def _is_run_stage(held: object) -> bool:
    return isinstance(held, dict) and _is_name(held.get("path")) and isinstance(held.get("stage_id"), str)


def _is_name(held: object) -> bool:
    """Return whether a value is the name of a file in a folder, which leads nowhere else."""
    return isinstance(held, str) and held not in ("", ".", "..") and "/" not in held and "\0" not in held
