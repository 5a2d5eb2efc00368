"""The verb ``generate`` in ``completions:``: K candidates for each prompt, or new ones from those there are.

The name of a step's function says how it generates: ``ask`` (the replies to its messages are the candidates),
``candidates`` (it asks about each candidate, maybe several times, and makes a new one), ``write`` (it needs no model).
"""

from collections.abc import Iterator
from functools import partial

import polars as pl

from curate.pipeline.generate.accept_until import NAMES as ACCEPT_NAMES
from curate.pipeline.generate.accept_until import accept_stage, read_acceptance
from curate.pipeline.generate.few_shot import with_examples
from curate.pipeline.generate.generate_step import (
    GenerateStep,
    read_generate_step,
    write_candidates,
)
from curate.pipeline.generate.multi_turn import MultiTurn, ask_all, estimate_multi_turn, read_multi_turn, results
from curate.pipeline.generate.sampling_settings import NAMES as SAMPLING_NAMES
from curate.pipeline.generate.single_turn import missing_replies, prompts_to_ask, request_groups, write_replies
from curate.pipeline.generate.writing_step import WritingStep, read_writing_step
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import Estimate, ModelRequests, RunContext, StageSpec, input_key
from curate.steps.find_step import Step, find_step
from curate.storage.reply_log import ReplyLog
from curate.storage.rows import RowSet, read_all
from curate.storage.stage import Stage, StageWriter
from schemas import recipe as recipes
from schemas.counted import counted
from schemas.errors import UserError
from schemas.ids import content_id
from schemas.messages import assistant_messages


def candidates_stage(state: RunState, step: recipes.Step) -> StageSpec:
    """Return the stage that makes candidates. A step that asks needs ``model``; one that writes reads those there are.

    Raises:
        UserError: There is no such step, or a setting is wrong.
    """
    where = state.recipe.step_where(step)
    found = find_step("generate", step.use or "", where)
    if found.makes in ("prompts", "write_prompts"):
        raise UserError(f"{where}: generate {found.name!r} makes prompts; it belongs in the section 'prompts'")
    if found.makes == "write":
        return _rewriting_stage(state, step, found)
    if found.makes == "candidates":
        return _remaking_stage(read_generate_step(state, step, found, state.completions, state.prompts))
    step = with_examples(state, step, found, where)
    generation = read_generate_step(state, step, found, state.prompts, None, ACCEPT_NAMES)
    acceptance = read_acceptance(generation)
    estimate = partial(estimate_samples, generation, acceptance.max_candidates if acceptance else None)
    if acceptance:
        return accept_stage(generation, acceptance, partial(_adopt, state), estimate)
    return StageSpec(
        generation.label,
        generation.key(),
        partial(write_samples, generation=generation),
        partial(_adopt, state),
        code=generation.code,
        ask=partial(_ask_samples, generation),
        estimate=estimate,
    )


def _adopt(state: RunState, stage: Stage | None) -> None:
    if stage:
        state.completions.add(stage)


def _ask_samples(generation: GenerateStep, run: RunContext) -> str:
    """Ask for all samples, one model after the other; return what is missing."""
    total = sum(rows.height for rows in prompts_to_ask(generation)) * generation.sampling.n
    run.progress.begin(generation.label, total, "replies")
    failures, complete = generation.failures(total), True
    for ref, _ in generation.sampling.models:
        run.models.unload_except([ref])
        groups = request_groups(generation, prompts_to_ask(generation), ref)
        complete &= run.models.answer_all(ref, groups, failures)
    if complete and not failures.reasons:
        return ""
    return missing_replies(generation, prompts_to_ask(generation), run.models)


def write_samples(writer: StageWriter, run: RunContext, *, generation: GenerateStep) -> str:
    """Write the replies that there are as candidates; return how many, and how many tokens they took."""
    writer.info["rows_in"] = 0

    def counted() -> Iterator[pl.DataFrame]:
        for rows in prompts_to_ask(generation):
            writer.info["rows_in"] += rows.height
            yield rows

    candidates, tokens = write_replies(generation, writer, counted(), run.models)
    return f"{candidates:,} completions, {tokens:,} tokens"


