"""Running a recipe: ``run`` builds its datasets, ``plan`` says what that would do, ``built`` gives what is there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from curate.api.first_rows import first_rows
from curate.api.open_store import OpenStore, open_store
from curate.api.recipe_code import code_of
from curate.api.reference_rows import reference_rows
from curate.api.run_result import RunResult
from curate.datasets.build import dataset_stage
from curate.datasets.dataset_warnings import dataset_warnings
from curate.datasets.split_notes import split_warnings
from curate.models.engine import engine_of
from curate.pipeline.by_hand import by_hand_specs, unapplied_labels
from curate.pipeline.decontaminate import decontaminate_stage
from curate.pipeline.dedup import dedup_stage
from curate.pipeline.filter import filter_stage
from curate.pipeline.generate.candidates import candidates_stage
from curate.pipeline.generate.prompts import prompts_stage
from curate.pipeline.mix import last_mixed_source, mix_stage
from curate.pipeline.pipeline import Pipeline
from curate.pipeline.planner import Plan, Planner
from curate.pipeline.run_record import RunRecord
from curate.pipeline.run_state import RunState, TrainedModel, none_trained
from curate.pipeline.score import score_stage
from curate.pipeline.select import select_stage
from curate.pipeline.source import check_source_names, source_stage
from curate.pipeline.source_reader import SourceReader
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.pipeline.training_columns import columns_of_dataset, columns_of_step
from curate.spread.spread import elsewhere, only_here
from curate.steps.code_hash import code_hash
from curate.steps.own_code import only_allowed_now, require
from curate.storage.draft_store import draft_store, remove_drafts
from curate.storage.killed_runs import remove_parts
from curate.storage.marker import is_store, store_path
from curate.storage.row_numbers import NumberIndex
from curate.storage.rows import RowSet
from curate.storage.store import Store
from schemas.errors import Stopped, UserError, short_repr
from schemas.ids import fingerprint
from schemas.load_recipe import load_recipe
from schemas.progress import Progress, StageWarning
from schemas.recipe import Recipe, Step
from schemas.trained_models import datasets_needed, trainings_named, with_needed

RowsVerb = Callable[[RunState, RowSet, Step, RowSet | None], StageSpec]
ROWS_VERBS: dict[str, RowsVerb] = {
    "score": score_stage,
    "filter": filter_stage,
    "dedup": dedup_stage,
    "select": select_stage,
    "decontaminate": decontaminate_stage,
}


AnyRecipe = Recipe | Mapping[str, Any] | Path | str
AnyStore = Store | Path | str


def run(
    recipe: AnyRecipe, store: AnyStore, progress: Progress | None = None, *, trained: TrainedModel = none_trained
) -> RunResult:
    """Build a recipe's datasets. What is there already is reused, and each source is read once.

    Every finished stage can be asked for in SQL at once, also while the run goes on; nothing half-made is left behind.

    Args:
        recipe: A recipe, a mapping with its sections, or the path of its file.
        store: The store to build in, or its folder, which is made if it is not there.
        progress: Shows how far the run is; silent by default. ``cli.progress.Bars`` shows bars.
        trained: Finds the models of the recipe's trainings, for steps that ask one: ``train.trained_model``. The stages
            from such a step on wait while its training is not done (``RunResult.waits_for``).

    Returns:
        The result: the datasets, the decisions about rows, the costs, and the warnings.

    Raises:
        UserError: For a mistake in the recipe or its sources, found before the first stage is made.
        Failed: Too many requests failed.
        Stopped: A budget is used up. The datasets are made of what there is; ``result`` of the exception holds them.
    """
    recipe, store, progress = as_recipe(recipe), as_store(store), as_progress(progress)
    sources = SourceReader()
    with draft_store(store if elsewhere() else None) as drafts:
        planned = _plan(recipe, store, drafts, sources, trained)
        sources.forget_rows()  # the drafts hold the rows that the run needs
        early = planned.warnings if planned.model_requests else []  # before the models are paid
        for one in planned.model_requests:  # a missing key is found before the other models are paid
            engine_of(one.ref).ready(one.ref)
        with RunRecord(recipe, store, "run") as record:
            state = RunState(recipe, store, sources, trained)
            _warn(progress, early)
            shown = record.shown(progress)
            with record.gateway(shown) as gateway:
                stages = Pipeline(RunContext(store, shown, gateway), record, drafts).make(stage_specs(state))
            remove_parts(store.path)  # of stages that an earlier run left unfinished, and this one did not need
            remove_drafts(store.path)  # of a run with other machines
            warnings = [StageWarning(one.manifest["label"], text) for one in stages for text in one.warnings]
            results = {one.manifest["label"]: one.manifest["result"] for one in stages}
            warnings += dataset_warnings(state, results, pending=bool(state.waits_for)) + split_warnings(state)
            warnings += unapplied_labels(state)
            _warn(progress, [one for one in warnings if one not in early])
            opened = OpenStore(store.path, create=False)
            result = RunResult(recipe, opened, record.run_id, state.datasets, warnings, state.waits_for)
            if gateway.stopped:
                reasons = "; ".join(gateway.stopped.values())
                raise Stopped(f"{reasons}. The datasets are made of what there is", result=result)
    return result


def plan(
    recipe: AnyRecipe,
    store: AnyStore | None = None,
    *,
    rows: int = 0,
    references: int = 0,
    trained: TrainedModel = none_trained,
) -> Plan:
    """Check a recipe against the steps there are and say what a run would do. Writes nothing to the store.

    Args:
        recipe: A recipe, a mapping with its sections, or the path of its file.
        store: The store that a run would build in, or its folder; None if there is none yet.
        rows: How many rows to make of recorded answers for each training whose dataset is not there yet.
        references: How many prompts to return with the recorded answers that are known as right, for verifiers.
        trained: As in ``run``.

    Raises:
        UserError: For a mistake in the recipe or its sources, or in ``rows`` or ``references``.
    """
    for name, count in (("rows", rows), ("references", references)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise UserError(f"{name}: expected a whole number of rows, at least 0, found {short_repr(count)}")
    recipe = as_recipe(recipe)
    if isinstance(store, Path | str):
        store = Store(store, create=False) if is_store(store_path(store)) else None
    with draft_store() as drafts, only_here():
        found = _plan(recipe, store or drafts, drafts, SourceReader(), trained).with_sources()
        wanted = {one.dataset for one in recipe.train.values()} - set(found.datasets) if rows else ()
        found = replace(found, first_rows={name: first_rows(found.state, name, rows) for name in wanted})
        return replace(found, references=reference_rows(found.state, references)) if references else found


def as_recipe(recipe: AnyRecipe) -> Recipe:
    """Return a recipe as it is, or load it from a mapping or a file.

    Raises:
        UserError: It is no valid recipe; or, within ``only_allowed``, it has code run that is not allowed.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    if only_allowed_now():
        require(code_of(loaded))
    return loaded


