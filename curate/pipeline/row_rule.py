"""A ``dedup`` or ``select`` step of a recipe, checked, and the columns it reads.

The recipe says beside the step's own settings: ``on`` (the column that is compared), ``by`` (the score that stands for
the step's column ``score``), ``model`` (which embeds the column) and ``against`` (reference data, for ``dedup``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from curate.algorithms.text import same_text
from curate.models.embeddings import check_embedder, embed, embedding_identity
from curate.models.model_ref import ModelRef
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext
from curate.sources.reference_data import ReferenceData, read_reference_data
from curate.steps.code_hash import Code, code_hash
from curate.steps.find_step import Step, find_step, sketcher
from curate.steps.settings import check_settings
from curate.storage.mapped_columns import as_series, mapped_rows, nulls
from curate.storage.text_cache import cached_by_text
from schemas.errors import UserError
from schemas.ids import fingerprint

EMBEDDER = "minilm"
RULE_COLUMNS = ("embedding", "text", "score")  # columns of a step that stand for others, which the recipe names
TURNS = {"prompt": "messages", "response": "completion"}  # the columns of the messages whose last text a column has
SHARD = 20_000  # sketches a file
BLOCK = 100_000  # texts that are sketched at a time


@dataclass(frozen=True)
class RowRule:
    """A ``dedup`` or ``select`` step with its checked settings.

    Attributes:
        step: The step.
        settings: Its settings, defaults filled in.
        on: The column whose texts are compared.
        by: The score it reads, if any.
        embedder: The model that embeds the texts, if the step reads embeddings.
        reference: Data that the rows are compared with, if any.
    """

    step: Step
    settings: dict[str, Any]
    on: str = ""
    by: str | None = None
    embedder: ModelRef | None = None
    reference: ReferenceData | None = None

    def key(self) -> list[Any]:
        """Return what a stage that applies the rule depends on beside its rows and its code."""
        return [
            self.step.name,
            self.settings,
            self.on,
            self.by,
            embedding_identity(self.embedder) if self.embedder else "",
            self.reference.content if self.reference else "",
        ]


def rule_code(rule: RowRule) -> tuple[Code, ...]:
    """Return the code that a rule's decisions depend on."""
    sketch = (sketcher(rule.step, rule.settings)[0],) if "sketch" in rule.step.reads else ()
    return (Step, rule.step.code, *sketch)


def read_row_rule(
    state: RunState, kind: str, use: str, given: dict[str, Any], where: str, on: str, dataset_type: str = ""
) -> RowRule:
    """Check a recipe's ``dedup`` or ``select`` step.

    Args:
        state: The run's state.
        kind: ``dedup`` or ``select``.
        use: The step's name.
        given: The settings that the recipe gives.
        where: The recipe's file and line, for errors.
        on: The column to compare where the recipe names none.
        dataset_type: The type of the dataset whose rows the step is for, if it is for a dataset's.

    Raises:
        UserError: A setting or a model is wrong, or the reference data cannot be read.
    """
    step, given = find_step(kind, use, where), dict(given)
    takes = {"on": True, "by": "score" in step.reads, "model": "embedding" in step.reads, "against": kind == "dedup"}
    values: dict[str, Any] = {"on": on, "by": None, "model": EMBEDDER, "against": None}
    for key in values:
        if takes[key] and key not in step.defaults:
            values[key] = given.pop(key, values[key])
    for key in ("by", "model"):
        if not isinstance(values[key], str | None):
            raise UserError(f"{where}: {kind} {step.name!r}: {key}: expected a name, found {values[key]!r}")
    settings = check_settings(step, given, where, state.recipe.seed)
    if settings.get("keep") == "best" and values["by"] is None:
        raise UserError(f"{where}: {kind} {step.name!r}: keep: best needs a score; name it with 'by'")
    if kind == "dedup" and values["by"] is not None and settings.get("keep", "best") != "best":
        raise UserError(f"{where}: dedup {step.name!r}: 'by' is for keep: best; found keep: {settings['keep']}")
    embedder = state.model(values["model"], where) if takes["model"] else None
    if embedder:
        check_embedder(embedder, where)
    reference = None
    if values["against"] is not None:
        if "known" not in step.reads:
            raise UserError(f"{where}: dedup {step.name!r} takes no 'against': it reads no column 'known'")
        folder, own = state.recipe.path.parent, state.store.path
        reference = read_reference_data(values["against"], values["on"], folder, own, where, dataset_type, turns=True)
    return RowRule(step, settings, values["on"], values["by"], embedder, reference)


def read_columns(run: RunContext, rule: RowRule, texts: pl.Series, score: pl.Series | None) -> dict[str, pl.Series]:
    """Return the columns a rule's step reads, those of the reference data first.

    Args:
        run: The store and the progress display.
        rule: The rule.
        texts: The rows' texts.
        score: The rows' scores, if the rule reads one.
    """
    before = 0
    if rule.reference:
        before = rule.reference.rows.height
        texts = pl.concat([rule.reference.rows["text"], texts.rename("text")], rechunk=False)
    rows, reads, columns = len(texts), rule.step.reads, {"text": texts}
    if "known" in reads:
        texts = same_text.as_text(texts) if rule.on in TURNS.values() else texts
        columns["text"] = texts
        columns["known"] = pl.select(known=pl.int_range(rows) < before).to_series()
    if "score" in reads:
        own = nulls(rows - before) if score is None else score.cast(pl.Float64).fill_nan(None)
        columns["score"] = pl.concat([nulls(before), own.rename("score")]) if before else own.rename("score")
    if rule.embedder:
        columns["embedding"] = embed(texts, rule.embedder, run.store, run.progress)
    if "sketch" in reads:
        columns["sketch"] = _sketches(run, rule, texts)
    return {name: column for name, column in columns.items() if name in reads}


def _sketches(run: RunContext, rule: RowRule, texts: pl.Series) -> pl.Series:
    """Return sketches, on disk while they are compared.

    They are kept by text where rows are compared with reference data: a set that grows is sketched once.
    """
    sketch, settings = sketcher(rule.step, rule.settings)
    if not rule.reference:
        return _mapped_sketches(run, partial(sketch, **settings), texts)
    key = fingerprint([code_hash(sketch), settings])[:12]
    return cached_by_text(
        texts,
        run.store.cache_folder("sketches", rule.step.name, key),
        lambda part: sketch(part, **settings).to_numpy(),
        SHARD,
        run.progress,
        f"sketch ({rule.step.name})",
    )


def _mapped_sketches(run: RunContext, sketch: Callable[[pl.Series], pl.Series], texts: pl.Series) -> pl.Series:
    kind = sketch(texts.clear()).dtype
    if not isinstance(kind, pl.Array) or kind.inner != pl.UInt32:  # a step of the user's own may make anything
        return sketch(texts)
    made = mapped_rows(len(texts), kind.size, np.uint32, run.store.path)
    for low in range(0, len(texts), BLOCK):
        made[low : low + BLOCK] = sketch(texts[low : low + BLOCK].fill_null("")).to_numpy()
    return as_series(made, "sketch")
