"""The store: a folder of finished stages in Parquet, and the history of the runs that made them.

    store/
      store.json                     the format of the store
      stages/score-length-3f9a.../   one finished stage: stage.json and its tables, scores-0000.parquet ...
      runs/20261124-101500-demo.json one run: the stages it used, and its cost
      replies/                       every model reply (``curate.storage.reply_log``)
      embeddings/                    every embedding, a folder a model (``curate.storage.text_cache``)
      sketches/                      MinHash sketches of rows that are compared with other data, a folder a setting
      work/                          trainings in progress: checkpoints
      trackers/tensorboard/          what trainings report to TensorBoard, a folder a training
      gristmill.duckdb               views over all of it, for any DuckDB client (``curate.storage.sql_views``)

A stage is written into a hidden folder and renamed, so a stage that exists is whole. Only ``curate.storage`` opens,
lists or names files of a store. Two folders are handed to libraries that write files of their own: the weights in a
stage of a training (``StageWriter.folder``) and the checkpoints in its work folder (``Store.work_folder``).
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate.storage.files import slug, write_whole
from curate.storage.killed_runs import close_killed_runs, records_of_running
from curate.storage.records import RunInfo
from curate.storage.stage import Stage, StageWriter, load_stage
from schemas.errors import UserError
from schemas.version import STORE_FORMAT, VERSION

MARKER = "store.json"
FOLDERS = ("stages", "runs", "replies", "embeddings", "work")


class Store:
    """A store on disk.

    Attributes:
        path: Its folder.
        waiting: Called with a message where ``lock`` waits for another process.
    """

    def __init__(self, path: Path | str, *, create: bool = True) -> None:
        """Open a store.

        Args:
            path: Its folder.
            create: Make an empty store where there is none.

        Raises:
            UserError: A newer version made the store; or there is none, and it is not to be made or cannot be.
        """
        self.path = Path(path).resolve()
        self.waiting: Callable[[str], None] = lambda message: None
        if not is_store(self.path):
            if not create:
                raise UserError(f"{path}: no store here; 'gristmill run RECIPE' makes one (or name one with --store)")
            _refuse_foreign_folder(self.path)
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                marker = {"format": STORE_FORMAT, "made_by": f"gristmill {VERSION}"}
                write_whole(self.path / MARKER, json.dumps(marker))
            except OSError as error:
                raise UserError(f"{path}: no store can be made here: {error.strerror}") from None
        _check_format(self.path / MARKER)
        for name in FOLDERS:  # after the marker, and again where a kill came between: the folder is known as a store
            (self.path / name).mkdir(exist_ok=True)

    # Stages ---------------------------------------------------------------------------------------------------------

    def stages(self) -> dict[str, Path]:
        """Return the folders of all finished stages by stage id."""
        folders = (p for p in (self.path / "stages").iterdir() if not p.name.startswith("."))
        return {p.name.rsplit("-", 1)[-1]: p for p in sorted(folders)}

    def stage(self, stage_id: str) -> Stage | None:
        """Return the finished stage of this id, or None."""
        path = next((self.path / "stages").glob(f"*-{stage_id}"), None)
        return load_stage(path) if path else None

    def stages_labelled(self, start: str) -> list[Stage]:
        """Return the finished stages whose label begins with ``start``, sorted by label and id."""
        files = sorted((self.path / "stages").glob(f"{slug(start)}*/stage.json"))
        return [stage for file in files if (stage := load_stage(file.parent)).manifest["label"].startswith(start)]

    def newest_part(self, label: str, stage_id: str) -> Stage | None:
        """Return the newest stage that holds a part of the rows of a stage, or None.

        A run that a budget or a failure ends writes such a part.

        Args:
            label: The label of the whole stage.
            stage_id: The id of the whole stage.
        """
        folders = (self.path / "stages").glob(f"{slug(label)}-*/stage.json")
        parts = [load_stage(path.parent) for path in folders]
        parts = [part for part in parts if part.manifest["what"].get("part_of") == stage_id]
        return max(parts, key=lambda part: part.manifest["made_at"], default=None)

    @contextmanager
    def new_stage(self, stage_id: str, label: str, **manifest: Any) -> Generator[StageWriter]:
        """Write a stage in the body of a ``with``. If the body raises, nothing is left of the stage.

        Args:
            stage_id: The stage's id.
            label: The stage's label, such as ``completions.score.math``.
            manifest: Further keys of the manifest.

        Yields:
            The writer of the stage. After the body, its folder is renamed to that of the finished stage.
        """
        target = self.path / "stages" / f"{slug(label)}-{stage_id}"
        folder = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        writer, started = StageWriter(folder, target), time.monotonic()
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

    def move_in(self, stage: Stage) -> Stage:
        """Move a finished stage of another store into this one, and return it with its new path."""
        target = self.path / "stages" / stage.path.name
        hidden = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(hidden, ignore_errors=True)
        try:
            shutil.move(stage.path, hidden)  # copies where the two stores are on different disks
            hidden.rename(target)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        return load_stage(target)

    # Folders --------------------------------------------------------------------------------------------------------

    def cache_folder(self, kind: str, name: str, key: str) -> Path:
        """Return the folder of a cache for ``curate.storage.text_cache``.

        Args:
            kind: ``embeddings`` or ``sketches``.
            name: The name of the model or the step that makes the values.
            key: A hash of all else that the values depend on, beside the text.
        """
        return self.path / kind / f"{slug(name)}-{key}"

    def tracker_folder(self, tracker: str, run: str) -> Path:
        """Return the folder for the files that a tracker writes of a run; the tracker makes it."""
        return self.path / "trackers" / tracker / slug(run)

    @contextmanager
    def work_folder(self, name: str) -> Generator[Path]:
        """Yield a folder for the files of work in progress; remove it after the body, unless the body raises."""
        folder = self.path / "work" / name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)

    # Runs -----------------------------------------------------------------------------------------------------------

    def save_run(self, run: RunInfo) -> None:
        """Write a run's record."""
        write_whole(self.path / "runs" / f"{run['run_id']}.json", json.dumps(run, ensure_ascii=False, indent=1))

    def runs(self) -> list[RunInfo]:
        """Return the records of all runs, oldest first."""
        return [json.loads(p.read_text(encoding="utf-8")) for p in sorted((self.path / "runs").glob("*.json"))]

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the store for writing in the body of a ``with``.

        If another process holds it, call ``waiting`` with a message and wait. The kernel releases the lock when the
        process that holds it ends, however it ends.
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
            self._remove_leftovers()
            close_killed_runs(self.path / "runs")
            yield

    def note_killed_runs(self) -> None:
        """Write into the records of runs that were killed that they were, for those who only look at the store.

        Nothing is done while a process writes to the store, nor to a store that may only be read.
        """
        if not records_of_running(self.path / "runs"):
            return
        with suppress(OSError), open(self.path / "lock", "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            close_killed_runs(self.path / "runs")

    def _remove_leftovers(self) -> None:
        """Remove the files that a process left when it was killed while it wrote."""
        for folder in (self.path / "stages").glob(".*"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (*(self.path / "runs").glob(".*"), *self.path.glob(".gristmill.duckdb.*")):
            file.unlink(missing_ok=True)


def is_store(path: Path) -> bool:
    """Return whether a folder is a store, of whatever version."""
    return (path / MARKER).exists()


def now() -> str:
    """Return the time in UTC, as ISO text with milliseconds."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _refuse_foreign_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file; --store takes a folder")
    if path.is_dir() and any(not p.name.startswith(f".{MARKER}") for p in path.iterdir()) and not is_store(path):
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
