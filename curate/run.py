"""``gristmill run``: walk a recipe and build its datasets; and ``plan``, the same walk without doing anything."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from curate.datasets.build import dataset
from curate.models.engine import engine_of
from curate.models.gateway import Gateway, Usage
from curate.models.model_ref import ModelRef
from curate.pipeline import decontaminate as cleaning
from curate.pipeline import dedup as deduplication
from curate.pipeline import filter as verbs
from curate.pipeline import select as selection
from curate.pipeline.generate.candidates import generate
from curate.pipeline.generate.prompts import generate_prompts
from curate.pipeline.pipeline import Planned, Walk, Wanted, used
from curate.pipeline.score import score
from curate.storage.sql_views import publish
from curate.storage.store import Stage, Store, now, slug
from schemas.errors import Stopped, UserError
from schemas.progress import Progress
from schemas.recipe import Recipe
from schemas.version import VERSION


@dataclass(frozen=True)
class Plan:
    """What a run would do: its stages, the requests it would make, and the datasets that are there already."""

    stages: list[Planned]
    wanted: list[Wanted]
    datasets: dict[str, Stage]
    prompts: int
    walk: Walk

    @property
    def requests(self) -> int:
        """How many requests are left to make, as far as that is known."""
        return sum(wanted.requests for wanted in self.wanted)


def run(recipe: Recipe, store: Store, progress: Progress | None = None) -> dict[str, Stage]:
    """Build the recipe's datasets and return the stage that holds each. What is there already is reused.

    Every finished stage can be asked for in SQL at once, also while the run goes on. Raises ``UserError`` for a mistake
    in the recipe or its sources, ``Failed`` when too many requests failed; nothing half-made is left behind. Where a
    budget is used up, the datasets are made of what there is, and ``Stopped`` is raised in the end.
    """
    progress = progress or Progress()
    planned = plan(recipe, store)  # finds every mistake before the first stage is made
    for wanted in planned.wanted:  # a missing key, before the other models are paid
        engine_of(wanted.ref).ready(wanted.ref)
    with recorded(recipe, store, "run") as record:
        with record["answers"](progress) as answers:
            walk = Walk(recipe, store, progress, answers=answers)
            record["stages"] = walk.stages
            walk.on_stage = record["publish"]
            _walk(walk)
        if answers.stopped:
            raise Stopped("; ".join(answers.stopped.values()) + ". The datasets are made of what there is")
    return walk.datasets


def plan(recipe: Recipe, store: Store | None) -> Plan:
    """Check a recipe against the steps there are and say what a run would do. Writes nothing to the store."""
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        scratch = Store(folder)
        walk = Walk(recipe, store or scratch, execute=False, scratch=scratch)
        _walk(walk)
        prompts = walk.prompts.kept_ids.height
    return Plan(walk.plan, walk.wanted, walk.datasets, prompts, walk)


def built(recipe: Recipe, store: Store) -> tuple[dict[str, Stage], dict[str, ModelRef]]:
    """The recipe's datasets and models, for training. Raises ``UserError`` if the datasets are not up to date."""
    found = plan(recipe, store)
    for name in recipe.datasets:
        if name not in found.datasets:
            raise UserError(
                f"dataset {name!r} is not built, or the recipe has changed since; run first: "
                f"gristmill run {recipe.path}"
            )
    models = {name: found.walk.model(name, recipe.where("models", name)) for name in recipe.models}
    return found.datasets, models


def _walk(walk: Walk) -> None:
    refs = [walk.model(name, walk.recipe.where("models", name)) for name in walk.recipe.models]
    for ref in refs if walk.recipe.budget.max_cost is not None else []:
        if engine_of(ref).remote and not ref.priced:
            where = walk.recipe.where("models", ref.name)
            raise UserError(
                f"{where}: budget.max_cost needs the prices of {ref.name!r}: prompt_price and "
                f"completion_price, in dollars for a million tokens (0 if it is free)"
            )
    for step in walk.recipe.prompts:
        if step.verb == "source":
            verbs.source(walk, step)
        elif step.verb == "generate":
            generate_prompts(walk, step)
        else:
            _rows_verb(walk, step, walk.prompts, None)
    _hold_to_prompts(walk)
    for step in walk.recipe.completions:
        if step.verb == "generate":
            generate(walk, step)
        else:
            _rows_verb(walk, step, walk.completions, walk.prompts)
    for name, view in walk.recipe.datasets.items():
        dataset(walk, name, view)


def _rows_verb(walk: Walk, step: Any, rows: Any, context: Any) -> None:
    {
        "score": score,
        "filter": verbs.filter_,
        "dedup": deduplication.dedup,
        "select": selection.select,
        "decontaminate": cleaning.clean,
    }[step.verb](walk, rows, step, context)


def _hold_to_prompts(walk: Walk) -> None:
    """Leave out the recorded candidates of prompts that are out; the prompt's own decision says why."""
    candidates = walk.completions
    if candidates.kept_ids.height:
        owners = [stage.read("completions", ["completion_id", "prompt_id"]) for stage in candidates.stages]
        for frame in owners:
            gone = frame.join(walk.prompts.kept_ids, on="prompt_id", how="anti")
            candidates.kept_ids = candidates.kept_ids.join(gone, on="completion_id", how="anti", maintain_order="left")
        candidates.content = candidates.content + walk.prompts.content


@contextmanager
def recorded(recipe: Recipe, store: Store, command: str) -> Iterator[dict[str, Any]]:
    """Hold the store and keep the record of a run: yields a mapping to fill with ``stages``.

    ``answers(report)`` in it makes the run's ``Gateway``, whose costs go by the run's id and are in its record.

    The record is written when the run begins, after each stage (call ``publish``) and when it ends, however it ends.
    """
    with store.lock():
        started, begun = time.monotonic(), now()
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
        run_id = f"{stamp}-{slug(recipe.name)}"
        live: dict[str, Any] = {"stages": []}
        status, error, asking = "running", None, []

        shown = 0.0  # when the catalogue was written last: writing it costs as much as many a stage

        def write(at_once: bool = True) -> None:
            nonlocal shown
            usage = asking[0].usage if asking else Usage()
            store.save_run(
                {
                    "run_id": run_id,
                    "recipe": recipe.name,
                    "command": command,
                    "status": status,
                    "started_at": begun,
                    "seconds": round(time.monotonic() - started, 3),
                    "version": VERSION,
                    "error": error,
                    "requests": usage.requests,
                    "requests_reused": usage.reused,
                    "prompt_tokens": usage.prompt_tokens,
                    "completion_tokens": usage.completion_tokens,
                    "cost": round(usage.cost, 6),
                    "stages": live["stages"],
                    "resolved": recipe.model_dump(mode="json"),
                }
            )
            if at_once or time.monotonic() - shown > 1:
                publish(store)
                shown = time.monotonic()

        def use(stages: list[Stage]) -> list[Stage]:
            live["stages"] = [
                used(stage, stage.manifest["label"], i, reused=stage.manifest["made_at"] < begun)
                for i, stage in enumerate(stages)
            ]
            return stages

        def answers(progress: Progress) -> Gateway:
            asking[:] = [Gateway(store, progress, run_id, recipe.name, recipe.budget.model_dump())]
            return asking[0]

        live["publish"], live["use"], live["answers"] = write, use, answers
        write()
        try:
            yield live
            status = "finished"
        except KeyboardInterrupt:
            status, error = "interrupted", "stopped by the user"
            raise
        except Stopped as e:
            status, error = "stopped", str(e)
            raise
        except BaseException as e:
            status, error = "failed", f"{type(e).__name__}: {e}"
            raise
        finally:
            write()
