"""The stage ``prompts.mix``: which prompts of each source are drawn, where sources have ``rows`` or a ``weight``.

It is made after the last source that has one of them, of the prompts that are still in. A prompt that two sources have
belongs to the first. A prompt that is not drawn is dropped by a decision. Where a source has fewer prompts than it is
to give, they are repeated: a repeat is a prompt of its own with the same messages, whose parent is the prompt it
repeats and whose family is that prompt's, so that a split has all repeats on one side. It has copies of the recorded
candidates and of the scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from curate.algorithms.mixture import Share, rows_to_draw, times_drawn
from curate.pipeline.prompt_keys import family_of
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.storage.prompt_origins import first_stages
from curate.storage.rows import CANDIDATES, RowSet, read_batches
from curate.storage.stage import Stage, StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError
from schemas.ids import content_id
from schemas.rows import PROMPTS

KEYS = ("rows", "weight")
MOST_ROWS = 10_000_000
LEAST_WEIGHT, MOST_WEIGHT = 0.000_001, 1_000_000


@dataclass(frozen=True)
class MixedSource:
    """A source of a mix: its name for people, its stage, what it is to give, and its place in the recipe."""

    name: str
    stage: Stage
    rows: int | None
    weight: float | None
    where: str

    @property
    def wish(self) -> str:
        """The keys of the source that ask for a number of prompts, such as ``rows: 500``."""
        return ", ".join(f"{key}: {getattr(self, key)}" for key in KEYS if getattr(self, key) is not None)


def last_mixed_source(recipe: recipes.Recipe) -> recipes.Step | None:
    """Return the last source of a recipe that has ``rows`` or a ``weight``, or None.

    Raises:
        UserError: One of these is wrong, or they do not go together.
    """
    sources = [step for step in recipe.prompts if step.verb == "source"]
    for step in sources:
        _check(step, recipe.step_where(step))
    weighted = [step for step in sources if "weight" in step.settings]
    if len(weighted) == 1:
        raise UserError(
            f"{recipe.step_where(weighted[0])}: source: weight: no other source has a weight, so there is nothing "
            f"to mix it with; give each source of the mix a weight, or say how many prompts to draw: rows: 500"
        )
    sized = [step for step in weighted if "rows" in step.settings]
    if len(sized) > 1:
        raise UserError(
            f"{recipe.step_where(sized[1])}: source: rows: the rows of one source with a weight set the size of the "
            f"mix, and {recipe.step_where(sized[0])} has them already; remove 'rows' or 'weight' here"
        )
    return next((step for step in reversed(sources) if set(KEYS) & set(step.settings)), None)


def _check(step: recipes.Step, where: str) -> None:
    rows, weight = (step.settings.get(key, 1) for key in KEYS)
    if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows <= MOST_ROWS:
        raise UserError(f"{where}: source: rows: expected a number of prompts from 1 to {MOST_ROWS:,}, found {rows!r}")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
        raise UserError(
            f"{where}: source: weight: expected a number from {LEAST_WEIGHT:f} to {MOST_WEIGHT:,}, found {weight!r}"
        )


def mix_stage(state: RunState) -> StageSpec:
    """Return the stage that draws the prompts of the sources so far."""
    recipe = state.recipe
    sources = [_mixed_source(recipe, *one) for one in state.sources_read]
    label, after = state.label("prompts", "mix"), _dedup_after(recipe)
    key: dict[str, Any] = {
        "sources": [[one.name, one.stage.content("prompts"), one.rows, one.weight] for one in sources],
        "seed": recipe.seed,
        "input": state.prompts.fingerprint(sorted(state.prompts.scores)),
        "candidates": state.completions.fingerprint(sorted(state.completions.scores)),
        "dedup_after": after,
    }
    build = partial(
        write_mix,
        prompts=state.prompts,
        completions=state.completions,
        sources=sources,
        seed=recipe.seed,
        label=label,
        dedup_after=after,
    )
    return StageSpec(label, key, build, partial(_adopt, state), code=(MixedSource,), in_plan=True)


def _mixed_source(recipe: recipes.Recipe, step: recipes.Step, name: str, stage: Stage) -> MixedSource:
    rows = step.settings.get("rows")
    if rows is not None and recipe.limit is not None:
        rows = min(rows, recipe.limit)
    return MixedSource(name, stage, rows, step.settings.get("weight"), recipe.step_where(step))


def _dedup_after(recipe: recipes.Recipe) -> list[str]:
    """Return the places in the recipe whose ``dedup`` would drop the repeats, after the mix."""
    last = max(place for place, step in enumerate(recipe.prompts) if set(KEYS) & set(step.settings))
    steps = [step for step in [*recipe.prompts[last:], *recipe.completions] if step.verb == "dedup"]
    datasets = [f"datasets.{name}.dedup" for name, entry in recipe.datasets.items() if entry.dedup is not None]
    return [f"{step.verb} {step.name}" for step in steps] + datasets


def write_mix(
    writer: StageWriter,
    run: RunContext,
    *,
    prompts: RowSet,
    completions: RowSet,
    sources: list[MixedSource],
    seed: int,
    label: str,
    dedup_after: list[str],
) -> str:
    """Write a decision for every prompt, and the repeats with their candidates and scores; return a summary."""
    run.progress.begin(label, prompts.height)
    origins = first_stages(prompts.stages)
    ids = prompts.kept_ids.join(origins, on="prompt_id", how="left", maintain_order="left")
    own = [ids.filter(pl.col("stage_id") == one.stage.stage_id)["prompt_id"] for one in sources]
    wanted = rows_to_draw([Share(len(part), one.rows, one.weight) for part, one in zip(own, sources, strict=True)])
    drawn, notes = [], []
    for part, one, rows in zip(own, sources, wanted, strict=True):
        if rows > MOST_ROWS:
            raise UserError(
                f"{one.where}: source: weight: the mix would have {rows:,} prompts of {one.name}; expected at most "
                f"{MOST_ROWS:,}: make the weight, or the rows of the other source, smaller"
            )
        reason = f"not drawn: {rows:,} of {len(part):,} of {one.name} ({one.wish})"
        times = pl.Series("times", times_drawn(part, rows, seed))
        drawn.append(pl.DataFrame({"prompt_id": part, "times": times}).with_columns(reason=pl.lit(reason)))
        notes.append(_note(one, len(part), rows))
    table = ids.select("prompt_id").join(pl.concat(drawn), on="prompt_id", how="left", maintain_order="left")
    table = table.with_columns(pl.col("times").fill_null(1))  # prompts that a step made of others are not drawn from
    kept = pl.col("times") > 0
    writer.write(
        "decisions",
        table.select(row_id="prompt_id", stage=pl.lit(label), kept=kept, reason=pl.when(~kept).then("reason")),
    )
    _write_repeats(writer, prompts, completions, table.filter(pl.col("times") > 1).select("prompt_id", "times"))
    writer.info["rows_in"] = ids.height
    repeats = sum(max(0, rows - len(part)) for rows, part in zip(wanted, own, strict=True))
    if repeats and dedup_after:
        writer.info["warnings"] = [
            f"{repeats:,} repeats are made, and dropped again as duplicates by {', '.join(dedup_after)}; put dedup "
            f"before the last source that is mixed, or draw fewer rows"
        ]
    return ", ".join(notes) + _shared_note(origins, sources)


def _note(one: MixedSource, available: int, rows: int) -> str:
    if rows > available:
        return f"{one.name} {rows:,} ({available:,} and {rows - available:,} repeats)"
    return f"{one.name} {rows:,} of {available:,}"


def _shared_note(origins: pl.DataFrame, sources: list[MixedSource]) -> str:
    """Return how many prompts of each source belong to an earlier one, or ""."""
    own = dict(origins["stage_id"].value_counts().rows())
    shared = [(one.stage.rows("prompts") - own.get(one.stage.stage_id, 0), one.name) for one in sources]
    return "".join(f"; {count:,} of {name} are in an earlier source too" for count, name in shared if count)


def _write_repeats(writer: StageWriter, prompts: RowSet, completions: RowSet, drawn: pl.DataFrame) -> None:
    """Write prompts (``prompt_id``) again, each ``times`` - 1 times, with their candidates and all scores."""
    if not drawn.height:
        return
    numbers = drawn.select("prompt_id", number=pl.int_ranges(1, "times")).explode("number")
    made = [content_id("p", prompt_id, "repeat", number) for prompt_id, number in numbers.iter_rows()]
    repeats = numbers.select("prompt_id", repeat=pl.Series(made, dtype=pl.String))
    for batch in read_batches(prompts, list(PROMPTS)):
        held = batch.join(repeats, on="prompt_id", how="inner", maintain_order="left")
        families = [f or family_of(m) for f, m in held.select("family", "messages").iter_rows()]
        held = held.with_columns(
            prompt_id="repeat",
            parent_ids=pl.concat_list("prompt_id"),
            family=pl.Series(families, dtype=pl.String),
        )
        if held.height:
            writer.write("prompts", held.drop("repeat"))
    _write_scores(writer, prompts, repeats.rename({"prompt_id": "row_id"}))
    copies = [repeats.clear().rename({"prompt_id": "row_id"})]
    for batch in read_batches(completions, list(CANDIDATES)):
        held = batch.join(repeats, on="prompt_id", how="inner", maintain_order="left")
        pairs = held.select("completion_id", "repeat").iter_rows()
        new = pl.Series("new", [content_id("c", old, repeat) for old, repeat in pairs], dtype=pl.String)
        copies.append(held.select(row_id="completion_id", repeat=new))
        held = held.with_columns(completion_id=new, prompt_id="repeat").drop("repeat")
        if held.height:
            writer.write("completions", held.rename({"completion": "messages"}))
    _write_scores(writer, completions, pl.concat(copies))


def _write_scores(writer: StageWriter, rows: RowSet, copies: pl.DataFrame) -> None:
    """Write the scores of rows (``row_id``) for their copies (``repeat``)."""
    for scores in _scores(rows):
        held = scores.join(copies, on="row_id", how="inner", maintain_order="left")
        if held.height:
            writer.write("scores", held.with_columns(row_id="repeat").drop("repeat"))


def _scores(rows: RowSet) -> Iterator[pl.DataFrame]:
    """Yield all scores of rows, a table for each scorer."""
    for name, stages in rows.scores.items():
        parts = [stage.read("scores").filter(pl.col("scorer") == name) for stage in stages]
        if parts:
            yield pl.concat(parts, how="diagonal").unique("row_id", keep="first", maintain_order=True)


def _adopt(state: RunState, stage: Stage | None) -> None:
    if stage is None:
        return
    state.mixed = stage
    state.prompts.keep_decided(stage)
    for rows in (state.prompts, state.completions):
        rows.add(stage)
        if stage.rows("scores"):
            for stages in rows.scores.values():
                stages.append(stage)
