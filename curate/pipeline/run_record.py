"""The record of a run: which stages it used, what it cost, and how it ended, also while it goes on."""

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import polars as pl

from curate.models.gateway import Gateway, Usage
from curate.sources.remote.urls import without_secrets
from curate.storage.files import slug
from curate.storage.records import Doing, RunStage
from curate.storage.rows import read_parts
from curate.storage.sql_views import publish
from curate.storage.stage import Stage
from curate.storage.store import Store, now
from schemas.errors import Stopped, Terminated
from schemas.progress import Progress, StageWarning
from schemas.recipe import Recipe
from schemas.rows import DATASET_TABLES
from schemas.version import VERSION

NOTED_EVERY = 2.0  # seconds between two notes of how far a stage is
PUBLISHED_EVERY = 1.0  # seconds: writing the SQL views costs as much as many a stage
PUBLISHED_SHARE = 0.01  # of the time of a run that writing them may take


class RunRecord:
    """Holds the store for one run and keeps its record. Use it as a context manager.

    The record is written when the run begins, after each stage and when it ends, however it ends. The SQL views are
    written with it, but for the stages at most once in ``PUBLISHED_EVERY`` seconds, and so seldom that this takes no
    more than ``PUBLISHED_SHARE`` of the time: a store of many stages and files has views that take longer to write.
    They are not written as a ``run`` begins: its stages follow at once, and ``publish`` is called before one waits for
    models.
    """

    def __init__(self, recipe: Recipe, store: Store, command: str) -> None:
        """Prepare the record of ``command`` (``run``, ``train`` or ``evaluate``); nothing is written yet."""
        self.recipe, self.store, self.command = recipe, store, command
        self.stages: list[RunStage] = []
        self._lock = store.lock()
        self._gateway: Gateway | None = None
        self._published = self._noted = 0.0
        self.views_took = 0.0  # seconds, when they were written last
        self._unpublished = False
        self._doing: Doing | None = None

    def __enter__(self) -> "RunRecord":
        """Wait for the store, and write that the run goes on."""
        self._lock.__enter__()
        self._started, self._begun = time.monotonic(), now()
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
        self.run_id = f"{stamp}-{slug(self.recipe.run_name)}"
        earlier, self._newest = self.store.runs(), self.store.newest_number()
        self.number = max((run["number"] for run in earlier), default=0) + 1  # the clock may have gone back
        if self.run_id in {run["run_id"] for run in earlier}:
            self.run_id += f"-{self.number}"
        self._published = time.monotonic()
        try:
            self._write("running")
            if self.command != "run":
                self._publish_views()
        except BaseException as error:
            self._lock.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write how the run ended, and let go of the store."""
        try:
            self._write(*_ending(error))
            self._publish_views()
        finally:
            self._lock.__exit__(kind, error, trace)

    def shown(self, progress: Progress) -> Progress:
        """Return a display that shows what this one shows, and notes in the record what goes on and how far it is."""
        return _Noted(progress, self)

    def gateway(self, progress: Progress) -> Gateway:
        """Return the run's way to models, whose costs are the run's. Called once."""
        self._gateway = Gateway(self.store, progress, self.run_id, self.recipe.name, self.recipe.budget.model_dump())
        return self._gateway

    def add(self, stage: Stage, *, reused: bool) -> None:
        """Add a stage that the run has made or reused to its record; a new one can be asked for in SQL soon after."""
        self.stages.append(stage_entry(stage, len(self.stages), reused=reused))
        self._doing = None
        self._write("running")
        self._unpublished = True
        wait = max(PUBLISHED_EVERY, self.views_took / PUBLISHED_SHARE)
        if not reused and time.monotonic() - self._published > wait:
            self._publish_views()

    def use(self, stages: list[Stage]) -> list[Stage]:
        """Make these the stages of the run, and return them."""
        self._unpublished = True
        self.stages = [
            stage_entry(stage, position, reused=stage.order[0] <= self._newest) for position, stage in enumerate(stages)
        ]
        return stages

    def publish(self) -> None:
        """Write the record, and the SQL views where they lack a stage, so that others see what is finished."""
        self._write("running")
        if self._unpublished:
            self._publish_views()

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Note what goes on now."""
        self._doing = {"stage": label, "done": 0, "total": total, "unit": unit}
        self._note()

    def advance(self, done: int) -> None:
        """Note how far it is, now and then."""
        if self._doing is not None:
            self._doing["done"] += done
            if time.monotonic() - self._noted > NOTED_EVERY:
                self._note()

    def _note(self) -> None:
        self._noted = time.monotonic()
        self._write("running")

    def _publish_views(self) -> None:
        started = time.monotonic()
        publish(self.store)
        self._published = time.monotonic()
        self.views_took, self._unpublished = self._published - started, False

    def _write(self, status: str, error: str | None = None) -> None:
        usage, name = self._gateway.usage if self._gateway else Usage(), self.recipe.run_name
        self.store.save_run(
            {
                "run_id": self.run_id,
                "recipe": name,
                "number": self.number,
                "limit_of": name.removesuffix(self.recipe.limit_suffix) if self.recipe.limit is not None else None,
                "command": self.command,
                "status": status,
                "started_at": self._begun,
                "seconds": round(time.monotonic() - self._started, 3),
                "version": VERSION,
                "error": error,
                "requests": usage.requests,
                "requests_reused": usage.reused,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cost": round(usage.cost, 6),
                "stages": self.stages,
                "resolved": _resolved(self.recipe),
                "doing": self._doing if status == "running" else None,
            }
        )


