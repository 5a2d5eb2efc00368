"""A ``generate`` step of a recipe, checked; the rows it asks about; and replies as candidates."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.models.failures import Failures
from curate.models.model_ref import ModelRef
from curate.pipeline.generate.reply_messages import with_messages
from curate.pipeline.generate.sampling_settings import NAMES as SAMPLING_NAMES
from curate.pipeline.generate.sampling_settings import SamplingSettings, read_sampling_settings
from curate.pipeline.prompt_splits import check_split, split_key, split_table
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import input_key
from curate.steps import sql_conditions
from curate.steps.code_hash import Code
from curate.steps.find_step import Step
from curate.steps.settings import check_settings
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.ids import content_id
from schemas.reply_calls import BROKEN_CALL

REPLY = (
    "response",
    "reasoning_content",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "error",
    "answered_by",
)
MESSAGES = r'(?s)^\s*\[\s*\{.*"role".*\}\s*\]\s*$'  # a first look at what a step asks


@dataclass(frozen=True)
class GenerateStep:
    """A ``generate`` step that asks models.

    Attributes:
        state: The run's state.
        step: The recipe's step.
        found: The step's function and signature.
        settings: The function's settings, defaults filled in.
        sampling: Which models are asked, how many samples of each row, with which sampling settings.
        rows: The rows that it asks about.
        prompts: The prompts of candidates; None where ``rows`` are prompts.
        label: The stage's label.
        where: The recipe's file and line, for errors.
        reads: The columns that the function reads.
        condition_columns: The columns that the step's condition reads.
        by_split: Whether the condition names the split: what is held out is not paid for.
    """

    state: RunState
    step: recipes.Step
    found: Step
    settings: dict[str, Any]
    sampling: SamplingSettings
    rows: RowSet
    prompts: RowSet | None
    label: str
    where: str
    reads: tuple[str, ...]
    condition_columns: tuple[str, ...]
    by_split: bool

    @property
    def condition(self) -> str | None:
        """The step's ``where``: an SQL condition that says which rows it asks about."""
        return self.step.settings.get("where")

    @property
    def columns(self) -> list[str]:
        """The columns that the function and the condition read."""
        return list(dict.fromkeys([*self.reads, *self.condition_columns]))

    @property
    def unknown_scores(self) -> bool:
        """Whether the step reads a score that a plan does not have."""
        return any(self.rows.scores.get(name) == [] for name in self.columns)

    def key(self) -> dict[str, Any]:
        """Return what the stage depends on beside its code."""
        return {
            "step": self.found.name,
            "settings": self.settings,
            **self.sampling.key(),
            "where": self.condition,
            "seed": self.state.recipe.seed,
            "split": split_key(self.state.recipe) if self.by_split else None,
            "shares_of": self.state.shares_of.content if self.by_split else "",
            "split_of": self.state.prompts.fingerprint(sorted(self.state.prompts.scores)) if self.by_split else "",
            **input_key(self.rows, self.prompts, self.columns),
        }

    @property
    def code(self) -> tuple[Code, ...]:
        """The code that the step's candidates depend on beside what writes them."""
        return (GenerateStep, SamplingSettings, ModelRef, Step, self.found.code)

    def failures(self, requests: int) -> Failures:
        """Return the count of failures for so many requests."""
        failures = Failures(self.label, 0)
        self.allow(failures, requests)
        return failures

    def allow(self, failures: Failures, requests: int) -> None:
        """Let at least as many requests fail as may fail of so many."""
        failures.allowed = max(failures.allowed, int(self.sampling.max_failed * requests + 1e-9))
        failures.refusable = max(failures.refusable, int(self.sampling.max_refused * requests + 1e-9))


def read_generate_step(
    state: RunState,
    step: recipes.Step,
    found: Step,
    rows: RowSet,
    prompts: RowSet | None,
    more_settings: tuple[str, ...] = (),
) -> GenerateStep:
    """Check the settings of a step that asks models.

    Args:
        state: The run's state.
        step: The recipe's step.
        found: The step's function.
        rows: The rows that it asks about.
        prompts: The prompts of candidates; None where ``rows`` are prompts.
        more_settings: Settings that the caller checks.

    Raises:
        UserError: A setting, a column, a condition or a model is wrong.
    """
    where = state.recipe.step_where(step)
    known = ("as", "where", *SAMPLING_NAMES, *more_settings, *found.required, *found.defaults)
    for key in step.settings:
        if key not in known:
            raise unknown(f"setting of generate {found.name!r} called", key, known, where)
    given = {k: v for k, v in step.settings.items() if k in (*found.required, *found.defaults)}
    settings = check_settings(found, given, where, state.recipe.seed)
    columns = rows.columns(prompts)
    reads = tuple(name for name in found.reads if name != "sample_index" or rows.table != "prompts")
    for name in reads:
        if name not in columns:
            raise unknown(f"column (which generate {found.name!r} reads) called", name, columns, where)
    condition = step.settings.get("where")
    condition_columns: list[str] = []
    by_split = False
    if condition is not None:
        sql_conditions.check(condition, columns | {"split": pl.String()}, f"{where}: where")
        condition_columns = sql_conditions.mentioned(condition, list(columns))
        by_split = bool(sql_conditions.mentioned(condition, ["split"]))
        if by_split:
            check_split(state.recipe, state.prompts)
            if found.makes == "prompts" and state.split_early is None:
                state.split_early = state.prompts.copy()
    label = state.label("prompts" if found.makes == "prompts" else "completions", "generate", step.name)
    sampling = read_sampling_settings(state, step, where)
    return GenerateStep(
        state, step, found, settings, sampling, rows, prompts, label, where, reads, tuple(condition_columns), by_split
    )


