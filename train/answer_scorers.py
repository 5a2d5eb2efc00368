"""Scores fresh answers with a recipe's scorers, unchanged: as rewards in GRPO, as verifiers in the evaluation."""

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.models.failures import Failures
from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.models.scorer_requests import ScorerRequests
from curate.pipeline.run_state import recipe_model
from curate.pipeline.scorer import Answer, Scorer, ScorerFailed, read_scorer
from curate.steps.find_step import step_names
from curate.storage.polars_types import polars_schema
from curate.storage.rows import CANDIDATES
from schemas.errors import UserError, unknown
from schemas.recipe import Recipe, Step
from schemas.rows import PROMPTS
from schemas.trained_models import is_reward_model, reward_step

# The columns of a fresh answer. A scorer may also read the recipe's scores above it, which are computed from these.
READABLE = (
    "prompt_id",
    "prompt",
    "response",
    "messages",
    "completion",
    "ground_truth",
    "metadata",
    "tools",
    "reasoning_content",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
)
OPTIONAL = ("ground_truth", "metadata", "tools")  # columns that rows of some datasets do not have


@dataclass(frozen=True)
class AnswerScorer:
    """A scorer of fresh answers, with the recipe's scores that it reads.

    Attributes:
        scorers: The scorers to run, in order: each may read the scores of those before it. The last one's is the value.
    """

    scorers: tuple[Scorer, ...]

    @property
    def scorer(self) -> Scorer:
        """The scorer that gives the value."""
        return self.scorers[-1]

    @property
    def reads(self) -> set[str]:
        """The columns that all scorers read, scores included."""
        return {name for scorer in self.scorers for name in scorer.columns}

    @property
    def models(self) -> list[ModelRef]:
        """The models that the scorers ask."""
        return [ref for scorer in self.scorers for ref, _ in scorer.models]

    def key(self) -> list[Any]:
        """Return everything that the values depend on, beside the answers."""
        return [scorer.key() for scorer in self.scorers]

    def values(self, answers: pl.DataFrame, answer: Answer) -> pl.DataFrame:
        """Score answers.

        A scorer that raises gives nulls and its error: the answer is no worse for it, and a training goes on.

        Args:
            answers: A table with the columns that the scorers read.
            answer: Runs a scorer's model calls.

        Returns:
            A row for each answer: ``value`` (null if the score failed), ``error`` and ``detail``.
        """
        for scorer in self.scorers[:-1]:
            answers = answers.with_columns(_values(scorer, answers, answer)["value"].alias(scorer.name))
        return _values(self.scorer, answers, answer)


def _values(scorer: Scorer, answers: pl.DataFrame, answer: Answer) -> pl.DataFrame:
    """Return one scorer's ``value``, ``error`` and ``detail`` of each answer; nulls and the error if it raises."""
    try:
        return scorer.values(answers, answer).select("value", "error", "detail")
    except ScorerFailed as error:
        failed = {"value": [None] * answers.height, "error": str(error), "detail": None}
        return pl.DataFrame(failed, schema={"value": pl.Float64, "error": pl.String, "detail": pl.String})


