"""The verb ``generate`` in ``prompts:``: new prompts made from those there are, each with its parents.

The name of a step's function says how: ``prompts`` asks a model, ``write_prompts`` needs none.
"""

import json
from collections.abc import Iterator
from functools import partial

import polars as pl

from curate.pipeline.generate.generate_step import read_generate_step
from curate.pipeline.generate.multi_turn import MultiTurn, ask_all, estimate_multi_turn, read_multi_turn, results
from curate.pipeline.generate.sampling_settings import NAMES as SAMPLING_NAMES
from curate.pipeline.generate.writing_step import WritingStep, read_writing_step
from curate.pipeline.prompt_keys import family_of
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.steps.find_step import Step, find_step
from curate.storage.polars_types import empty
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import Stage, StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError
from schemas.ids import content_id
from schemas.json_text import parse
from schemas.messages import last_text


def prompts_stage(state: RunState, step: recipes.Step) -> StageSpec:
    """Return the stage that adds new prompts; with ``keep_seeds: false`` those they were made from are left out.

    Raises:
        UserError: There is no such step, or a setting is wrong.
    """
    where = state.recipe.step_where(step)
    found = find_step("generate", step.use or "", where)
    if found.makes not in ("prompts", "write_prompts"):
        raise UserError(f"{where}: generate {found.name!r} makes candidates; it belongs in the section 'completions'")
    keep_seeds = step.settings.get("keep_seeds", True)
    if not isinstance(keep_seeds, bool):
        raise UserError(f"{where}: generate: keep_seeds: expected true or false, found {keep_seeds!r}")
    if found.makes == "write_prompts":
        return _writing_stage(state, step, found, keep_seeds)
    generation = read_generate_step(state, step, found, state.prompts, None, ("keep_seeds",))
    turns = read_multi_turn(generation, ("prompt_id", "messages", "family", "tools"))
    build = partial(
        write_prompts,
        turns=turns,
        earlier=[*state.prompts.stages],
        keep_seeds=keep_seeds,
        source=f"generate.{step.name}",
    )
    return StageSpec(
        generation.label,
        turns.key() | {"keep_seeds": keep_seeds},
        build,
        partial(_adopt, state, keep_seeds),
        code=generation.code,
        ask=partial(ask_all, turns),
        estimate=partial(estimate_multi_turn, turns),
    )


def write_prompts(
    writer: StageWriter, run: RunContext, *, turns: MultiTurn, earlier: list[Stage], keep_seeds: bool, source: str
) -> str:
    """Write a model's new prompts; one that there is already, also one that was dropped, is joined to it."""

    def made() -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        for rows, result, replies in results(turns, writer, run.models.read):
            yield rows, _prompts(rows, result, replies["model"], source)

    return _write(writer, made(), turns.generation.sampling.n, turns.generation.label, earlier, keep_seeds)


def _writing_stage(state: RunState, step: recipes.Step, found: Step, keep_seeds: bool) -> StageSpec:
    """Return the stage that adds the prompts of a step that asks no model."""
    writing = read_writing_step(state, step, found, state.prompts.columns(), ("keep_seeds",), SAMPLING_NAMES)
    names = list(dict.fromkeys(["prompt_id", "messages", "family", "tools", *writing.columns]))
    label = state.label("prompts", "generate", step.name)
    build = partial(
        write_made_prompts,
        seeds=state.prompts.copy(),
        names=names,
        writing=writing,
        label=label,
        earlier=[*state.prompts.stages],
        keep_seeds=keep_seeds,
        source=f"generate.{step.name}",
    )
    key = {**writing.key(), "keep_seeds": keep_seeds, **input_key(state.prompts, None, names)}
    code = (Step, found.code, WritingStep)
    return StageSpec(label, key, build, partial(_adopt, state, keep_seeds), code=code, in_plan=True)


