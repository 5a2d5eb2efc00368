"""The verb ``score``: calling a scorer on the rows, batch by batch; its value is a column from then on."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import polars as pl

from curate.models.gateway import Failures, replies_frame
from curate.models.scorer_requests import ScorerRequests, requests_of
from curate.pipeline.generate.generate_step import lacking
from curate.pipeline.pipeline import Walk
from curate.pipeline.scorer import Meet, Scorer, ScorerFailed, no_model_calls, read_scorer
from curate.steps.model_calls import Embed, ModelCalls
from curate.storage.reply_log import ReplyLog
from curate.storage.rows import RowSet, read_all, read_batches, read_groups
from curate.storage.store import StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError

# What a condition may name beside the columns: the split, and how many candidates a prompt has.
TAKEN = ("split", "n_completions")
NOUNS = {"generate": "requests", "reward": "rewards", "loss": "losses", "run": "programs to run"}
SCORER_MAX_FAILED_SHARE = 0.1  # of the requests of a scorer; the rows whose request failed have no score


def score(walk: Walk, rows: RowSet, step: recipes.Step, context: RowSet | None) -> None:
    """Score every row; the value is a column of this name from here on."""
    where = f"{walk.recipe.path}:{step.line}"
    columns = rows.columns(context)
    if step.name.lower() in [c.lower() for c in (*columns, *TAKEN)]:  # SQL takes no notice of case
        raise UserError(f"{where}: a column {step.name!r} exists already; give this score another name with 'as'")
    if step.name.startswith("__"):
        raise UserError(f"{where}: {step.name!r}: names that begin with __ are gristmill's own; name it with 'as'")
    scorer = read_scorer(step, columns, where, walk.recipe.seed, walk.model)
    label = walk.label(rows.table, "score", step.name)
    what = {
        "scorer": scorer.key(),
        "name": step.name,
        "input": rows.depends(scorer.columns),
        "context": context.depends(scorer.columns) if context else "",
    }
    if scorer.asks:
        stage = _ask(walk, rows, context, scorer, label, what, _max_failed(step, where))
    else:
        stage = walk.stage(
            label, what, lambda writer: _write(walk, rows, context, scorer, label, writer, no_model_calls)
        )
    rows.scores[step.name] = [stage] if stage else []


def _ask(
    walk: Walk,
    rows: RowSet,
    context: RowSet | None,
    scorer: Scorer,
    label: str,
    what: dict[str, Any],
    max_failed: float,
) -> Any:
    """The stage of a scorer that asks: all is asked first, and written once it is known whether that is all."""

    def edge(asking: bool, failures: Failures) -> ScorerRequests:
        return ScorerRequests(
            walk.answers,
            lambda name: walk.model(name, scorer.where),
            walk.recipe.seed,
            label=label,
            failures=failures,
            max_failed=max_failed,
            stop=False,
            asking=asking,
        )

    def ask() -> str:
        asking = edge(True, Failures(label, 0))
        walk.answers.unload_except([ref for ref, _ in scorer.models])
        for part in _parts(rows, context, scorer):
            scorer.values(part, asking.answer)
        return lacking(asking.unasked, asking.transient)

    def build(writer: StageWriter) -> str:
        reading = edge(False, Failures(label, 0, writer.info.setdefault("failed", Counter())))
        return _write(walk, rows, context, scorer, label, writer, reading.answer)

    stage = walk.asked(label, what, ask, build)
    if not walk.execute and (stage is None or "part_of" in stage.manifest["what"]):
        _plan(walk, rows, context, scorer)
    return stage


def _write(
    walk: Walk, rows: RowSet, context: RowSet | None, scorer: Scorer, label: str, writer: StageWriter, meet: Meet
) -> str:
    """Write the scores of all rows; say how many there are, their mean, and what the scorer notes."""
    walk.progress.begin(label, rows.kept_ids.height)
    total, good, mean, notes = 0, 0, 0.0, []
    for part in _parts(rows, context, scorer):
        scored = scorer.values(part, meet)
        writer.write(
            "scores", scored.select("value", "error", "detail", row_id=part[rows.id], scorer=pl.lit(scorer.name))
        )
        total, good = total + part.height, good + scored["value"].count()
        mean += float(scored["value"].sum() or 0.0)
        notes += [note for note in scored["note"].drop_nulls().unique(maintain_order=True) if note not in notes]
        walk.progress.advance(part.height)
    writer.info["rows_in"] = total
    said = [f"{good:,} scored", f"mean {mean / good:.3f}" if good else "", f"{total - good:,} null" * (total > good)]
    return ", ".join(part for part in [*said, *notes[:3]] if part)


def _parts(rows: RowSet, context: RowSet | None, scorer: Scorer) -> Iterator[pl.DataFrame]:
    """The rows with what the scorer reads, in frames that part nothing it must see at once."""
    if scorer.scope == "prompts":
        return read_groups(rows, scorer.columns, context)
    if scorer.scope == "table":
        return iter([read_all(rows, scorer.columns, context)])
    return read_batches(rows, scorer.columns, context)


def _max_failed(step: recipes.Step, where: str) -> float:
    """The share of a scorer's requests that may fail."""
    share = step.settings.get("max_failed", SCORER_MAX_FAILED_SHARE)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise UserError(f"{where}: score: max_failed: expected a share from 0 to 1, found {share!r}")
    return float(share)


class _Open(Exception):
    """What a plan can't see past: embeddings that are not made yet."""


def _plan(walk: Walk, rows: RowSet, context: RowSet | None, scorer: Scorer) -> None:
    """Say in the plan how many requests a scorer makes, as far as that is known before their answers are.

    What is not answered yet is null to the scorer, so that it goes on to what it wants next: of another judge, say.
    """
    held = {**(context.scores if context else {}), **rows.scores}
    if not rows.stages or any(held.get(name) == [] for name in scorer.columns):
        walk.plan[-1].note = "how many requests is known once the steps above are done"
        return
    todo: dict[
        str, tuple[ModelCalls, dict[str, str]]
    ] = {}  # a model's name -> a want of it, and the asks by their keys
    with ReplyLog.looking(walk.store) as log:

        def meet(want: ModelCalls | Embed) -> pl.DataFrame:
            if isinstance(want, Embed):
                raise _Open
            made = requests_of(want, walk.model(want.model, scorer.where), walk.recipe.seed)
            new = {one.key: one.messages for one in made if one and one.key not in log}
            if new:
                todo.setdefault(want.model, (want, {}))[1].update(new)
            replies = log.read(one.key for one in made if one)
            return replies_frame([replies.get(one.key) if one else None for one in made])

        for part in _parts(rows, context, scorer):
            with suppress(_Open, ScorerFailed):
                scorer.values(part, meet)
    for name, (want, asks) in todo.items():
        if want.task != "generate":
            continue  # it writes nothing: there are no tokens to be paid for
        sample = list(asks.values())[:200]
        walk.want(walk.model(name, scorer.where), sample, len(asks), want.sampling.get("max_tokens", 256))
    said = (
        f"{len(asks):,} {NOUNS[want.task]}" + f" to {name}" * (want.task != "run")
        for name, (want, asks) in todo.items()
    )
    walk.plan[-1].note = ", ".join(said) + ("; more may hang on the replies" if todo else "")
