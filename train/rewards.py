"""A scorer as it judges answers: in GRPO as a reward, in the evaluation as a verifier. The same function, unchanged."""

import json
from collections.abc import Callable
from typing import Any

import polars as pl

from curate import steps
from curate.scoring import run_scorer
from curate.steps import Step
from schemas.errors import UserError
from schemas.recipe import Recipe
from schemas.rows import ROLLOUTS
from train.job import no_rows

# What a scorer may read of a fresh answer, besides the scores that its prompt's row came with.
READABLE = ("prompt", "response", "messages", "ground_truth", "metadata", "tools", "reasoning_content",
            "finish_reason", "prompt_tokens", "completion_tokens")  # fmt: skip


def scorers(recipe: Recipe, names: list[str], where: str) -> dict[str, tuple[Step, dict[str, Any]]]:
    """Find scorers by name: a ``score`` step of the recipe (with its settings there), else a step of that name.

    Returns name -> (step, settings). Raises ``UserError`` for a name twice, an unknown one, and a scorer that reads
    what a fresh answer does not have.
    """
    used = {s.name: s for s in (*recipe.prompts, *recipe.completions) if s.verb == "score"}
    found: dict[str, tuple[Step, dict[str, Any]]] = {}
    for name in names:
        if name in found:
            raise UserError(f"{where}: {name!r} is there twice")
        given = {k: v for k, v in used[name].settings.items() if k != "as"} if name in used else {}
        step = steps.find("score", used[name].use if name in used else name, where)
        step.check_reads(list(READABLE), where)
        found[name] = (step, step.settings(given, where, recipe.seed))
    return found


def judge(step: Step, settings: dict[str, Any], answers: pl.DataFrame, where: str) -> pl.DataFrame:
    """Score answers (a table with the columns that the step reads): value (null where it failed), error, detail.

    A scorer that raises gives nulls and the error: an answer is no worse for it, and a training need not end for it.
    """
    try:
        return run_scorer(step, settings, answers, where)
    except UserError as error:
        failed = {"value": [None] * answers.height, "error": str(error), "detail": None}
        return pl.DataFrame(failed, schema={"value": pl.Float64, "error": pl.String, "detail": pl.String})


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


def as_reward(name: str, step: Step, settings: dict[str, Any], rollouts: Rollouts, length: int) -> Callable[..., list]:
    """Make a reward function in TRL's sense of a scorer.

    ``length`` is the most tokens an answer may have, by which one that was cut off is told from one that ended.
    Everything the scorer reads of the prompt comes from ``rollouts.rows`` by ``row_index``, exactly as the dataset
    holds it. An exception would end the run, so a scorer that raises gives None for the batch, which TRL leaves out.
    """

    def reward(completions: list, completion_ids: list[list[int]], row_index: list[int], trainer_state: Any,
               **others: Any) -> list[float | None]:  # fmt: skip
        texts = [_last_turn(c) for c in completions]
        lengths = [len(ids) for ids in completion_ids]
        answers = prompt_columns(rollouts.rows)[row_index].with_columns(
            pl.Series("response", [t.get("content") for t in texts], pl.String),
            pl.Series("reasoning_content", [t.get("reasoning_content") for t in texts], pl.String),
            pl.Series("finish_reason", ["length" if n >= length else "stop" for n in lengths], pl.String),
            pl.Series("completion_tokens", lengths, pl.Int64),
            pl.lit(None, pl.Int64).alias("prompt_tokens"),
        )
        verdict = judge(step, settings, answers, f"reward {name}")
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


def _last_turn(completion: Any) -> dict[str, Any]:
    """The answer's last turn: TRL gives a list of turns, or a text where prompts are texts."""
    return {"content": completion} if isinstance(completion, str) else completion[-1]