def write_made_prompts(
    writer: StageWriter,
    _run: RunContext,
    *,
    seeds: RowSet,
    names: list[str],
    writing: WritingStep,
    label: str,
    earlier: list[Stage],
    keep_seeds: bool,
    source: str,
) -> str:
    """Write the prompts of a step that asks no model, as ``write_prompts`` does."""

    def made() -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        for batch in read_batches(seeds, names):
            rows = writing.rows_of(batch)
            yield rows, _prompts(rows, writing.call(rows), None, source)

    return _write(writer, made(), 1, label, earlier, keep_seeds)


def _write(
    writer: StageWriter,
    batches: Iterator[tuple[pl.DataFrame, pl.DataFrame]],
    n: int,
    label: str,
    earlier: list[Stage],
    keep_seeds: bool,
) -> str:
    """Write new prompts once each, and without ``keep_seeds`` that their seeds are dropped; return a line about it.

    Args:
        writer: Writes the tables.
        batches: The seeds, and the rows of ``prompts`` made from them.
        n: How often the seeds name each seed.
        label: The stage's label.
        earlier: The stages that have the prompts there are.
        keep_seeds: Whether the seeds stay.
    """
    known = pl.concat([empty("prompts").select("prompt_id"), *(s.read("prompts", ["prompt_id"]) for s in earlier)])
    new = repeats = rows_in = 0
    seeds = [known.clear()]
    for rows, made in batches:
        rows_in += rows.height // n
        seeds.append(rows.select("prompt_id").unique(maintain_order=True))
        fresh = made.unique("prompt_id", keep="first", maintain_order=True)
        fresh = fresh.join(known, on="prompt_id", how="anti", maintain_order="left")
        known = pl.concat([known, fresh.select("prompt_id")])
        writer.write("prompts", fresh)
        new, repeats = new + fresh.height, repeats + made.height - fresh.height
    if not keep_seeds:
        decisions = pl.concat(seeds).select(
            row_id="prompt_id",
            stage=pl.lit(label),
            kept=pl.lit(False),
            reason=pl.lit("seed (keep_seeds: false)"),
        )
        writer.write("decisions", decisions)
    writer.info["rows_in"] = rows_in
    return f"{new:,} new prompts from {rows_in:,}" + (f", {repeats:,} repeats joined" if repeats else "")


def _adopt(state: RunState, keep_seeds: bool, stage: Stage | None) -> None:
    if stage is None:
        return
    state.prompts.add(stage)
    if not keep_seeds:
        seeds = stage.read("decisions", ["row_id"])
        kept = state.prompts.kept_ids.join(
            seeds, left_on="prompt_id", right_on="row_id", how="anti", maintain_order="left"
        )
        state.prompts.keep(kept, stage)


def _prompts(rows: pl.DataFrame, result: pl.DataFrame, models: pl.Series | None, source: str) -> pl.DataFrame:
    """Return the new prompts of a batch as rows of ``prompts``; one made from a single other keeps its tools.

    ``models`` are those that were asked about each row, if any was.
    """
    ids, messages, families = rows["prompt_id"], rows["messages"], rows["family"]
    made = []
    more = [name if name in result.columns else None for name in ("parents", "ground_truth", "note")]
    for one in result.iter_rows(named=True):
        row = one["row"]
        parents, truth, note = (one[name] if name else None for name in more)
        others = [ids[place] for place in parents or []]
        note = {**(parse(note) if note else {}), **({} if models is None else {"model": models[row]})}
        text = last_text(parse(one["messages"]), "user")
        parents = list(dict.fromkeys([ids[row], *others]))
        tools = rows["tools"][row] if len(parents) == 1 else None
        made.append(
            (
                content_id("p", one["messages"], tools, truth),
                one["messages"],
                tools,
                text,
                truth,
                source,
                json.dumps(note, ensure_ascii=False),
                parents,
                families[row] or family_of(messages[row]),
            )
        )
    columns = ("prompt_id", "messages", "tools", "prompt", "ground_truth", "source", "metadata", "parent_ids", "family")
    schema = {name: pl.List(pl.String) if name == "parent_ids" else pl.String for name in columns}
    return pl.DataFrame(made, schema=schema, orient="row")
