"""Runs the benchmarks of a recipe's ``evaluate``, each a stage of its own with the rows of all its models.

A benchmark that can't be run, as its data can't be loaded here, is a warning: all else of the evaluation is kept.
"""

from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.steps.code_hash import code_hash
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.benchmark import Benchmark
from schemas.counted import counted
from schemas.ids import content_id, fingerprint
from schemas.progress import Progress, StageWarning
from schemas.recipe import Recipe
from schemas.requests import Reply
from train.benchmarks.environment import find_python
from train.benchmarks.figures import differing, figures, read_results
from train.benchmarks.harness_run import NotRun, check_engine, is_chat, run_harness
from train.benchmarks.harness_tasks import NamedTasks, named_tasks
from train.benchmarks.samples import SPLIT, read_samples

LABEL = "evaluate benchmark"


@dataclass(frozen=True)
class PlannedBenchmark:
    """A benchmark as it would be run now.

    Attributes:
        named: Its tasks.
        benchmark: The settings.
        python: The Python that has the harness.
        seed: The seed of sampling and of the examples in prompts.
        refs: The models, by name.
        depends_on: Everything that the result depends on; ``stage_id`` is its hash.
    """

    named: NamedTasks
    benchmark: Benchmark
    python: str
    seed: int
    refs: dict[str, ModelRef]
    depends_on: dict[str, Any]

    @property
    def stage_id(self) -> str:
        """The id of its stage."""
        return fingerprint(self.depends_on)[:12]


@dataclass(frozen=True)
class Measured:
    """The rows of one model in one benchmark, the harness's figures, and what went wrong on the way."""

    rows: pl.DataFrame
    figures: list[dict[str, Any]]
    warnings: list[str]
    failed: list[tuple[str, Reply]]


def plan_benchmarks(recipe: Recipe, models: dict[str, ModelRef]) -> list[PlannedBenchmark]:
    """Check the benchmarks of a recipe, before any model is asked. lm-evaluation-harness reads its tasks meanwhile.

    Args:
        recipe: The recipe.
        models: The models by name, trained ones too.

    Returns:
        A plan for each name in ``benchmark``; none without the section.

    Raises:
        UserError: The harness is missing, a task is unknown, or a model can't answer what a task asks.
    """
    evaluation = recipe.evaluate
    if evaluation is None or evaluation.benchmark is None:
        return []
    benchmark, where = evaluation.benchmark, recipe.where("evaluate", "benchmark")
    if recipe.limit is not None:  # a smoke run
        limit = min(recipe.limit, benchmark.limit or recipe.limit)
        benchmark = benchmark.model_copy(update={"limit": limit})
    python = find_python(where, benchmark.python)
    refs = {name: models[name] for name in evaluation.models if name in models}
    planned = []
    for named in named_tasks(recipe, python):
        for ref in refs.values():
            check_engine(ref, named, benchmark, where)
        depends_on = {
            "benchmark": named.name,
            "harness": named.harness,
            "tasks": [[task.name, task.version, task.content] for task in named.tasks],
            "settings": benchmark.model_dump(exclude={"tasks", "python"}),
            "seed": recipe.seed,
            "models": [[name, ref.identity] for name, ref in refs.items()],
            "code": code_hash(read_samples, figures, read_results, differing, _rows, _write),
        }
        planned.append(PlannedBenchmark(named, benchmark, python, recipe.seed, refs, depends_on))
    return planned


def run_benchmarks(
    planned: list[PlannedBenchmark], recipe: Recipe, store: Store, progress: Progress, gateway: Gateway
) -> list[Stage]:
    """Run benchmarks, or reuse their results.

    Args:
        planned: The benchmarks.
        recipe: The recipe.
        store: The store, locked by this process.
        progress: The display to report to.
        gateway: Asks the models.

    Returns:
        The stages with the table ``evaluations``, of those that could be run.

    Raises:
        Stopped: A budget is used up.
    """
    stages = []
    for one in planned:
        label = f"{LABEL} {one.named.name}"
        try:
            kept = store.stage(one.stage_id)
            stage = kept or _measure_all(one, recipe, store, gateway, label)
        except NotRun as error:
            progress.warn(StageWarning(label, f"was not run: {error}"))
            continue
        for warning in stage.warnings:
            progress.warn(StageWarning(label, warning))
        progress.end(label, stage.manifest["result"], reused=kept is not None)
        stages.append(stage)
    return stages