class _Noted(Progress):
    """A display of which a run's record notes what begins and how far it is."""

    def __init__(self, shown: Progress, record: RunRecord) -> None:
        self.shown, self.record = shown, record

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        self.shown.begin(label, total, unit)
        self.record.begin(label, total, unit)

    def advance(self, done: int, note: str = "") -> None:
        self.shown.advance(done, note)
        self.record.advance(done)

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        self.shown.end(label, result, reused=reused)

    def say(self, message: str) -> None:
        self.shown.say(message)

    def detail(self, line: str) -> None:
        self.shown.detail(line)

    def status(self, line: str) -> None:
        self.shown.status(line)

    def warn(self, warning: StageWarning) -> None:
        self.shown.warn(warning)


def _resolved(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as it was read, without the secrets in the URLs of its sources and reference data."""
    values = recipe.model_dump(mode="json")
    return values | {section: without_secrets(values[section]) for section in ("prompts", "completions", "datasets")}


def _ending(error: BaseException | None) -> tuple[str, str | None]:
    """Return a run's status, and the error to note with it."""
    if error is None:
        return "finished", None
    if isinstance(error, Terminated):
        return "killed", "ended by SIGTERM; finished work is kept: run the same command again to continue"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "stopped by the user"
    if isinstance(error, Stopped):
        return "stopped", str(error)
    return "failed", f"{type(error).__name__}: {error}"


def rows_out(stage: Stage) -> int:
    """Return how many rows a stage gives: of its own table, not of all that it writes.

    Those are the rows of a dataset, the rows that a training was done on, the scores of an evaluation, the prompts of a
    source, and what a step made, scored or kept. Repeats that ``mix`` adds are among those that it kept.
    """
    held = stage.manifest["tables"]
    if "trainings" in held:
        fates = stage.read("training_rows", ["fate"])
        return fates.filter(fate="trained").height if fates.height else int(stage.read("trainings")["rows"].sum())
    for table in (*DATASET_TABLES.values(), "evaluations", "comparisons"):
        if table in held:
            return stage.rows(table)
    parts = read_parts(stage, "decisions", ["kept", "reason"])  # a source says of rows that it kept why
    kept = sum(part.filter("kept", pl.col("reason").is_null()).height for part in parts)
    if kept:
        return kept + stage.rows("prompts")
    made = [table for table in ("prompts", "completions", "scores") if table in held]
    return stage.rows(made[0]) if made else 0


def stage_entry(stage: Stage, position: int, *, reused: bool) -> RunStage:
    """Return a stage's row in the table ``stages``."""
    manifest = stage.manifest
    return {
        "stage_id": stage.stage_id,
        "stage": manifest["label"],
        "position": position,
        "reused": reused,
        "rows_in": manifest.get("rows_in"),
        "rows_out": rows_out(stage),
        "seconds": manifest["seconds"],
        "made_at": manifest["made_at"],
        "path": stage.path.name,
        "settings": manifest["what"],
        "inputs": manifest["what"].get("input"),
    }