def _remaking_stage(generation: GenerateStep) -> StageSpec:
    """Return the stage that asks about each candidate and makes a new one, whose parent is the old one."""
    turns = read_multi_turn(generation, ("prompt_id", "sample_index"))
    return StageSpec(
        generation.label,
        turns.key(),
        partial(write_remade, turns=turns),
        partial(_adopt, generation.state),
        code=generation.code,
        ask=partial(ask_all, turns),
        estimate=partial(estimate_multi_turn, turns),
    )


def write_remade(writer: StageWriter, run: RunContext, *, turns: MultiTurn) -> str:
    """Write the candidates that a step of several exchanges made from those there are."""
    label, n = turns.generation.label, turns.generation.sampling.n
    candidates = tokens = rows_in = 0
    for rows, responses, replies in results(turns, writer, run.models.read):
        rows_in += rows.height // n
        index = pl.col("sample_index") * n + pl.col("__sample")
        made = rows.with_columns(replies).with_columns(
            response=responses, sample_index=index, parent_id="completion_id"
        )
        counts = write_candidates(writer, made.drop_nulls("response"), label)
        candidates, tokens = candidates + counts[0], tokens + counts[1]
    writer.info["rows_in"] = rows_in
    return f"{candidates:,} made from {rows_in:,}, {tokens:,} tokens"


def _rewriting_stage(state: RunState, step: recipes.Step, found: Step) -> StageSpec:
    """Return the stage that writes a new candidate for each one there is, without a model, with it as its parent."""
    columns = state.completions.columns(state.prompts)
    writing = read_writing_step(state, step, found, columns, (), (*SAMPLING_NAMES, *ACCEPT_NAMES))
    names = list(dict.fromkeys(["prompt_id", "sample_index", "model", *writing.columns]))
    build = partial(write_rewritten, rows=state.completions, prompts=state.prompts, columns=names, writing=writing)
    return StageSpec(
        state.label("completions", "generate", step.name),
        writing.key() | input_key(state.completions, state.prompts, names),
        build,
        partial(_adopt, state),
        code=(Step, found.code, WritingStep),
    )


def write_rewritten(
    writer: StageWriter, _run: RunContext, *, rows: RowSet, prompts: RowSet, columns: list[str], writing: WritingStep
) -> str:
    """Write the candidates that a step without a model makes from those there are."""
    frame = writing.rows_of(read_all(rows, columns, prompts))
    made = frame.with_columns(response=writing.call(frame))
    made = made.drop_nulls("response").with_columns(parent_id="completion_id")
    ids = [content_id("c", *key) for key in made.select("prompt_id", "parent_id", "response").iter_rows()]
    messages = [assistant_messages(text, None, None) for text in made["response"]]
    candidates = made.select("prompt_id", "sample_index", "model", "response", "parent_id")
    writer.write(
        "completions",
        candidates.with_columns(
            completion_id=pl.Series(ids, dtype=pl.String), messages=pl.Series(messages, dtype=pl.String)
        ),
    )
    writer.info["rows_in"] = frame.height
    return f"{made.height:,} written from {frame.height:,}"


def estimate_samples(generation: GenerateStep, max_candidates: int | None, log: ReplyLog) -> Estimate:
    """Say how many requests a step makes, at most, and how many of them are answered already.

    Args:
        generation: The step.
        max_candidates: The most samples of a prompt, where the step goes on until enough are accepted.
        log: The replies that there are.
    """
    state, sampling = generation.state, generation.sampling
    if not state.prompts.stages:
        return Estimate("")
    if generation.unknown_scores:
        return Estimate("the number of requests is known once the prompts are scored")
    unanswered: dict[str, int] = {}
    answered = 0
    sample: list[str] = []
    for rows in prompts_to_ask(generation):
        sample += rows["ask"].head(200 - len(sample)).to_list()
        if max_candidates:
            rows = rows.with_columns(first=pl.lit(0), end=pl.lit(max_candidates))
        for _, ref, requests in sampling.requests(rows):
            held = sum(request.key in log for request in requests)
            answered, unanswered[ref.name] = answered + held, unanswered.get(ref.name, 0) + len(requests) - held
    most = sampling.sampling.max_tokens
    wanted = [ModelRequests(ref, sample, unanswered.get(ref.name, 0), most) for ref, _ in sampling.models]
    asks = ", ".join(f"{counted(count, 'request')} to {name}" for name, count in unanswered.items()) or "no requests"
    note = ("at most " if max_candidates else "") + asks + f", each of at most {most:,} new tokens"
    return Estimate(note + (f"; {answered:,} answered already" if answered else ""), wanted)