def as_store(store: AnyStore, *, create: bool = True) -> Store:
    """Return a store as it is, or open the one in a folder; with ``create``, make one where there is none."""
    return store if isinstance(store, Store) else open_store(store, create=create)


def as_progress(progress: Progress | None) -> Progress:
    """Return a display as it is, or one that shows nothing."""
    if progress is not None and not isinstance(progress, Progress):
        raise UserError(f"progress: expected a curate.Progress, such as cli.progress.Bars(), found {progress!r:.80}")
    return progress or Progress()


def built(recipe: Recipe, store: Store, needed: list[str], trained: TrainedModel = none_trained) -> RunState:
    """Return the state of a recipe whose datasets are built, for training.

    Args:
        recipe: The recipe.
        store: The store.
        needed: The datasets that must be up to date; one that waits for a training may be missing.
        trained: As in ``run``.

    Raises:
        UserError: A dataset is not up to date.
    """
    state = plan(recipe, store, trained=trained).state
    waiting = datasets_waiting(state)
    for name in needed:
        if name not in state.datasets and name not in waiting:
            raise UserError(
                f"dataset {name!r} is not built, or the recipe has changed since; run first: "
                f"gristmill run {recipe.argument} (in Python: run(recipe, store))"
            )
    return state


def datasets_waiting(state: RunState) -> list[str]:
    """Return the datasets that are not made because they wait for a training, which itself can be done."""
    if not state.waits_for:
        return []
    own = datasets_needed(state.recipe, with_needed(state.recipe, [state.waits_for]))
    return [name for name in state.recipe.datasets if name not in state.datasets and name not in own]


