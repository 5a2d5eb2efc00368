"""Walking a recipe from top to bottom: each stage is reused, or made, or (when only planning) noted as to be made.

A stage's id is a hash of its settings, the content of its inputs and the source of its step; nothing else. So an edit
remakes the stages it touches, and those after them only as far as their input really changed.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.models.engine_settings import check_model, resolve_model
from curate.models.gateway import Failures, Gateway
from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN
from curate.storage.rows import RowSet
from curate.storage.store import Stage, StageWriter, Store
from schemas.errors import unknown
from schemas.ids import fingerprint
from schemas.progress import Progress
from schemas.recipe import Model, Recipe


@dataclass
class Planned:
    """A line of the plan: a stage, whether it is there already, and what it will cost."""

    label: str
    cached: bool
    note: str = ""


@dataclass
class Wanted:
    """Requests that a run would make: of which model, a sample of their messages, how many, new tokens each at most."""

    ref: ModelRef
    sample: list[str]
    requests: int
    max_tokens: int


@dataclass
class Walk:
    """One pass over a recipe. ``execute`` is False when planning: then nothing is written to the store."""

    recipe: Recipe
    store: Store
    progress: Progress = field(default_factory=Progress)
    execute: bool = True
    scratch: Store | None = None
    on_stage: Callable[[bool], None] = lambda at_once: None  # lets the catalogue show what is finished
    prompts: RowSet = field(default_factory=lambda: RowSet("prompts", "prompt_id"))
    completions: RowSet = field(default_factory=lambda: RowSet("completions", "completion_id"))
    datasets: dict[str, Stage] = field(default_factory=dict)
    plan: list[Planned] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    answers: Gateway | None = None  # None when planning
    wanted: list["Wanted"] = field(default_factory=list)
    refs: dict[str, ModelRef] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)

    def label(self, *parts: str) -> str:
        """A name for a stage, unique in the recipe: ``completions.score.length``, then ``...length.2``."""
        name = ".".join(parts)
        self.labels[name] = count = self.labels.get(name, 0) + 1
        return name if count == 1 else f"{name}.{count}"

    def stage(
        self, label: str, what: dict[str, Any], build: Callable[[StageWriter], str], *, cheap: bool = False
    ) -> Stage | None:
        """Reuse or make a stage. ``what`` is all it depends on; ``build`` writes its tables and says what came of it.

        When planning, a stage that is not there is None, unless it is ``cheap``: then it is made in the scratch store,
        so that the plan can look at its rows.
        """
        stage_id = fingerprint({"label": label, **what})[:12]
        found = self.store.stage(stage_id)
        if found is None and not self.execute:
            self.plan.append(Planned(label, cached=False))
            if not cheap or self.scratch is None:
                return None
            return self._make(self.scratch, stage_id, label, what, build)
        reused = found is not None
        stage = found or self._make(self.store, stage_id, label, what, build)
        if self.execute:
            self.progress.end(label, stage.manifest["result"], reused=reused)
            self.stages.append(used(stage, label, len(self.stages), reused=reused))
            if not reused:
                self.on_stage(False)
        else:
            self.plan.append(Planned(label, cached=True, note=stage.manifest["result"]))
        return stage

    def asked(
        self, label: str, what: dict[str, Any], ask: Callable[[], str], build: Callable[[StageWriter], str]
    ) -> Stage | None:
        """Reuse or make a stage that takes a model. ``ask`` gets the answers and says what is missing, if anything.

        Where something is, the stage is made of what there is, under another id: the next run asks for the rest.
        """
        whole, seconds = fingerprint({"label": label, **what})[:12], 0.0
        if self.store.stage(whole) is None:
            if self.execute:
                self.on_stage(True)  # what follows may take days; let others see what is there
                started = time.monotonic()
                missing = ask()
                seconds = time.monotonic() - started
                if missing:
                    what = {**what, "part_of": whole, "missing": missing}
            elif part := self.store.newest_part(label, whole):
                what = part.manifest["what"]

        def timed(writer: StageWriter) -> str:
            started = time.monotonic()
            result = build(writer)
            writer.info["seconds"] = round(seconds + time.monotonic() - started, 3)
            failed = Failures(label, 0, writer.info.get("failed", Counter())).summary()
            return "; ".join(filter(None, [result, failed, what.get("missing")]))

        return self.stage(label, what, timed)

    def want(self, ref: ModelRef, sample: list[str], requests: int, max_tokens: int) -> None:
        """Note requests that a run would make."""
        if requests:
            self.wanted.append(Wanted(ref, sample, requests, max_tokens))

    def model(self, name: str, where: str) -> ModelRef:
        """The model a recipe's name stands for (see ``recipe_model``)."""
        if name not in self.refs:
            self.refs[name] = recipe_model(self.recipe, name, where)
        return self.refs[name]

    def _make(
        self, store: Store, stage_id: str, label: str, what: dict[str, Any], build: Callable[[StageWriter], str]
    ) -> Stage:
        with store.new_stage(stage_id, label, what=what) as writer:
            writer.info["result"] = build(writer)
        return store.stage(stage_id)


def recipe_model(recipe: Recipe, name: str, where: str) -> ModelRef:
    """The model a recipe's name stands for. A built-in name, and the sandbox, need no entry in ``models:``."""
    model = recipe.models.get(name)
    if model is None and name == "sandbox":
        from curate.verifiers.sandbox.sandbox import identity

        return ModelRef(name, identity(), "", engine="sandbox")
    if model is None:
        if name not in BUILT_IN:
            raise unknown("model", name, [*recipe.models, *BUILT_IN], where)
        model = Model(model=name)
    check_model(name, model, recipe.where("models", name))
    return resolve_model(name, model, recipe.path.parent)


def used(stage: Stage, label: str, position: int, *, reused: bool) -> dict[str, Any]:
    """What a run's record says of a stage it used."""
    manifest = stage.manifest
    return {
        "stage_id": stage.stage_id,
        "stage": label,
        "position": position,
        "reused": reused,
        "rows_in": manifest.get("rows_in"),
        "rows_out": sum(t["rows"] for t in manifest["tables"].values()),
        "seconds": manifest["seconds"],
        "made_at": manifest["made_at"],
        "path": stage.path.name,
        "settings": manifest["what"],
        "inputs": manifest["what"].get("input"),
    }


def source_path(recipe: Recipe, path: str) -> Path:
    """A path in a recipe, relative to the recipe's folder."""
    return recipe.path.parent / Path(path).expanduser()
