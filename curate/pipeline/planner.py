"""Says what a run would do, stage by stage, without doing it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import polars as pl

from curate.pipeline.pipeline import write_stage
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import ModelRequests, RunContext, StageSpec
from curate.storage.prompt_origins import source_counts
from curate.storage.reply_log import ReplyLog
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.counted import counted
from schemas.errors import printable
from schemas.progress import Progress, StageWarning
from schemas.rows import DATASET_TABLES


@dataclass(frozen=True)
class PlannedStage:
    """A stage of a plan: whether it is there already, and its result or what making it would ask of models.

    The rows of a ``pending`` stage are not known: it is not there, and the plan did not make it to look at it.
    """

    label: str
    cached: bool
    note: str = ""
    pending: bool = False


@dataclass(frozen=True, repr=False)
class Plan:
    """The stages of a recipe, and the requests that a run would make.

    Attributes:
        state: The recipe's rows and datasets as far as they are there already.
        stages: The stages in order.
        model_requests: The requests that are left to make, as far as they are known.
        warnings: What a user should look at, in the order of the stages, each with what to set.
        sources: What came from where, as far as it is known (``curate.storage.prompt_origins.source_counts``).
        first_rows: Rows of datasets that are not there yet, by the dataset's name, if a caller asked for some
            (``curate.api.first_rows``).
        references: Prompts with their recorded right answers, if a caller asked for some
            (``curate.api.reference_rows``).
    """

    state: RunState
    stages: list[PlannedStage] = field(default_factory=list)
    model_requests: list[ModelRequests] = field(default_factory=list)
    warnings: list[StageWarning] = field(default_factory=list)
    sources: pl.DataFrame = field(default_factory=pl.DataFrame)
    first_rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    references: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def datasets(self) -> dict[str, Stage]:
        """The datasets that are there already, by name."""
        return self.state.datasets

    def with_sources(self) -> "Plan":
        """Return the plan with its ``sources``; only while the drafts are there."""
        kinds = {name: DATASET_TABLES[self.state.recipe.datasets[name].type] for name in self.datasets}
        mixed = [self.state.mixed] if self.state.mixed and self.state.mixed not in self.state.prompts.stages else []
        stages = [*self.state.prompts.stages, *mixed]
        held = {name: (kinds[name], stage) for name, stage in self.datasets.items()}
        return replace(self, sources=source_counts(stages, held))

    @property
    def prompts(self) -> int:
        """The number of prompts, as far as that is known."""
        return self.state.prompts.height

    @property
    def requests(self) -> int:
        """The number of requests that are left to make, as far as that is known."""
        return sum(one.requests for one in self.model_requests)

    def __repr__(self) -> str:
        """Return a line for each stage (its label, whether it is there already, its result) and for each warning."""
        width = max((len(stage.label) for stage in self.stages), default=0)
        lines = [
            f"  {stage.label:<{width}}  {'cached' if stage.cached else 'to run'}  {stage.note}".rstrip()
            for stage in self.stages
        ]
        lines += [printable(f"warning: {warning}") for warning in self.warnings]
        return "\n".join(
            [f"Plan: {counted(self.prompts, 'prompt')}, {counted(self.requests, 'request')} left to make", *lines]
        )


@dataclass(frozen=True)
class Planner:
    """Looks for the stages of a recipe in the store; makes none but drafts.

    Attributes:
        state: The state that the stages' specs read and change.
        drafts: A store to make the missing stages in whose rows later stages must be looked at with
            (``StageSpec.in_plan``).
    """

    state: RunState
    drafts: Store

    def plan(self, specs: Iterable[StageSpec]) -> Plan:
        """Say of each stage whether it is there, and what making it would ask of models.

        Raises:
            UserError: For a mistake in the recipe or its sources.
        """
        plan = Plan(self.state)
        for spec in specs:
            self._look(spec, plan)
        return plan

    def _look(self, spec: StageSpec, plan: Plan) -> None:
        store = self.state.store
        if spec.waits_for:
            spec.adopt(None)
            plan.stages.append(PlannedStage(spec.label, False, f"waits for train.{spec.waits_for}", True))
            return
        stage = store.stage(spec.stage_id)
        incomplete = stage is None and spec.ask is not None
        if incomplete:
            stage = store.newest_part(spec.label, spec.stage_id)
        cached, note = stage is not None, stage.manifest["result"] if stage else ""
        if stage is None and spec.in_plan:
            stage = self._draft(spec)
            note = stage.manifest["result"]
        elif stage is None and spec.takes:
            note = spec.takes()
        if incomplete and spec.estimate:
            with ReplyLog.open_for_reading(store) as log:
                estimate = spec.estimate(log)
            note = estimate.note
            plan.model_requests.extend(one for one in estimate.requests if one.requests)
        spec.adopt(stage)
        if stage:
            plan.warnings.extend(StageWarning(spec.label, text) for text in stage.warnings)
        plan.stages.append(PlannedStage(spec.label, cached, note, stage is None))

    def _draft(self, spec: StageSpec) -> Stage:
        with self.drafts.new_stage(spec.stage_id, spec.label, what=spec.depends_on) as writer:
            writer.info["result"] = write_stage(spec, writer, RunContext(self.drafts, Progress()))
        return writer.stage()
