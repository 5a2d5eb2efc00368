"""``accept: N``: going on until N prompts have a candidate that is good enough, and asking no more than that takes.

It goes in waves. A wave asks about at most as many prompts as are still wanted, so it never ends with more than N: new
prompts first, in order, then those that have no accepted candidate yet, up to ``max_candidates`` each. What a wave asks
depends on the replies alone, not on when they came, so a run that was killed comes to the same end.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.models.gateway import Failures
from curate.models.scorer_requests import ScorerRequests
from curate.pipeline.generate.generate_step import REPLY, Generation, lacking
from curate.pipeline.generate.sampling_settings import number
from curate.pipeline.generate.single_turn import asked_rows, groups, missing, replied, write_replies
from curate.pipeline.scorer import Scorer, read_scorer
from curate.steps import sql_conditions as conditions
from curate.storage.rows import read_all
from curate.storage.store import Stage, StageWriter
from schemas.errors import UserError

OURS = ("accept", "accepted", "need", "max_candidates")


@dataclass(frozen=True)
class Acceptance:
    """How many prompts are wanted with ``need`` candidates for which ``condition`` holds; the scorers that it takes."""

    wanted: int
    condition: str
    need: int
    most: int
    scorers: tuple[Scorer, ...]
    columns: tuple[str, ...]


def read_acceptance(generation: Generation) -> Acceptance | None:
    """Check the settings ``accept``, ``accepted``, ``need``, ``max_candidates``; None if the step has no ``accept``.

    The condition may name the columns of candidates and prompts, and the scores of the ``score`` steps below.
    """
    settings, where, walk = generation.step.settings, generation.where, generation.walk
    if "accept" not in settings:
        for key in OURS[1:]:
            if key in settings:
                raise UserError(f"{where}: generate: {key}: goes with 'accept', how many prompts are wanted")
        return None
    n = generation.ask.n
    numbers = {
        "accept": settings["accept"],
        "need": settings.get("need", 1),
        "max_candidates": settings.get("max_candidates", 4 * n),
    }
    for key, value in numbers.items():
        number(numbers, key, int, 1, where, value)
    if numbers["need"] > numbers["max_candidates"]:
        raise UserError(
            f"{where}: generate: need: {numbers['need']} of at most {numbers['max_candidates']} candidates "
            f"(max_candidates) can't be had"
        )
    if not isinstance(settings.get("accepted"), str):
        raise UserError(
            f"{where}: generate: accept needs 'accepted', the condition (SQL) that makes a candidate good "
            f'enough, such as "constraints = 1"'
        )
    condition = settings["accepted"]
    held = walk.completions.columns()
    columns = {name: held[name] for name in (*REPLY, "sample_index", "model")} | walk.prompts.columns()
    steps, step = walk.recipe.completions, generation.step
    place = next(i for i, s in enumerate(steps) if (s.verb, s.use, s.line) == (step.verb, step.use, step.line))
    below = [s for s in steps[place:] if s.verb == "score"]
    every = {**columns, **{step.name: pl.Float64() for step in below}}
    conditions.check(condition, every, f"{where}: accepted")
    wanted = set(conditions.mentioned(condition, list(every)))
    scorers: list[Scorer] = []
    for one in reversed(below):  # the last first: a score may read an earlier one
        if one.name in wanted:
            scorers.insert(0, read_scorer(one, every, f"{walk.recipe.path}:{one.line}", walk.recipe.seed, walk.model))
            wanted.update(scorers[0].columns)
    return Acceptance(
        numbers["accept"],
        condition,
        numbers["need"],
        numbers["max_candidates"],
        tuple(scorers),
        tuple(sorted(wanted & set(walk.prompts.columns()))),
    )


def accept(generation: Generation, acceptance: Acceptance) -> Stage | None:
    """Make the stage: ask in waves until enough prompts have what they need, or nothing is left to try."""
    what = generation.key() | {
        "accept": acceptance.wanted,
        "accepted": acceptance.condition,
        "need": acceptance.need,
        "max_candidates": acceptance.most,
        "scorers": [[scorer.name, scorer.key()] for scorer in acceptance.scorers],
    }
    what["context"] = [what["context"], generation.walk.prompts.depends(list(acceptance.columns))]
    done: dict[str, Waves] = {}

    def ask() -> str:
        done["waves"] = waves = Waves(generation, acceptance)
        return waves.run()

    def build(writer: StageWriter) -> str:
        return done["waves"].write(writer)

    return generation.walk.asked(generation.label, what, ask, build)


class Waves:
    """The state of the waves: of every prompt, how many candidates were asked for and how many were accepted."""

    def __init__(self, generation: Generation, acceptance: Acceptance) -> None:
        """Begin with nothing asked."""
        self.generation, self.acceptance = generation, acceptance
        self.walk = generation.walk
        parts = [rows.select("row_id", "ask", "tools") for rows in asked_rows(generation)]
        schema = {"row_id": pl.String, "ask": pl.String, "tools": pl.String}
        self.rows = pl.concat(parts) if parts else pl.DataFrame(schema=schema)
        self.prompts = read_all(self.walk.prompts, list(acceptance.columns))
        self.asked = np.zeros(self.rows.height, dtype=np.int64)
        self.good = np.zeros(self.rows.height, dtype=np.int64)
        self.edge = ScorerRequests(
            self.walk.answers,
            lambda name: self.walk.model(name, generation.where),
            self.walk.recipe.seed,
            label=f"{generation.label}, scores",
            failures=Failures(generation.label, 0),
            stop=False,
        )

    @property
    def satisfied(self) -> int:
        """How many prompts have what they need."""
        return int((self.good >= self.acceptance.need).sum())

    def run(self) -> str:
        """Ask wave after wave; say what is missing if a budget ended it."""
        wanted, ask = self.acceptance.wanted, self.generation.ask
        failures = self.generation.failures(max(1, min(wanted, self.rows.height)) * ask.n)
        self.walk.progress.begin(self.generation.label, None, "replies")
        judges = [ref for scorer in self.acceptance.scorers for ref, _ in scorer.models]
        self.walk.answers.unload_except([*judges, *(ref for ref, _ in ask.models)])
        whole = True
        while (wave := self._next()).height:
            failures.allowed = max(failures.allowed, int(ask.max_failed * self.asked.sum() + 1e-9))
            for ref, _ in ask.models:
                whole &= self.walk.answers.answer_all(ref, groups(self.generation, iter([wave]), ref), failures)
            self._judge(wave)
            whole &= self.edge.asking
            self.walk.progress.advance(0, f"{self.satisfied:,} of {wanted:,} accepted")
            if not whole:
                break
        if whole and self.satisfied < wanted:
            said = f"{self.generation.label}: only {self.satisfied:,} of {wanted:,} prompts have an accepted candidate"
            self.walk.progress.say(f"{said}, and nothing is left to try: give it more prompts or max_candidates")
        return self._lacking() if failures.reasons or not whole else ""

    def _next(self) -> pl.DataFrame:
        """The rows of the next wave, with the samples ``first`` to ``end`` to ask for."""
        left = self.acceptance.wanted - self.satisfied
        open_ = np.flatnonzero((self.good < self.acceptance.need) & (self.asked < self.acceptance.most))
        chosen = open_[np.argsort(self.asked[open_], kind="stable")][: max(left, 0)]
        first = self.asked[chosen]
        end = np.minimum(first + self.generation.ask.n, self.acceptance.most)
        self.asked[chosen] = end
        places = pl.Series("place", chosen, dtype=pl.UInt32)
        return self.rows[places].with_columns(places, first=pl.Series(first), end=pl.Series(end))

    def _judge(self, wave: pl.DataFrame) -> None:
        """Count the candidates of the wave that are good enough."""
        rows = replied(self.generation, wave).filter(pl.col("error").is_null())
        frame = rows.join(self.prompts, on="prompt_id", how="left", maintain_order="left")
        for scorer in self.acceptance.scorers:
            frame = frame.with_columns(scorer.values(frame, self.edge.answer)["value"].alias(scorer.name))
        held = conditions.holds(frame, self.acceptance.condition, f"{self.generation.where}: accepted")
        counts = frame.filter(held).group_by("prompt_id").len()
        found = wave.select("place", prompt_id="row_id").join(counts, on="prompt_id")
        np.add.at(self.good, found["place"].to_numpy(), found["len"].to_numpy())

    def _lacking(self) -> str:
        """What is missing of the candidates that were asked for."""
        said = missing(self.generation, [self._touched()]) or lacking(self.edge.unasked, [])
        # Another number of accepted prompts is another set of candidates, though as many may be missing.
        return said and f"{self.satisfied:,} of {self.acceptance.wanted:,} accepted, {said}"

    def _touched(self) -> pl.DataFrame:
        """The rows that were asked about, with the samples asked for."""
        return self.rows.with_columns(end=pl.Series(self.asked), first=pl.lit(0)).filter(pl.col("end") > 0)

    def write(self, writer: StageWriter) -> str:
        """Write every candidate that was asked for; say how many prompts have an accepted one."""
        touched = self._touched()
        made, tokens = write_replies(self.generation, writer, [touched])
        writer.info["rows_in"] = self.rows.height
        return (
            f"{self.satisfied:,} of {self.acceptance.wanted:,} prompts with an accepted candidate, from {made:,} "
            f"completions of {touched.height:,} prompts, {tokens:,} tokens"
        )