def stage_specs(state: RunState) -> Iterator[StageSpec]:
    """Yield a recipe's stages in order; each must be adopted before the next is asked for.

    Where a step asks the model of a training, the datasets of that training are made first, of the candidates as they
    are above the step. While the training is not done, the step and all stages below it wait.

    Raises:
        UserError: For a mistake in the recipe or its sources.
    """
    _check_prices(state)
    recipe = state.recipe
    check_source_names(recipe)
    yield from _prompt_specs(state)
    yield from by_hand_specs(state, state.prompts)
    _drop_orphans(state.completions, state.prompts)
    early: list[str] = []
    for step in recipe.completions:
        if step.verb != "generate":  # what is edited is scored as all else is
            yield from (_waiting(spec, state) for spec in by_hand_specs(state, state.completions))
        trainings = with_needed(recipe, trainings_named(recipe, step))
        for name in (one for one in datasets_needed(recipe, trainings) if one not in early):
            yield from _dataset_specs(state, name)
            early.append(name)
        state.take_trained(trainings)
        for spec in columns_of_step(state, state.completions, step, state.prompts):
            yield _waiting(spec, state)
        verb = ROWS_VERBS.get(step.verb)
        spec = verb(state, state.completions, step, state.prompts) if verb else candidates_stage(state, step)
        yield _waiting(spec, state)
    yield from (_waiting(spec, state) for spec in by_hand_specs(state, state.completions))
    for name in (one for one in recipe.datasets if one not in early):
        yield from _dataset_specs(state, name)


def _prompt_specs(state: RunState) -> Iterator[StageSpec]:
    last_mixed = last_mixed_source(state.recipe)
    for step in state.recipe.prompts:
        if step.verb == "source":
            yield source_stage(state, step)
            if step is last_mixed:
                yield mix_stage(state)
        elif step.verb == "generate":
            yield prompts_stage(state, step)
        else:
            yield from columns_of_step(state, state.prompts, step, None)
            yield ROWS_VERBS[step.verb](state, state.prompts, step, None)


def _dataset_specs(state: RunState, name: str) -> Iterator[StageSpec]:
    entry = state.recipe.datasets[name]
    for spec in columns_of_dataset(state, name, entry):
        yield _waiting(spec, state)
    yield _waiting(dataset_stage(state, name, entry), state)


def _waiting(spec: StageSpec, state: RunState) -> StageSpec:
    """Return a stage as one that waits for the training that the stages above it wait for, if there is one."""
    return replace(spec, waits_for=state.waits_for) if state.waits_for else spec


def _plan(recipe: Recipe, store: Store, drafts: Store, sources: SourceReader, trained: TrainedModel) -> Plan:
    state = RunState(recipe, store, sources, trained)
    made = Planner(state, drafts).plan(stage_specs(state))
    results = {one.label: one.note for one in made.stages}
    pending = any(one.pending and not one.label.startswith("datasets.") for one in made.stages)
    made.warnings.extend(dataset_warnings(state, results, pending=pending))
    made.warnings.extend(split_warnings(state))
    return made


def _warn(progress: Progress, warnings: list[StageWarning]) -> None:
    for warning in warnings:
        progress.warn(warning)


def _check_prices(state: RunState) -> None:
    """Raise ``UserError`` if a budget in dollars cannot be kept, for want of a served model's prices."""
    recipe = state.recipe
    for name in recipe.models:
        ref = state.model(name, recipe.where("models", name))
        if recipe.budget.max_cost is not None and engine_of(ref).remote and not ref.priced:
            raise UserError(
                f"{recipe.where('models', name)}: budget.max_cost needs the prices of {name!r}: prompt_price and "
                f"completion_price, in dollars for a million tokens (0 if it is free)"
            )


def _drop_orphans(completions: RowSet, prompts: RowSet) -> None:
    """Leave out the recorded candidates of prompts that are out; the prompt's own decision says why."""
    if not completions.height:
        return
    completions.keep_owned(NumberIndex(prompts.kept_numbers))
    completions.content = fingerprint([completions.content, prompts.content, code_hash(_drop_orphans)])