def answer_scorers(
    recipe: Recipe, names: list[str], where: str, refs: dict[str, ModelRef] | None = None
) -> dict[str, AnswerScorer]:
    """Find scorers by name.

    A name is that of a ``score`` step of the recipe (with its settings there), of a training whose reward model scores,
    or of a built-in step.

    Args:
        recipe: The recipe.
        names: The scorers' names.
        where: The place in the recipe that names them, for errors.
        refs: The models that trainings made, by name; one that is missing is as ``recipe_model`` returns it.

    Returns:
        The scorers by name, in the order of ``names``.

    Raises:
        UserError: A name is there twice or is unknown, or a scorer reads a column that a fresh answer does not have.
    """
    steps = [step for step in (*recipe.prompts, *recipe.completions) if step.verb == "score"]
    position = {step.name: index for index, step in enumerate(steps)}
    columns = polars_schema({name: (CANDIDATES | PROMPTS)[name] for name in READABLE})
    scores = {step.name: pl.Float64() for step in steps if step.name not in READABLE}
    models: dict[str, ModelRef] = {}

    def find_model(name: str, place: str) -> ModelRef:
        if name not in models:
            models[name] = (refs or {}).get(name) or recipe_model(recipe, name, place)
        return models[name]

    def read(step: Step, steps_above: int) -> tuple[Scorer, ...]:
        """Return the scorers that the step reads, in order, and its own; it may read the first ``steps_above``."""
        above = {s.name: scores[s.name] for s in steps[:steps_above] if s.name in scores}
        scorer = read_scorer(step, columns | above, where, recipe.seed, find_model)
        chains = [read(steps[position[name]], position[name]) for name in scorer.columns if name in above]
        by_name = {one.name: one for chain in chains for one in chain}
        return (*by_name.values(), scorer)

    found: dict[str, AnswerScorer] = {}
    for name in names:
        if name in found:
            raise UserError(f"{where}: {name!r} is there twice")
        step = steps[position[name]] if name in position else _own_step(recipe, name, [*position], where)
        found[name] = AnswerScorer(read(step, position.get(name, 0)))
    return found


def scorer_of_step(recipe: Recipe, step: Step, where: str, refs: dict[str, ModelRef] | None = None) -> AnswerScorer:
    """Return the scorer of a step that is not of the recipe; it reads columns of fresh answers, and no scores.

    The other arguments, and what is raised, are as in ``answer_scorers``.
    """
    columns = polars_schema({name: (CANDIDATES | PROMPTS)[name] for name in READABLE})

    def find_model(name: str, place: str) -> ModelRef:
        return (refs or {}).get(name) or recipe_model(recipe, name, place)

    return AnswerScorer((read_scorer(step, columns, where, recipe.seed, find_model),))


def _own_step(recipe: Recipe, name: str, steps: list[str], where: str) -> Step:
    """Return the step of a scorer that has none in the recipe: a trained reward model's, or the built-in one's.

    Raises:
        UserError: There is none of this name; the error names the nearest.
    """
    if is_reward_model(recipe, name):
        return reward_step(name)
    if name in recipe.train and name not in step_names("score"):
        raise UserError(
            f"{where}: train.{name} (trainer {recipe.train[name].trainer!r}) gives no score; a scorer is a step of "
            f"'score', or a training whose trainer is 'reward'"
        )
    known = [*steps, *(one for one in recipe.train if is_reward_model(recipe, one)), *step_names("score")]
    if "." not in name and name not in known:
        raise unknown("score step", name, known, where)
    return Step(verb="score", use=name)


def requests_for(scorers: dict[str, AnswerScorer], gateway: Gateway, seed: int, label: str) -> ScorerRequests:
    """Return what runs the model calls of these scorers; a used-up budget ends the work (``Stopped``)."""
    models = {ref.name: ref for scorer in scorers.values() for ref in scorer.models}
    return ScorerRequests(gateway, models.__getitem__, seed, label=label, failures=Failures(label, 0))


def prompt_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of dataset rows that a scorer may read.

    Args:
        rows: Dataset rows whose ``prompt`` is a list of messages as JSON text.

    Returns:
        A row for each: row_id, messages (the whole prompt), ground_truth, metadata, tools (null where the dataset has
        no such column) and prompt (the text of the last user message).
    """
    optional = [name if name in rows.columns else pl.lit(None, pl.String).alias(name) for name in OPTIONAL]
    users = [[m["content"] for m in json.loads(text) if m["role"] == "user"] for text in rows["prompt"]]
    prompt = pl.Series("prompt", [u[-1] if u else None for u in users], pl.String, strict=False)
    return rows.select("row_id", pl.col("prompt").alias("messages"), *optional).with_columns(prompt)
