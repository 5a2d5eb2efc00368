"""The verb ``source``: a file or a data set becomes prompts, recorded candidates and their recorded scores."""

from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from curate.pipeline.mix import KEYS
from curate.pipeline.run_state import RunState
from curate.pipeline.source_parts import write_parts
from curate.pipeline.source_reader import SourceReader, placed_errors
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.sources.facts import Facts
from curate.sources.open_source import content_of, label_name, shown_name, source_path, stage_name
from curate.sources.read_source import CUT, KEEP, SourceOptions, read_source
from curate.sources.source_summary import (
    leftover_searches,
    source_leftovers,
    source_summary,
    source_warnings,
    truths_alone,
)
from curate.sources.source_tables import Source
from curate.steps.find_step import find_step
from curate.storage.stage import Stage, StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError, short_repr, unknown
from schemas.json_text import blank

FROM_CANDIDATES = ("write", "candidates")  # ways to generate that need a candidate first
LICENCE = "license"  # said by an export; it makes no row
LONGEST = 200  # characters of a licence
SETTINGS = ("fields", "on_error", "name", "limit", "hub", "split", "sql", "unanswered", LICENCE, *KEYS)


def check_source_names(recipe: recipes.Recipe) -> None:
    """Raise ``UserError`` where a source has an unknown setting, or a licence that is no name."""
    for step in recipe.prompts:
        for name in step.settings if step.verb == "source" else ():
            if name not in ("path", *SETTINGS):
                raise unknown("setting of source called", name, SETTINGS, recipe.step_where(step))
        if step.verb == "source" and LICENCE in step.settings:
            _check_licence(step.settings[LICENCE], recipe.step_where(step))


def _check_licence(value: Any, where: str) -> None:
    if not isinstance(value, str) or blank(value) or len(value) > LONGEST or not value.isprintable():
        raise UserError(
            f"{where}: source: license: expected a name on one line, such as cc-by-4.0, found {short_repr(value)}"
        )


def source_stage(state: RunState, step: recipes.Step) -> StageSpec:
    """Return the stage that holds the rows of a source.

    Raises:
        UserError: A data set on the hub cannot be read.
    """
    where = state.recipe.step_where(step)
    settings = dict(step.settings)
    named = settings.pop("path", "")
    settings = _limited({k: v for k, v in settings.items() if k not in (LICENCE, *KEYS)}, state.recipe.limit)
    said = settings.setdefault("unanswered", CUT if cuts_unanswered(state.recipe) else KEEP)
    if said == KEEP:
        del settings["unanswered"]  # as the reader does by itself, and a source of an older version did
    folder, name = state.recipe.path.parent, settings.get("name")
    try:
        path = folder if "sql" in settings else source_path(named, folder, settings.get("hub"))
    except UserError as error:
        raise UserError(f"{where}: source: {error}") from None
    label = state.label("prompts", "source", label_name(str(name or stage_name(path, settings.get("sql")))))
    shown = str(name or shown_name(path, settings.get("sql")))
    key = {"settings": settings, "content": state.sources.content(path, settings, where)}
    build = partial(
        write_source, sources=state.sources, path=path, settings=settings, where=where, label=label, shown=shown
    )
    adopt = partial(_adopt, state, step, shown)
    return StageSpec(label, key, build, adopt, code=(read_source, content_of), in_plan=True)


def cuts_unanswered(recipe: recipes.Recipe) -> bool:
    """Return whether conversations that end with a turn nothing answers are cut where their source does not say.

    They are where the recipe makes rows to learn, has no use for prompts, and nothing in it answers them.
    """
    types = {dataset.type for dataset in recipe.datasets.values()}
    return "sft" in types and "prompt" not in types and not answers_prompts(recipe)


def answers_prompts(recipe: recipes.Recipe) -> bool:
    """Return whether a step of ``completions:`` makes candidates where there are none."""
    steps = [step for step in recipe.completions if step.verb == "generate"]
    return any(
        find_step("generate", step.use or "", recipe.step_where(step)).makes not in FROM_CANDIDATES for step in steps
    )


def write_source(
    writer: StageWriter,
    run: RunContext,
    *,
    sources: SourceReader,
    path: Path | str,
    settings: dict[str, Any],
    where: str,
    label: str,
    shown: str,
) -> str:
    """Write the rows of a source, and what a user is warned of; return a summary of what was read."""
    run.progress.begin(label)
    if sources.in_files(path, settings):
        with placed_errors(settings, where):
            facts = write_parts(writer, SourceOptions(path, **settings), label, run.progress)
        sources.check_unchanged(path, settings, where)
    else:
        facts = _write_held(writer, sources.read(path, settings, where), label)
    writer.info["source"] = shown
    writer.info["rows_in"] = facts.prompts + facts.repeats + facts.refused
    fields = settings.get("fields")
    found = {
        "warnings": source_warnings(facts, fields),
        "leftovers": leftover_searches(source_leftovers(facts)),
        "truths_alone": truths_alone(facts, fields),
        "unanswered": facts.unanswered,
        "unanswered_truths": facts.unanswered_truths,
    }
    writer.info |= {name: value for name, value in found.items() if value}
    return source_summary(facts)


def _write_held(writer: StageWriter, source: Source, label: str) -> Facts:
    """Write the tables of a source whose rows are in memory."""
    writer.write("prompts", source.prompts)
    for table, part in (("completions", source.completions), ("scores", source.scores)):
        if part.height:
            writer.write(table, part)
    if source.decisions.height:
        writer.write("decisions", source.decisions.with_columns(stage=pl.lit(label)))
    return source.facts


def _limited(settings: dict[str, Any], limit: int | None) -> dict[str, Any]:
    """Return the settings with the recipe's limit, where the source has none or a larger one."""
    own = settings.get("limit")
    if limit is None or (own is not None and not (isinstance(own, int) and own > limit)):
        return settings
    return {**settings, "limit": limit}


def _adopt(state: RunState, step: recipes.Step, name: str, stage: Stage | None) -> None:
    if stage is None:
        return
    state.sources_read.append((step, name, stage))
    state.prompts.add(stage)
    state.completions.add(stage)
    for name in stage.read("scores", ["scorer"])["scorer"].unique(maintain_order=True):
        state.completions.scores.setdefault(name, []).append(stage)