def _measure_all(one: PlannedBenchmark, recipe: Recipe, store: Store, gateway: Gateway, label: str) -> Stage:
    """Run a benchmark on each model, and write the stage."""
    unsafe = [task.name for task in one.named.tasks if task.unsafe]
    if unsafe:
        raise NotRun(
            f"{unsafe[0]} runs the code that models write, without a sandbox; gristmill's scorers of programs use one"
        )
    missing = [file for task in one.named.tasks for file in task.missing]
    if missing:
        raise NotRun(f"its data are not there: {missing[0]}")
    measured = {name: _measure(one, name, ref, gateway, label) for name, ref in one.refs.items()}
    again = [reply.key for found in measured.values() for _, reply in found.failed if reply.transient]
    depends_on = one.depends_on
    if again:  # requests that failed but may succeed on another day: the next evaluation asks them again
        depends_on = depends_on | {"part_of": one.stage_id, "missing": fingerprint(sorted(again))[:12]}
        kept = store.stage(fingerprint(depends_on)[:12])
        if kept:
            return kept
    return _write(one, depends_on, measured, store, LABEL + recipe.limit_suffix + f" {one.named.name}")


def _measure(one: PlannedBenchmark, name: str, ref: ModelRef, gateway: Gateway, label: str) -> Measured:
    """Run a benchmark on one model, and read the results."""
    where = f"{label}, {name}"
    with run_harness(one.python, one.named, ref, one.benchmark, one.seed, gateway, where) as run:
        try:
            results = read_results(run.folder)
        except ValueError as error:
            raise NotRun(f"the results of lm-evaluation-harness {one.named.harness} can't be read: {error}") from None
        tasks = {task.name: task for task in one.named.tasks}
        found = {
            task: read_samples(file, tasks.get(task, one.named.tasks[0]), results.shots[task], run.failed)
            for task, file in results.samples.items()
        }
    rows = pl.concat([table for table, _ in found.values()])
    warnings = []
    if run.failed:
        reasons = sorted({reply.error or "" for _, reply in run.failed})
        warnings.append(
            f"{name}: {counted(len(run.failed), 'request')} failed ({reasons[0][:200]}); their scores are null here, "
            f"and 0 in the figures of lm-evaluation-harness"
        )
    if run.cut:
        warnings.append(
            f"{name}: {counted(run.cut, 'text was', 'texts were')} longer than the model's context, and "
            f"lm-evaluation-harness cut off their beginning; fewer examples (num_fewshot) make them shorter"
        )
    own = figures(results, rows, name)
    return Measured(rows, own, [*warnings, *differing(own)], run.failed)


def _write(
    one: PlannedBenchmark, depends_on: dict[str, Any], measured: dict[str, Measured], store: Store, label: str
) -> Stage:
    """Write the stage of a benchmark."""
    stage_id = fingerprint(depends_on)[:12]
    rows_in = sum(found.rows["row_id"].n_unique() for found in measured.values())
    means = []
    with store.new_stage(stage_id, label, what=depends_on, rows_in=rows_in) as writer:
        for name, found in measured.items():
            writer.write("evaluations", _rows(found.rows, name, one.refs[name], stage_id))
            first = found.rows.head(1)["scorer"].to_list()
            mean = found.rows.filter(pl.col("scorer").is_in(first))["value"].mean()
            means.append(f"{name} {mean:.3f}" if isinstance(mean, float) else f"{name} has no score of rows")
        writer.info["warnings"] = [text for found in measured.values() for text in found.warnings]
        writer.info["benchmark"] = {
            "name": one.named.name,
            "harness": one.named.harness,
            "tasks": [asdict(task) for task in one.named.tasks],
            "chat": {name: is_chat(ref, one.named, one.benchmark) for name, ref in one.refs.items()},
            "figures": [figure for found in measured.values() for figure in found.figures],
        }
        prompts = max((found.rows["row_id"].n_unique() for found in measured.values()), default=0)
        writer.info["result"] = f"{prompts:,} prompts: " + ", ".join(means)
    return writer.stage()


def _rows(rows: pl.DataFrame, name: str, ref: ModelRef, stage_id: str) -> pl.DataFrame:
    """Return the rows of ``evaluations`` of one model."""
    training_id = ref.identity.rsplit(">", 1)[1] if ">" in ref.identity else None
    return rows.drop("metric", "filter", "logged").with_columns(
        evaluation_id=pl.lit(content_id("e", stage_id, name)),
        model=pl.lit(name),
        training_id=pl.lit(training_id, pl.String),
        split=pl.lit(SPLIT),
        sample_index=pl.lit(0, pl.Int64),
    )
