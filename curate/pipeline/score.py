"""The verb ``score``: every row gets a scorer's value, a column from then on; a failed score is null with its error."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import polars as pl

from curate.models.failures import MAX_REFUSED_SHARE, Failures
from curate.models.gateway import replies_frame
from curate.models.scorer_requests import ScorerRequests, requests_of
from curate.pipeline import training_columns
from curate.pipeline.missing import missing_note
from curate.pipeline.run_state import RunState
from curate.pipeline.score_parts import FEWEST, plain_scorer, score_table, write_parts
from curate.pipeline.score_summary import ScoreSummary
from curate.pipeline.scorer import Answer, Scorer, ScorerFailed, no_model_calls, read_scorer
from curate.pipeline.stage_spec import KNOWN_LATER, Estimate, ModelRequests, RunContext, StageSpec, input_key
from curate.steps.find_step import Step
from curate.steps.model_calls import Embed, ModelCalls
from curate.storage.reply_log import ReplyLog
from curate.storage.rows import RowSet, read_all, read_batches, read_groups
from curate.storage.stage import Stage, StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError

RESERVED = ("split", "n_completions")  # what a condition may name beside the columns and scores
NOUNS = {"generate": "requests", "reward": "rewards", "loss": "losses", "run": "programs to run"}
SCORER_MAX_FAILED_SHARE = 0.1  # of a scorer's requests: a row whose request failed has no score, and the others do


@dataclass(frozen=True)
class ScoreStep:
    """A ``score`` step: the scorer, and the rows it scores with their prompts (None if they are prompts)."""

    state: RunState
    rows: RowSet
    prompts: RowSet | None
    scorer: Scorer
    label: str


def score_stage(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> StageSpec:
    """Return the stage that scores every row; the score is a column of the step's name from then on.

    Args:
        state: The run's state.
        rows: The rows to score.
        step: The recipe's step.
        prompts: The prompts of candidates, whose columns a scorer may read; None where ``rows`` are prompts.

    Raises:
        UserError: The name is taken, or the step's settings are wrong.
    """
    if step.use == training_columns.STEP:
        return training_columns.step_stage(state, rows, step, prompts)
    where = state.recipe.step_where(step)
    columns = rows.columns(prompts)
    if step.name.lower() in [column.lower() for column in (*columns, *RESERVED)]:  # SQL ignores case
        raise UserError(f"{where}: a column {step.name!r} exists already; give this score another name with 'as'")
    if step.name.startswith("__"):
        raise UserError(f"{where}: {step.name!r}: names that begin with __ are gristmill's own; name it with 'as'")
    scorer = read_scorer(step, columns, where, state.recipe.seed, state.model)
    shares = _max_failed(step, where)
    score = ScoreStep(state, rows, prompts, scorer, state.label(rows.table, "score", step.name))
    asks = bool(scorer.models)  # a generator may ask nothing, by its settings
    return StageSpec(
        score.label,
        {"scorer": scorer.key(), "name": step.name, **input_key(rows, prompts, scorer.columns)},
        partial(write_model_scores if asks else write_plain_scores, score=score),
        partial(_adopt, rows, step.name),
        code=(Scorer, Step, scorer.step.code),
        ask=partial(_ask, score, shares) if asks else None,
        estimate=partial(_estimate, score) if asks else None,
    )


def write_plain_scores(writer: StageWriter, run: RunContext, *, score: ScoreStep) -> str:
    """Write the scores of a scorer that asks no model; those of many rows in parts."""
    plain = plain_scorer(score.scorer) if score.rows.height >= FEWEST else None
    if plain is None:
        return write_scores(writer, run, score, no_model_calls)
    run.progress.begin(score.label, score.rows.height)
    return _written(writer, write_parts(writer, score.rows, score.prompts, score.scorer, plain, run.progress))


def write_model_scores(writer: StageWriter, run: RunContext, *, score: ScoreStep) -> str:
    """Write the scores of a scorer that asks models, from the replies that are there."""
    failures = Failures(score.label, 0, writer.info.setdefault("failed", Counter()))
    return write_scores(writer, run, score, _model_requests(score, run, failures, asking=False).answer)


def write_scores(writer: StageWriter, run: RunContext, score: ScoreStep, answer: Answer) -> str:
    """Write the scores of all rows; return how many there are, their mean, and the scorer's notes."""
    run.progress.begin(score.label, score.rows.height)
    summary = ScoreSummary()
    for part in _parts(score):
        table, of_part = score_table(score.scorer, part, score.rows.id, answer)
        writer.write("scores", table)
        summary.add(of_part)
        run.progress.advance(part.height)
    return _written(writer, summary)