def rows_to_ask(generation: GenerateStep, *more: str) -> Iterator[pl.DataFrame]:
    """Yield the rows that the step asks about, with the columns it reads and ``more``."""
    by_split, state = generation.by_split, generation.state
    names = list(dict.fromkeys([*generation.columns, *more, *(["prompt_id"] if by_split else [])]))
    splits = split_table(state.recipe, state.prompts, state.shares_of) if by_split else None
    for batch in read_batches(generation.rows, names, generation.prompts):
        if generation.condition:
            if splits is not None:
                batch = batch.join(splits, on="prompt_id", how="left", maintain_order="left")
            batch = batch.filter(sql_conditions.holds(batch, generation.condition, f"{generation.where}: where"))
        yield batch


def checked_messages(generation: GenerateStep, messages: Any, rows: int) -> pl.Series:
    """Return the messages that a step asks about each row, null for a row it asks nothing about.

    Raises:
        UserError: The step's function returned something else.
    """
    who = f"{generation.where}: generate {generation.found.name!r}"
    if not isinstance(messages, pl.Series) or messages.dtype not in (pl.String, pl.Null):
        raise UserError(f"{who} asks {messages!r:.80}; expected a polars Series of messages as JSON text")
    if messages.len() != rows:
        raise UserError(f"{who} asks {messages.len()} questions about {rows} rows")
    messages = messages.cast(pl.String)
    bad = messages.filter(messages.is_not_null() & ~messages.str.contains(MESSAGES))
    if bad.len():
        raise UserError(f"{who} asks {bad[0]!r:.80}; expected a list of messages as JSON text")
    return messages


def write_candidates(writer: StageWriter, rows: pl.DataFrame, label: str, *, logprobs: bool = False) -> tuple[int, int]:
    """Write replies as candidates. A request that failed leaves a row without a response, and a decision.

    A reply with a broken tool call leaves a row with its response and an error, and a decision too; it is no candidate
    from then on, as is every row with an error, and no failed request.

    Args:
        writer: Writes the stage.
        rows: Replies: prompt_id, sample_index, model, key and a reply's columns (``gateway.REPLY_COLUMNS``); parent_id
            where a candidate was made from another, completion where its messages are known (``with_messages``).
        label: The stage's label.
        logprobs: Whether to write the tokens' log-probabilities.

    Returns:
        How many candidates there are, and how many tokens they took.
    """
    if "completion" not in rows.columns:
        counts: Counter[str] = Counter()
        rows = with_messages(rows, [None] * rows.height, [""] * rows.height, counts)
        if counts:
            writer.info.setdefault("counts", Counter()).update(counts)
    parents = rows["parent_id"] if "parent_id" in rows.columns else [None] * rows.height
    keys = zip(rows["prompt_id"], parents, rows["key"], rows["response"], strict=True)
    ids = [content_id("c", prompt, *([parent] if parent else []), key, text) for prompt, parent, key, text in keys]
    rows = rows.with_columns(completion_id=pl.Series(ids, dtype=pl.String), messages="completion")
    columns = ["completion_id", "prompt_id", "sample_index", "model", "messages", *REPLY]
    more = [name for name in ("parent_id", *(["logprobs"] if logprobs else [])) if name in rows.columns]
    writer.write("completions", rows.select(*columns, *more))
    out = rows.filter(pl.col("error").is_not_null())
    if out.height:
        failed = out.filter(pl.col("response").is_null())
        if failed.height:
            Failures(label, 0, writer.info.setdefault("failed", Counter())).count(failed["error"])
        reason = pl.when(pl.col("response").is_null()).then(pl.lit("error")).otherwise(pl.lit(BROKEN_CALL))
        decisions = out.select(
            row_id="completion_id",
            stage=pl.lit(label),
            kept=pl.lit(False),
            reason=reason,
            evidence="error",
        )
        writer.write("decisions", decisions)
    return rows.height - out.height, int(rows["completion_tokens"].sum() or 0)
