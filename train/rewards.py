"""A scorer as it judges answers: in GRPO as a reward, in the evaluation as a verifier. The same function, unchanged."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.models.gateway import Failures, Gateway
from curate.models.model_ref import ModelRef
from curate.models.scorer_requests import ScorerRequests
from curate.pipeline.run_state import recipe_model
from curate.pipeline.scorer import Answer, Scorer, ScorerFailed, read_scorer
from schemas.errors import UserError
from schemas.messages import assistant_messages
from schemas.recipe import Recipe, Step
from schemas.rows import ROLLOUTS
from train.job import no_rows

# What a scorer may read of a fresh answer, besides the recipe's scores above it, which are made of the answer too.
READABLE = {
    name: pl.String()
    for name in (
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
    )
} | {"prompt_tokens": pl.Int64(), "completion_tokens": pl.Int64()}


@dataclass(frozen=True)
class Judge:
    """A scorer for fresh answers, after those of the recipe's scores that it reads, in order."""

    scorers: tuple[Scorer, ...]

    @property
    def scorer(self) -> Scorer:
        """The scorer whose value is wanted."""
        return self.scorers[-1]

    @property
    def reads(self) -> set[str]:
        """The columns that all of them read, scores included."""
        return {name for scorer in self.scorers for name in scorer.columns}

    def key(self) -> list[Any]:
        """What the values depend on beside the answers."""
        return [scorer.key() for scorer in self.scorers]

    def values(self, answers: pl.DataFrame, meet: Answer) -> pl.DataFrame:
        """Score answers (a table with the columns that are read): value (null where it failed), error, detail.

        A scorer that raises gives nulls and the error: an answer is no worse for it, and a training need not end.
        """
        verdict = None
        for scorer in self.scorers:
            try:
                verdict = scorer.values(answers, meet)
            except ScorerFailed as error:
                failed = {"value": [None] * answers.height, "error": str(error), "detail": None}
                verdict = pl.DataFrame(failed, schema={"value": pl.Float64, "error": pl.String, "detail": pl.String})
            answers = answers.with_columns(verdict["value"].alias(scorer.name))
        return verdict.select("value", "error", "detail")


def judges(recipe: Recipe, names: list[str], where: str) -> dict[str, Judge]:
    """Find scorers by name: a ``score`` step of the recipe (with its settings there), else a step of that name.

    Raises ``UserError`` for a name twice, an unknown one, and a scorer that reads what a fresh answer does not have.
    """
    steps = [step for step in (*recipe.prompts, *recipe.completions) if step.verb == "score"]
    used = {step.name: place for place, step in enumerate(steps)}
    columns = {step.name: pl.Float64() for step in steps if step.name not in READABLE}
    models: dict[str, ModelRef] = {}

    def model(name: str, place: str) -> ModelRef:
        if name not in models:
            models[name] = recipe_model(recipe, name, place)
        return models[name]

    def read(step: Step, below: int, place: str) -> tuple[Scorer, ...]:
        above = {s.name: columns[s.name] for s in steps[:below] if s.name in columns}
        scorer = read_scorer(step, READABLE | above, place, recipe.seed, model)
        before = [read(steps[used[name]], used[name], place) for name in scorer.columns if name in above]
        chain = dict.fromkeys(one.name for scorers in before for one in scorers)
        held = {one.name: one for scorers in before for one in scorers}
        return (*(held[name] for name in chain), scorer)

    found: dict[str, Judge] = {}
    for name in names:
        if name in found:
            raise UserError(f"{where}: {name!r} is there twice")
        step = steps[used[name]] if name in used else Step(verb="score", use=name)
        found[name] = Judge(read(step, used.get(name, 0), where))
    return found


def edge_of(judges: dict[str, Judge], answers: Gateway, seed: int, label: str) -> ScorerRequests:
    """What gets these scorers what they want of their models; a used-up budget ends the work (``Stopped``)."""
    models = {ref.name: ref for judge in judges.values() for scorer in judge.scorers for ref, _ in scorer.models}
    return ScorerRequests(answers, models.__getitem__, seed, label=label, failures=Failures(label, 0))