def _written(writer: StageWriter, summary: ScoreSummary) -> str:
    writer.info["rows_in"] = summary.rows
    if summary.warnings:
        writer.info["warnings"] = summary.warnings
    return summary.line()


def _adopt(rows: RowSet, name: str, stage: Stage | None) -> None:
    rows.scores[name] = [stage] if stage else []


def _ask(score: ScoreStep, shares: tuple[float, float], run: RunContext) -> str:
    """Ask the models all that the scorer wants to know; return what is missing of the replies."""
    run.models.unload_except([ref for ref, _ in score.scorer.models or ()])
    requests = _model_requests(score, run, Failures(score.label, 0), asking=True, shares=shares)
    for part in _parts(score):
        score.scorer.values(part, requests.answer)
    return missing_note(requests.unasked, requests.transient)


def _model_requests(
    score: ScoreStep, run: RunContext, failures: Failures, *, asking: bool, shares: tuple[float, float] = (1.0, 1.0)
) -> ScorerRequests:
    return ScorerRequests(
        run.models,
        lambda name: score.state.model(name, score.scorer.where),
        score.state.recipe.seed,
        label=score.label,
        failures=failures,
        max_failed=shares[0],
        max_refused=shares[1],
        stop=False,
        asking=asking,
    )


def _parts(score: ScoreStep) -> Iterator[pl.DataFrame]:
    """Yield the rows with the columns the scorer reads, in frames that hold all that it must see at once."""
    columns = score.scorer.columns
    if score.scorer.scope == "prompts":
        return read_groups(score.rows, columns, score.prompts)
    if score.scorer.scope == "table":
        return iter([read_all(score.rows, columns, score.prompts)])
    return read_batches(score.rows, columns, score.prompts)


def _max_failed(step: recipes.Step, where: str) -> tuple[float, float]:
    """Return the share of a scorer's requests that may fail, and the share that may fail or be refused for good."""
    share = step.settings.get("max_failed", SCORER_MAX_FAILED_SHARE)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise UserError(f"{where}: score: max_failed: expected a share from 0 to 1, found {share!r}")
    return float(share), float(share) if "max_failed" in step.settings else MAX_REFUSED_SHARE


class _NotMadeYet(Exception):
    """A scorer reads embeddings, which a plan does not make, so the plan cannot follow it further."""


def _estimate(score: ScoreStep, log: ReplyLog) -> Estimate:
    """Say how many requests a scorer makes, as far as that is known before their replies are.

    A reply that is not there yet is null to the scorer, so that it goes on to its next requests: to another judge, say.
    """
    rows, prompts, scorer = score.rows, score.prompts, score.scorer
    scores = {**(prompts.scores if prompts else {}), **rows.scores}
    if not rows.stages or any(scores.get(name) == [] for name in scorer.columns):
        return Estimate(KNOWN_LATER)
    unanswered: dict[str, tuple[ModelCalls, dict[str, str]]] = {}  # by model: a call of it, and messages by their keys

    def answer(calls: ModelCalls | Embed) -> pl.DataFrame:
        if isinstance(calls, Embed):
            raise _NotMadeYet
        made = requests_of(calls, score.state.model(calls.model, scorer.where), score.state.recipe.seed)
        new = {one.key: one.messages for one in made if one and one.key not in log}
        if new:
            unanswered.setdefault(calls.model, (calls, {}))[1].update(new)
        replies = log.read(one.key for one in made if one)
        return replies_frame([replies.get(one.key) if one else None for one in made])

    for part in _parts(score):
        with suppress(_NotMadeYet, ScorerFailed):
            scorer.values(part, answer)
    notes, requests = [], []
    for name, (calls, messages) in unanswered.items():
        notes.append(f"{len(messages):,} {NOUNS[calls.task]}" + (f" to {name}" if calls.task != "run" else ""))
        if calls.task == "generate":  # the other tasks write nothing: no new tokens are to be paid for
            most = calls.sampling.get("max_tokens", 256)
            ref = score.state.model(name, scorer.where)
            requests.append(ModelRequests(ref, list(messages.values())[:200], len(messages), most))
    if notes:
        notes[-1] += "; further requests may follow, depending on the replies"
    return Estimate(", ".join(notes), requests)
