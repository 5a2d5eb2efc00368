"""The store: a folder of finished stages in Parquet, and the history of the runs that made them.

    store/
      store.json                     the format of the store
      stages/score-length-3f9a.../   one finished stage: stage.json and its tables, scores-0000.parquet ...
      runs/20261124-101500-demo.json one run: the stages it used, and its cost
      replies/                       every model reply (``curate.storage.reply_log``)
      embeddings/                    every embedding, a folder a model (``curate.storage.text_cache``)
      positions/                     places of maps of embeddings (``curate.storage.kept_positions``)
      sketches/                      MinHash sketches of rows that are compared with other data, a folder a setting
      work/                          checkpoints of trainings in progress; parts of stages that were not finished
      trackers/tensorboard/          what trainings report, a folder each
      gristmill.duckdb               views over all of it, for any DuckDB client (``curate.storage.sql_views``)
      damaged/                       damaged parts that were set aside (``curate.storage.damage``)

A stage is written into a hidden folder, synced to the disk and renamed, so a stage that exists is whole, after a power
cut too. What is damaged all the same is named, and counts as not there. Only ``curate.storage`` opens, lists or names
files of a store. Two folders are handed to libraries that write files of their own: the weights in a
stage of a training (``StageWriter.folder``) and the checkpoints in its work folder (``Store.work_folder``).
"""

import fcntl
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate.storage.damage import Damaged, folder_damage, read_run, table_damage
from curate.storage.files import disk_failed, slug, write_whole
from curate.storage.killed_runs import PARTS, close_killed_runs, records_of_running, remove_leftovers
from curate.storage.marker import begin_store, check_folders, check_format, is_store, store_path
from curate.storage.put_in_place import put_in_place
from curate.storage.records import RunInfo
from curate.storage.stage import Stage, StageWriter, load_stage
from schemas.errors import UserError
from schemas.version import VERSION


