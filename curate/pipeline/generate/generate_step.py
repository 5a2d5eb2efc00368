"""What the ways of generating share: the step's checked settings, the rows it asks about, and replies as candidates."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.models.gateway import Failures
from curate.models.model_ref import ModelRef
from curate.pipeline.generate.sampling_settings import OURS, AskSettings, read_ask_settings
from curate.pipeline.pipeline import Walk
from curate.pipeline.split import assign, needs
from curate.steps import sql_conditions as conditions
from curate.steps.registry import Step
from curate.storage.rows import RowSet, read_batches
from curate.storage.store import StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.ids import content_id, fingerprint
from schemas.messages import assistant_messages

REPLY = ("response", "reasoning_content", "finish_reason", "prompt_tokens", "completion_tokens", "error")


@dataclass
class Generation:
    """One ``generate`` step of a recipe: ``rows`` is what it works on, ``context`` the prompts of candidates."""

    walk: Walk
    step: recipes.Step
    found: Step
    settings: dict[str, Any]
    ask: AskSettings
    rows: RowSet
    context: RowSet | None
    label: str
    where: str
    reads: tuple[str, ...]
    needed: tuple[str, ...]

    @property
    def condition(self) -> str | None:
        """The step's ``where``: which rows it works on."""
        return self.step.settings.get("where")

    def key(self) -> dict[str, Any]:
        """What the stage depends on."""
        read = list(dict.fromkeys([*self.reads, *self.needed]))
        splits = [*self.walk.recipe.split.items()] if "family" in self.needed else None
        return {
            "step": self.found.name,
            "settings": self.settings,
            **self.ask.key(),
            "where": self.condition,
            "seed": self.walk.recipe.seed,
            "source": self.found.source,
            "split": splits,
            "input": self.rows.depends(read),
            "context": self.context.depends(read) if self.context else "",
        }

    def read_batches(self, *more: str) -> Iterator[pl.DataFrame]:
        """The rows the step works on, with the columns it reads and ``more``."""
        names = list(dict.fromkeys([*self.reads, *self.needed, *more]))
        for batch in read_batches(self.rows, names, self.context):
            if self.condition:
                if "family" in self.needed:  # the condition names the split: do not pay for what is held out
                    recipe = self.walk.recipe
                    batch = batch.with_columns(split=assign(batch, recipe.split, recipe.seed, recipe.where("split")))
                batch = batch.filter(conditions.holds(batch, self.condition, f"{self.where}: where"))
            yield batch

    def checked(self, asked: Any, rows: int) -> pl.Series:
        """What the step asks, if it is a conversation (or null) for each row. Raises ``UserError`` if it is not."""
        said = f"{self.where}: generate {self.found.name!r}"
        if not isinstance(asked, pl.Series) or asked.dtype not in (pl.String, pl.Null):
            raise UserError(f"{said} asks {asked!r:.80}; expected a polars Series of messages as JSON text")
        if asked.len() != rows:
            raise UserError(f"{said} asks {asked.len()} questions about {rows} rows")
        asked = asked.cast(pl.String)
        bad = asked.filter(asked.is_not_null() & ~asked.str.contains(r'(?s)^\s*\[\s*\{.*"role".*\}\s*\]\s*$'))
        if bad.len():
            raise UserError(f"{said} asks {bad[0]!r:.80}; expected a list of messages as JSON text")
        return asked

    def failures(self, requests: int) -> Failures:
        """How many of so many requests may fail."""
        return Failures(self.label, int(self.ask.max_failed * requests + 1e-9))


def read_generation(
    walk: Walk, step: recipes.Step, found: Step, rows: RowSet, context: RowSet | None, ours: tuple = ()
) -> Generation:
    """Check the settings of a step that asks a model. ``ours`` are those that its way of generating adds."""
    where = f"{walk.recipe.path}:{step.line}"
    known = ("as", "where", *OURS, *ours, *found.required, *found.defaults)
    for key in step.settings:
        if key not in known:
            raise unknown(f"setting of generate {found.name!r} called", key, known, where)
    given = {k: v for k, v in step.settings.items() if k in (*found.required, *found.defaults)}
    settings = found.settings(given, where, walk.recipe.seed)
    columns = rows.columns(context)
    reads = tuple(name for name in found.reads if name != "sample_index" or rows.table != "prompts")
    for name in reads:
        if name not in columns:
            raise unknown(f"column (which generate {found.name!r} reads) called", name, columns, where)
    condition, needed = step.settings.get("where"), []
    if condition is not None:
        conditions.check(condition, columns | {"split": pl.String()}, f"{where}: where")
        needed = conditions.mentioned(condition, list(columns))
        if conditions.mentioned(condition, ["split"]):
            needed += needs(walk.recipe.split, list(columns))
    label = walk.label("prompts" if found.makes == "prompts" else "completions", "generate", step.name)
    return Generation(
        walk,
        step,
        found,
        settings,
        read_ask_settings(walk, step, where),
        rows,
        context,
        label,
        where,
        reads,
        tuple(needed),
    )


def write_candidates(writer: StageWriter, rows: pl.DataFrame, label: str, *, logprobs: bool = False) -> tuple[int, int]:
    """Write replies as candidates; returns how many there are, and how many tokens they took.

    ``rows`` has prompt_id, sample_index, model, key, and the columns of a reply (``answer.COLUMNS``); a parent_id where
    a candidate was made from another. A request that failed leaves a row without a response, and a decision.
    """
    parents = rows["parent_id"] if "parent_id" in rows.columns else [None] * rows.height
    keys = zip(rows["prompt_id"], parents, rows["key"], rows["response"], strict=True)
    ids = [content_id("c", prompt, *([parent] if parent else []), key, text) for prompt, parent, key, text in keys]
    turns = [
        assistant_messages(*said) for said in rows.select("response", "reasoning_content", "tool_calls").iter_rows()
    ]
    rows = rows.with_columns(completion_id=pl.Series(ids, dtype=pl.String), messages=pl.Series(turns, dtype=pl.String))
    kept = ["completion_id", "prompt_id", "sample_index", "model", "messages", *REPLY]
    more = [name for name in ("parent_id", *(["logprobs"] if logprobs else [])) if name in rows.columns]
    writer.write("completions", rows.select(*kept, *more))
    failed = rows.filter(pl.col("error").is_not_null())
    if failed.height:
        Failures(label, 0, writer.info.setdefault("failed", Counter())).count(failed["error"])
        writer.write(
            "decisions",
            failed.select(
                row_id="completion_id",
                stage=pl.lit(label),
                kept=pl.lit(False),
                reason=pl.lit("error"),
                evidence="error",
            ),
        )
    return rows.height - failed.height, int(rows["completion_tokens"].sum() or 0)


def shown(ref: ModelRef) -> str:
    """A model's name in the column ``model``: its identity without versions and hashes."""
    return ref.identity.split("@")[0] + "".join(f">{part}" for part in ref.identity.split(">")[1:])


def lacking(unasked: int, transient: list[str]) -> str:
    """What a stage is missing, in words that change when that does; empty if nothing.

    ``unasked`` requests were not made; those of the keys ``transient`` failed, and may succeed on another day.
    """
    parts = []
    if unasked:
        parts.append(f"{unasked:,} requests were not made: a budget is used up")
    if transient:
        parts.append(f"{len(transient):,} failed requests may succeed when run again ({fingerprint(transient)[:6]})")
    return ", ".join(parts)
