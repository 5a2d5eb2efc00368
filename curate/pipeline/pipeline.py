"""Makes the stages of a recipe that are not in the store yet, in order.

A stage's id is a hash of its settings, the content of its inputs and the code that makes its rows; nothing else. So an
edit remakes the stages it touches, and those after them only as far as their input really changed.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from curate.algorithms.how_far import shown_on
from curate.models.failures import Failures
from curate.pipeline.run_record import RunRecord
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.storage.stage import Stage, StageWriter
from curate.storage.store import Store


@dataclass(frozen=True)
class Pipeline:
    """Makes stages for one run.

    Attributes:
        run: The store, the progress display and the models.
        record: The run's record, which every stage is added to.
        drafts: A store in which a plan made some stages already; they are moved over instead of made again.
    """

    run: RunContext
    record: RunRecord
    drafts: Store

    def make(self, specs: Iterable[StageSpec]) -> list[Stage]:
        """Reuse or make each stage, and take its rows in before the next is looked at; return the stages.

        Stages that wait for a training are not made.

        Raises:
            UserError: For a mistake in the recipe, its sources or a step of the user's.
            Failed: Too many requests of a stage failed.
        """
        stages = []
        for spec in specs:
            if spec.waits_for:
                spec.adopt(None)
                continue
            stages.append(self._stage(spec))
            spec.adopt(stages[-1])
        return stages

    def _stage(self, spec: StageSpec) -> Stage:
        stage, seconds = self.run.store.stage(spec.stage_id), 0.0
        if stage is None and spec.ask:
            self.record.publish()  # asking may take days; let others see what is there
            started = time.monotonic()
            missing = spec.ask(self.run)
            seconds = time.monotonic() - started
            if missing:  # the stage is made of what there is, under another id: the next run asks for the rest
                spec = spec.part(missing)
                stage = self.run.store.stage(spec.stage_id)
        reused = stage is not None
        stage = stage or self._draft(spec) or self._make(spec, seconds)
        self.run.progress.end(spec.label, stage.manifest["result"], reused=reused)
        self.record.add(stage, reused=reused)
        return stage

    def _draft(self, spec: StageSpec) -> Stage | None:
        stage = self.drafts.stage(spec.stage_id)
        return self.run.store.move_in(stage) if stage else None

    def _make(self, spec: StageSpec, asking_seconds: float) -> Stage:
        started = time.monotonic()
        with self.run.store.new_stage(spec.stage_id, spec.label, what=spec.depends_on) as writer:
            result = write_stage(spec, writer, self.run)
            seconds = asking_seconds + time.monotonic() - started
            writer.info |= {"result": result, "seconds": round(seconds, 3)}
        return writer.stage()


def write_stage(spec: StageSpec, writer: StageWriter, run: RunContext) -> str:
    """Write a stage's tables; return its result line.

    It has the summary, counts of what was found, failed requests by reason, and what is missing.
    """
    with shown_on(run.progress, spec.label):
        result = spec.build(writer, run)
    counts = [f"{what}: {count:,}" for what, count in writer.info.get("counts", {}).items()]
    failures = Failures(spec.label, 0, writer.info.get("failed", Counter())).summary()
    return "; ".join(filter(None, [result, *counts, failures, spec.key.get("missing")]))