class Rollouts:
    """The answers that GRPO sampled and what each reward gave them, as they come."""

    def __init__(self, rows: pl.DataFrame) -> None:
        """``rows`` are the prompts' rows; a dataset's ``row_index`` counts them."""
        self.rows = rows
        self.batches: list[pl.DataFrame] = []

    def add(self, step: int, answers: pl.DataFrame, reward: str, verdict: pl.DataFrame) -> None:
        """Take note of a batch."""
        columns = no_rows(ROLLOUTS).schema
        batch = answers.select("row_id", "response").with_columns(
            verdict["value"], verdict["error"], step=pl.lit(step), reward=pl.lit(reward), sample_index=pl.lit(None)
        )
        self.batches.append(batch.select(pl.col(name).cast(kind) for name, kind in columns.items()))

    def recorded(self) -> pl.DataFrame:
        """All that was recorded: ``schemas.rows.ROLLOUTS`` without the training's id."""
        columns = no_rows(ROLLOUTS)
        nth = pl.int_range(pl.len()).over("step", "row_id", "reward")  # which of its row's answers at its step
        return pl.concat([columns, *self.batches]).with_columns(sample_index=nth).cast(dict(columns.schema))

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from what an interrupted training recorded."""
        self.batches = [rows]


def as_reward(name: str, judge: Judge, rollouts: Rollouts, length: int, edge: ScorerRequests) -> Callable[..., list]:
    """Make a reward function in TRL's sense of a scorer; ``edge`` gets it what it wants of a model.

    ``length`` is the most tokens an answer may have, by which one that was cut off is told from one that ended.
    Everything the scorer reads of the prompt comes from ``rollouts.rows`` by ``row_index``, exactly as the dataset
    holds it. An exception would end the run, so a scorer that raises gives None for the batch, which TRL leaves out.
    """

    def reward(
        completions: list, completion_ids: list[list[int]], row_index: list[int], trainer_state: Any, **others: Any
    ) -> list[float | None]:
        texts = [_last_turn(c) for c in completions]
        lengths = [len(ids) for ids in completion_ids]
        answers = prompt_columns(rollouts.rows)[row_index].with_columns(
            pl.col("row_id").alias("prompt_id"),
            pl.Series("response", [t.get("content") for t in texts], pl.String),
            pl.Series("completion", [_turns(c) for c in completions], pl.String),
            pl.Series("reasoning_content", [t.get("reasoning_content") for t in texts], pl.String),
            pl.Series("finish_reason", ["length" if n >= length else "stop" for n in lengths], pl.String),
            pl.Series("completion_tokens", lengths, pl.Int64),
            pl.lit(None, pl.Int64).alias("prompt_tokens"),
        )
        verdict = judge.values(answers, edge.answer)
        rollouts.add(trainer_state.global_step + 1, answers, name, verdict)
        return verdict["value"].to_list()

    reward.__name__ = name  # TRL merges the metrics of two rewards of one name; the recipe's names are unique
    return reward


def prompt_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """What a scorer may read of a dataset's rows: row_id, messages, the last user turn as prompt, and the like."""
    names = ("ground_truth", "metadata", "tools")
    optional = [name if name in rows.columns else pl.lit(None, pl.String).alias(name) for name in names]
    users = [[m["content"] for m in json.loads(text) if m["role"] == "user"] for text in rows["prompt"]]
    prompt = pl.Series("prompt", [u[-1] if u else None for u in users], pl.String, strict=False)
    return rows.select("row_id", pl.col("prompt").alias("messages"), *optional).with_columns(prompt)


def _turns(completion: Any) -> str:
    """The answer's turns as JSON text."""
    return assistant_messages(completion) if isinstance(completion, str) else json.dumps(completion, ensure_ascii=False)


def _last_turn(completion: Any) -> dict[str, Any]:
    """The answer's last turn: TRL gives a list of turns, or a text where prompts are texts."""
    return {"content": completion} if isinstance(completion, str) else completion[-1]
