"""The verb ``generate`` in ``completions:``: K candidates for each prompt, or new ones from those there are.

What a step's function is called says how it generates: ``ask`` (the replies to what it asks are the candidates),
``candidates`` (it asks about each candidate, maybe several times, and makes a new one), ``write`` (it needs no model).
"""

from collections.abc import Iterator

import polars as pl

from curate.pipeline.generate.accept_until import OURS as ACCEPT
from curate.pipeline.generate.accept_until import accept, read_acceptance
from curate.pipeline.generate.few_shot import with_shots
from curate.pipeline.generate.generate_step import Generation, read_generation, turn, write_candidates
from curate.pipeline.generate.multi_turn import Exchanges, plan_exchanges
from curate.pipeline.generate.sampling_settings import OURS
from curate.pipeline.generate.single_turn import asked_rows, groups, missing, write_replies
from curate.pipeline.pipeline import Walk
from curate.steps import sql_conditions as conditions
from curate.steps.registry import Step, find_step
from curate.storage.reply_log import ReplyLog
from curate.storage.rows import read_all
from curate.storage.store import Stage, StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError
from schemas.ids import content_id


def generate(walk: Walk, step: recipes.Step) -> None:
    """Make candidates. A step that asks needs ``model``; one that writes works on the candidates there are."""
    where = f"{walk.recipe.path}:{step.line}"
    found = find_step("generate", step.use, where)
    if found.makes == "prompts":
        raise UserError(f"{where}: generate {found.name!r} makes prompts; it belongs in the section 'prompts'")
    if found.makes == "write":
        return _write(walk, step, found, where)
    if found.makes == "candidates":
        return _remake(read_generation(walk, step, found, walk.completions, walk.prompts))
    step = with_shots(walk, step, found, where)
    generation = read_generation(walk, step, found, walk.prompts, None, ACCEPT)
    acceptance = read_acceptance(generation)
    if acceptance:
        stage = accept(generation, acceptance)
    else:
        stage = _ask(generation)
    if stage:
        walk.completions.add(stage)
    if not walk.execute and (stage is None or "part_of" in stage.manifest["what"]):
        plan_samples(generation, acceptance.most if acceptance else None)


def _ask(generation: Generation) -> Stage | None:
    walk = generation.walk

    def ask() -> str:
        total = sum(rows.height for rows in asked_rows(generation)) * generation.ask.n
        walk.progress.begin(generation.label, total, "replies")
        failures = generation.failures(total)
        whole = True
        for ref, _ in generation.ask.models:
            walk.answers.unload_except([ref])
            whole &= walk.answers.answer_all(ref, groups(generation, asked_rows(generation), ref), failures)
        if whole and not failures.reasons:
            return ""
        return missing(generation, asked_rows(generation))

    def build(writer: StageWriter) -> str:
        writer.info["rows_in"] = 0

        def counted() -> Iterator[pl.DataFrame]:
            for rows in asked_rows(generation):
                writer.info["rows_in"] += rows.height
                yield rows

        made, tokens = write_replies(generation, writer, counted())
        return f"{made:,} completions, {tokens:,} tokens"

    return walk.asked(generation.label, generation.key(), ask, build)


def _remake(generation: Generation) -> None:
    """Ask about each candidate and make new ones of the replies, each with the old one as its parent."""
    walk, n = generation.walk, generation.ask.n
    exchanges = Exchanges(generation, ("prompt_id", "sample_index"))

    def build(writer: StageWriter) -> str:
        made = tokens = rows_in = 0
        for rows, result, last in exchanges.results(writer):
            rows_in += rows.height // n
            new = (
                rows.with_columns(last)
                .with_columns(
                    response=result,
                    sample_index=pl.col("sample_index") * n + pl.col("__sample"),
                    parent_id="completion_id",
                )
                .drop_nulls("response")
            )
            counts = write_candidates(writer, new, generation.label)
            made, tokens = made + counts[0], tokens + counts[1]
        writer.info["rows_in"] = rows_in
        return f"{made:,} made from {rows_in:,}, {tokens:,} tokens"

    stage = walk.asked(generation.label, generation.key() | exchanges.key(), exchanges.ask, build)
    if stage:
        walk.completions.add(stage)
    if not walk.execute and (stage is None or "part_of" in stage.manifest["what"]):
        plan_exchanges(exchanges)


