"""``accept: N``: ask until N prompts have a candidate that is good enough, and no more than that takes.

Requests are made in waves. A wave asks about at most as many prompts as are still wanted, so it never ends with more
than N: new prompts first, in order, then those that have no accepted candidate yet, up to ``max_candidates`` each. What
a wave asks depends on the replies alone, not on when they came, so a run that was killed comes to the same end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from curate.models.failures import Failures
from curate.models.scorer_requests import ScorerRequests
from curate.pipeline.generate.generate_step import REPLY, GenerateStep
from curate.pipeline.generate.sampling_settings import number
from curate.pipeline.generate.single_turn import (
    missing_replies,
    prompts_to_ask,
    replies_to,
    request_groups,
    write_replies,
)
from curate.pipeline.missing import missing_note
from curate.pipeline.scorer import Scorer, read_scorer
from curate.pipeline.stage_spec import Estimate, RunContext, StageSpec
from curate.steps import sql_conditions
from curate.storage.reply_log import ReplyLog
from curate.storage.rows import read_all
from curate.storage.stage import Stage, StageWriter
from schemas.errors import UserError

NAMES = ("accept", "accepted", "need", "max_candidates")


@dataclass(frozen=True)
class Acceptance:
    """When a step with ``accept`` has enough.

    Attributes:
        wanted: How many prompts are wanted.
        condition: The SQL condition that makes a candidate good enough.
        need: How many good candidates each of these prompts must have.
        max_candidates: The most samples of a prompt.
        scorers: The scorers whose scores the condition reads, in order.
        columns: The columns of prompts that the condition and the scorers read.
    """

    wanted: int
    condition: str
    need: int
    max_candidates: int
    scorers: tuple[Scorer, ...]
    columns: tuple[str, ...]


def read_acceptance(generation: GenerateStep) -> Acceptance | None:
    """Check the settings ``accept``, ``accepted``, ``need`` and ``max_candidates``; None if a step has no ``accept``.

    The condition may name the columns of candidates and prompts, and the scores of the ``score`` steps below.

    Raises:
        UserError: A setting is wrong.
    """
    settings, where, state = generation.step.settings, generation.where, generation.state
    if "accept" not in settings:
        for key in NAMES[1:]:
            if key in settings:
                raise UserError(f"{where}: generate: {key}: needs 'accept', the number of prompts wanted")
        return None
    n = generation.sampling.n
    numbers = {
        "accept": settings["accept"],
        "need": settings.get("need", 1),
        "max_candidates": settings.get("max_candidates", 4 * n),
    }
    for key, value in numbers.items():
        number(numbers, key, int, 1, where, value)
    if numbers["need"] > numbers["max_candidates"]:
        raise UserError(
            f"{where}: generate: need: expected at most max_candidates, {numbers['max_candidates']}; "
            f"found {numbers['need']}"
        )
    if not isinstance(settings.get("accepted"), str):
        raise UserError(
            f"{where}: generate: accept needs 'accepted', the condition (SQL) that makes a candidate good "
            f'enough, such as "constraints = 1"'
        )
    condition = settings["accepted"]
    held = state.completions.columns()
    columns = {name: held[name] for name in (*REPLY, "sample_index", "model")} | state.prompts.columns()
    steps, step = state.recipe.completions, generation.step
    place = next(i for i, s in enumerate(steps) if (s.verb, s.use, s.line) == (step.verb, step.use, step.line))
    below = [s for s in steps[place:] if s.verb == "score"]
    every = {**columns, **{step.name: pl.Float64() for step in below}}
    sql_conditions.check(condition, every, f"{where}: accepted")
    wanted = set(sql_conditions.mentioned(condition, list(every)))
    scorers: list[Scorer] = []
    for one in reversed(below):  # the last first: a score may read an earlier one
        if one.name in wanted:
            scorers.insert(0, read_scorer(one, every, state.recipe.step_where(one), state.recipe.seed, state.model))
            wanted.update(scorers[0].columns)
    return Acceptance(
        numbers["accept"],
        condition,
        numbers["need"],
        numbers["max_candidates"],
        tuple(scorers),
        tuple(sorted(wanted & set(state.prompts.columns()))),
    )


def accept_stage(
    generation: GenerateStep,
    acceptance: Acceptance,
    adopt: Callable[[Stage | None], None],
    estimate: Callable[[ReplyLog], Estimate],
) -> StageSpec:
    """Return the stage that asks in waves until enough prompts have what they need, or nothing is left to try."""
    key = generation.key() | {
        "accept": acceptance.wanted,
        "accepted": acceptance.condition,
        "need": acceptance.need,
        "max_candidates": acceptance.max_candidates,
        "scorers": [[scorer.name, scorer.key()] for scorer in acceptance.scorers],
    }
    key["context"] = [key["context"], generation.state.prompts.fingerprint(list(acceptance.columns))]
    waves = Waves(generation, acceptance)
    return StageSpec(
        generation.label,
        key,
        partial(write_accepted, waves=waves),
        adopt,
        code=(Waves, Scorer, *generation.code, *(scorer.step.code for scorer in acceptance.scorers)),
        ask=waves.ask,
        estimate=estimate,
    )


def write_accepted(writer: StageWriter, run: RunContext, *, waves: "Waves") -> str:
    """Write every candidate that was asked for; return how many prompts have an accepted one."""
    generation, asked = waves.generation, waves.asked_rows()
    candidates, tokens = write_replies(generation, writer, [asked], run.models)
    writer.info["rows_in"] = waves.rows.height
    return (
        f"{waves.satisfied:,} of {waves.acceptance.wanted:,} prompts with an accepted candidate, from "
        f"{candidates:,} completions of {asked.height:,} prompts, {tokens:,} tokens"
    )


class Waves:
    """The waves of requests: of every prompt, how many candidates were asked for and how many were accepted."""

    def __init__(self, generation: GenerateStep, acceptance: Acceptance) -> None:
        """Prepare to ask; nothing is read yet."""
        self.generation, self.acceptance = generation, acceptance
        self.rows = pl.DataFrame(schema={"row_id": pl.String, "ask": pl.String, "tools": pl.String})
        self.prompts = pl.DataFrame()
        self.asked = self.good = np.zeros(0, dtype=np.int64)

    @property
    def satisfied(self) -> int:
        """The number of prompts that have what they need."""
        return int((self.good >= self.acceptance.need).sum())

    def ask(self, run: RunContext) -> str:
        """Ask wave after wave; return what is missing if a budget ended it."""
        self._read_rows()
        wanted, sampling = self.acceptance.wanted, self.generation.sampling
        label, state = self.generation.label, self.generation.state
        requests = ScorerRequests(
            run.models,
            lambda name: state.model(name, self.generation.where),
            state.recipe.seed,
            label=f"{label}, scores",
            failures=Failures(label, 0),
            stop=False,
        )
        failures = self.generation.failures(max(1, min(wanted, self.rows.height)) * sampling.n)
        run.progress.begin(label, None, "replies")
        judges = [ref for scorer in self.acceptance.scorers for ref, _ in scorer.models or ()]
        run.models.unload_except([*judges, *(ref for ref, _ in sampling.models)])
        complete = True
        while complete and (wave := self._next_wave()).height:
            self.generation.allow(failures, int(self.asked.sum()))
            for ref, _ in sampling.models:
                groups = request_groups(self.generation, [wave], ref)
                complete &= run.models.answer_all(ref, groups, failures)
            self._count_accepted(wave, run, requests)
            complete &= requests.asking
            run.progress.advance(0, f"{self.satisfied:,} of {wanted:,} accepted")
        if complete and self.satisfied < wanted:
            only = f"{label}: only {self.satisfied:,} of {wanted:,} prompts have an accepted candidate"
            run.progress.say(f"{only}, and no candidate is left to make: add prompts, or raise max_candidates")
        return self._missing(run, requests) if failures.reasons or not complete else ""

    def asked_rows(self) -> pl.DataFrame:
        """Return the rows that were asked about, with the samples asked for."""
        return self.rows.with_columns(end=pl.Series(self.asked), first=pl.lit(0)).filter(pl.col("end") > 0)

    def _read_rows(self) -> None:
        parts = [rows.select("row_id", "ask", "tools") for rows in prompts_to_ask(self.generation)]
        self.rows = pl.concat(parts) if parts else self.rows
        self.prompts = read_all(self.generation.state.prompts, list(self.acceptance.columns))
        self.asked = np.zeros(self.rows.height, dtype=np.int64)
        self.good = np.zeros(self.rows.height, dtype=np.int64)

    def _next_wave(self) -> pl.DataFrame:
        """Return the rows of the next wave, with the samples ``first`` to ``end`` to ask for."""
        left = self.acceptance.wanted - self.satisfied
        most = self.acceptance.max_candidates
        unsatisfied = np.flatnonzero((self.good < self.acceptance.need) & (self.asked < most))
        chosen = unsatisfied[np.argsort(self.asked[unsatisfied], kind="stable")][: max(left, 0)]
        first = self.asked[chosen]
        end = np.minimum(first + self.generation.sampling.n, most)
        self.asked[chosen] = end
        index = pl.Series("index", chosen, dtype=pl.UInt32)
        return self.rows[index].with_columns(index, first=pl.Series(first), end=pl.Series(end))

    def _count_accepted(self, wave: pl.DataFrame, run: RunContext, requests: ScorerRequests) -> None:
        """Count the candidates of the wave that are good enough."""
        rows = replies_to(self.generation, wave, run.models).filter(pl.col("error").is_null())
        frame = rows.join(self.prompts, on="prompt_id", how="left", maintain_order="left")
        for scorer in self.acceptance.scorers:
            scores = scorer.values(frame, requests.answer)
            frame = frame.with_columns(scores["value"].alias(scorer.name))
        accepted = sql_conditions.holds(frame, self.acceptance.condition, f"{self.generation.where}: accepted")
        counts = frame.filter(accepted).group_by("prompt_id").len()
        found = wave.select("index", prompt_id="row_id").join(counts, on="prompt_id")
        np.add.at(self.good, found["index"].to_numpy(), found["len"].to_numpy())

    def _missing(self, run: RunContext, requests: ScorerRequests) -> str:
        """Return what is missing of the candidates that were asked for."""
        missing = missing_replies(self.generation, [self.asked_rows()], run.models)
        missing = missing or missing_note(requests.unasked, [])
        # Another number of accepted prompts is another set of candidates, though as many may be missing.
        return missing and f"{self.satisfied:,} of {self.acceptance.wanted:,} accepted, {missing}"