class Store:
    """A store on disk.

    Attributes:
        path: Its folder.
        waiting: Called with a message where ``lock`` waits for another process.
        damaged: Called with a message for each damaged part that is found, once. It warns, if it is not replaced.
    """

    def __init__(self, path: Path | str, *, create: bool = True, durable: bool = True, look: bool = False) -> None:
        """Open a store.

        Args:
            path: Its folder.
            create: Make an empty store where there is none.
            look: Write nothing into it, as it may be a stranger's.
            durable: Whether what is written is to be there after a power cut; not for a store that is soon removed.

        Raises:
            UserError: A newer version made the store; or there is none, and it is not to be made or cannot be, as at an
                address such as s3://.
        """
        self.path = store_path(path)
        self.waiting: Callable[[str], None] = lambda message: None
        self.damaged: Callable[[str], None] = lambda message: warnings.warn(message, stacklevel=3)
        self._durable = durable
        self._named: set[Path] = set()
        self._number: int | None = None  # of the newest stage; None if it is to be looked up
        self._compared: dict[str, list[tuple[int, int]]] = {}  # stages whose content is that of their manifest
        if not is_store(self.path):
            if not create:
                raise UserError(f"{path}: no store here; 'gristmill run RECIPE' makes one (or name one with --store)")
            begin_store(self.path, path)
        check_format(self.path)
        check_folders(self.path, make=not look, durable=durable)

    # Stages ---------------------------------------------------------------------------------------------------------

    def stages(self) -> dict[str, Path]:
        """Return the folders of all finished stages by stage id; damaged ones are named, and left out."""
        return {stage.stage_id: stage.path for stage in self.whole_stages()}

    def whole_stages(self) -> list[Stage]:
        """Return all finished stages, sorted by label and id; those with a damaged manifest are named, and left out."""
        folders = sorted(p for p in (self.path / "stages").iterdir() if not p.name.startswith("."))
        return [stage for folder in folders if (stage := self.stage_in(folder.name))]

    def stage_in(self, name: str) -> Stage | None:
        """Return the finished stage in this folder of the stages. One with a damaged manifest is named: it is None."""
        folder = self.path / "stages" / name
        try:
            stage = load_stage(folder)
            if not name.endswith(f"-{stage.stage_id}"):
                raise Damaged(folder, f"its stage.json is that of the stage {stage.stage_id}")
        except Damaged as damage:
            self.name_damage(damage)
            return None
        return stage

    def stage(self, stage_id: str) -> Stage | None:
        """Return the finished stage of this id, or None.

        Its tables are compared with their hashes in its manifest, once in a process; of the files in its folders, such
        as a model's weights, only the sizes are, as they may be large. A stage that is damaged is named, and counts as
        not there: whoever makes it anew sets the damaged one aside.
        """
        stage = next((self.stage_in(path.name) for path in (self.path / "stages").glob(f"*-{stage_id}")), None)
        if stage is None or self._compared.get(stage_id) == stage.signature:
            return stage
        of_files = folder_damage(stage.path, stage.manifest.get("files", {}), hashes=False)
        damages = [*table_damage(stage.path, stage.manifest["tables"]), *of_files]
        for damage in damages:
            self.name_damage(damage)
        if damages:
            return None
        self._compared[stage_id] = stage.signature
        return stage

    def _next_number(self) -> int:
        """Return the number of the next stage; the stages of the store are looked through once while it is locked."""
        self._number = (self._number if self._number is not None else self.newest_number()) + 1
        return self._number

    def stages_labelled(self, start: str) -> list[Stage]:
        """Return the finished stages whose label begins with ``start``, sorted by label and id."""
        files = sorted((self.path / "stages").glob(f"{slug(start)}*/stage.json"))
        stages = [stage for file in files if (stage := self.stage_in(file.parent.name))]
        return [stage for stage in stages if stage.manifest["label"].startswith(start)]

    def newest_part(self, label: str, stage_id: str) -> Stage | None:
        """Return the newest stage that holds a part of the rows of a stage, or None.

        A run that a budget or a failure ends writes such a part.

        Args:
            label: The label of the whole stage.
            stage_id: The id of the whole stage.
        """
        parts = self.stages_labelled(label)
        ids = [part.stage_id for part in parts if part.manifest["what"].get("part_of") == stage_id]
        whole = [part for id in ids if (part := self.stage(id))]
        return max(whole, key=lambda part: part.order, default=None)

    def newest_number(self) -> int:
        """Return the number of the stage that was made last, 0 if there is none."""
        return max((stage.order[0] for stage in self.whole_stages()), default=0)

    @contextmanager
    def new_stage(self, stage_id: str, label: str, **manifest: Any) -> Generator[StageWriter]:
        """Write a stage in the body of a ``with``. If the body raises, nothing is left of the stage but finished parts.

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
        parts = self.path / "work" / f"{PARTS}{stage_id}"
        writer, started = StageWriter(folder, target, parts, self._durable), time.monotonic()
        try:
            yield writer
            whole = {
                "stage_id": stage_id,
                "label": label,
                "number": self._next_number(),
                **writer.finish(),
                "seconds": round(time.monotonic() - started, 3),
                "made_at": now(),
                "version": VERSION,
                **manifest,
                **writer.info,
            }
            write_whole(folder / "stage.json", json.dumps(whole, ensure_ascii=False, indent=1), durable=False)
            put_in_place(folder, target, durable=self._durable)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(parts, ignore_errors=True)

    def move_in(self, stage: Stage) -> Stage:
        """Move a finished stage of another store into this one, and return it with its new path."""
        target = self.path / "stages" / stage.path.name
        hidden = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(hidden, ignore_errors=True)
        try:
            try:
                shutil.move(stage.path, hidden)  # copies where the two stores are on different disks
            except shutil.Error as error:  # with what is wrong with each file
                raise disk_failed(self.path, OSError(error.args[0][0][2])) from None
            numbered = stage.manifest | {"number": self._next_number()}
            write_whole(hidden / "stage.json", json.dumps(numbered, ensure_ascii=False, indent=1), durable=False)
            put_in_place(hidden, target, durable=self._durable)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        return load_stage(target)

    def name_damage(self, damage: Damaged) -> None:
        """Say what is damaged, once for each file or folder."""
        if damage.path not in self._named:
            self._named.add(damage.path)
            self.damaged(str(damage))

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
        """Write a run's record; that of a run which goes on may be an earlier one after a power cut."""
        text = json.dumps(run, ensure_ascii=False, indent=1)
        write_whole(self.path / "runs" / f"{run['run_id']}.json", text, durable=run["status"] != "running")

    def runs(self) -> list[RunInfo]:
        """Return the records of all runs, oldest first; damaged ones are named, and left out.

        The order is that of their numbers, which count up in the store whatever the clock says. The records of earlier
        versions have none: they come first, in the order of their ids, and are numbered so.
        """
        found: list[RunInfo] = []
        for file in sorted((self.path / "runs").glob("*.json")):
            try:
                found.append(read_run(file))
            except Damaged as damage:
                self.name_damage(damage)
        found.sort(key=lambda run: run.get("number", 0))
        numbers = [run.get("number") or place for place, run in enumerate(found, 1)]
        return [run | {"number": number} for run, number in zip(found, numbers, strict=True)]

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
            remove_leftovers(self.path)
            close_killed_runs(self.path / "runs")
            self._number = None  # another process may have made stages
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


def now() -> str:
    """Return the time in UTC, as ISO text with milliseconds."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