def _write(walk: Walk, step: recipes.Step, found: Step, where: str) -> None:
    """Write a new candidate for each one there is, without a model, with that one as its parent."""
    given = {k: v for k, v in step.settings.items() if k not in ("where", "as")}
    for key in given:
        if key in (*OURS, *ACCEPT):
            raise UserError(f"{where}: generate {found.name!r} asks no model, so it has no setting {key!r}")
    settings = found.settings(given, where, walk.recipe.seed)
    columns = walk.completions.columns(walk.prompts)
    condition = step.settings.get("where")
    if condition is not None:
        conditions.check(condition, columns, f"{where}: where")
    found.check_reads(list(columns), where)
    needed = conditions.mentioned(condition, list(columns)) if condition else []
    names = list(dict.fromkeys(["prompt_id", "sample_index", "model", *found.reads, *needed]))
    label = walk.label("completions", "generate", step.name)
    what = {
        "step": found.name,
        "settings": settings,
        "where": condition,
        "source": found.source,
        "input": walk.completions.depends(names),
        "context": walk.prompts.depends(names),
    }

    def build(writer: StageWriter) -> str:
        frame = read_all(walk.completions, names, walk.prompts)
        if condition:
            frame = frame.filter(conditions.holds(frame, condition, f"{where}: where"))
        new = frame.with_columns(response=found.call({r: frame[r] for r in found.reads}, settings))
        new = new.drop_nulls("response").with_columns(parent_id="completion_id")
        ids = [content_id("c", *key) for key in new.select("prompt_id", "parent_id", "response").iter_rows()]
        turns = [turn(text, None, None) for text in new["response"]]
        kept = new.select("prompt_id", "sample_index", "model", "response", "parent_id")
        writer.write(
            "completions",
            kept.with_columns(
                completion_id=pl.Series(ids, dtype=pl.String), messages=pl.Series(turns, dtype=pl.String)
            ),
        )
        writer.info["rows_in"] = frame.height
        return f"{new.height:,} written from {frame.height:,}"

    stage = walk.stage(label, what, build)
    if stage:
        walk.completions.add(stage)


def plan_samples(generation: Generation, most: int | None) -> None:
    """Say in the plan how many requests a step makes, at most, and how many of them are answered already."""
    walk = generation.walk
    if not walk.prompts.stages:
        return
    read = (*generation.reads, *generation.needed)
    if any(walk.prompts.scores.get(name) == [] for name in read):
        walk.plan[-1].note = "how many requests is known once the prompts are scored"
        return
    todo: dict[str, int] = {}
    known, sample = 0, []
    with ReplyLog.looking(walk.store) as log:
        for rows in asked_rows(generation):
            sample += rows["ask"].head(200 - len(sample)).to_list()
            if most:
                rows = rows.with_columns(first=pl.lit(0), end=pl.lit(most))
            for _, ref, group in generation.ask.requests(rows):
                held = sum(request.key in log for request in group)
                known, todo[ref.name] = known + held, todo.get(ref.name, 0) + len(group) - held
    for ref, _ in generation.ask.models:
        walk.want(ref, sample, todo.get(ref.name, 0), generation.ask.sampling.max_tokens)
    asks = ", ".join(f"{count:,} requests to {name}" for name, count in todo.items()) or "no requests"
    note = ("at most " if most else "") + asks + f", each of at most {generation.ask.sampling.max_tokens:,} new tokens"
    walk.plan[-1].note = note + (f"; {known:,} answered already" if known else "")
