"""The verb ``dedup``: duplicates are dropped, with the kept row that each duplicates and how near it is as evidence."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from curate.pipeline.compared_texts import compared_texts
from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.dedup_parts.decide import decisions
from curate.pipeline.dedup_parts.in_parts import PartsRun
from curate.pipeline.dedup_parts.plan import parts_note
from curate.pipeline.dedup_parts.sizes import Sizes, sizes_for
from curate.pipeline.dedup_parts.when import check_in_parts, is_in_parts
from curate.pipeline.duplicate_evidence import duplicate_evidence, duplicate_reason, with_named_ids
from curate.pipeline.row_rule import TURNS, RowRule, read_columns, read_row_rule, rule_code
from curate.pipeline.run_state import RunState
from curate.pipeline.semantic_parts.in_parts import MeaningInParts
from curate.pipeline.semantic_parts.plan import meaning_note
from curate.pipeline.semantic_parts.sizes import task_sizes
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.steps import sql_conditions
from curate.steps.find_step import dropper
from curate.storage.mapped_columns import mapped_texts
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import PART, StageWriter, parts_of
from schemas import recipe as recipes
from schemas.errors import unknown

FOUND = ("duplicate_of", "similarity", "via")  # what a step returns of each row
Decide = Callable[[dict[str, pl.Series], dict[str, Any]], tuple[pl.DataFrame, str]]


@dataclass(frozen=True)
class DedupStep:
    """A ``dedup`` step over the rows of a run.

    Attributes:
        rows: The rows.
        prompts: The prompts of candidates, whose columns the step may name; None where ``rows`` are prompts.
        columns: The columns that it reads.
        rule: The rule, with the column that is compared.
        condition: An SQL condition: rows for which it does not hold are not compared, and stay; None for all.
        mentioned: The columns that the condition mentions.
        label: The stage's label.
        where: The recipe's file and line, for errors.
    """

    rows: RowSet
    prompts: RowSet | None
    columns: list[str]
    rule: RowRule
    condition: str | None
    mentioned: list[str]
    label: str
    where: str

    def holds(self, part: pl.DataFrame) -> pl.Series:
        """Return for which rows of a table the condition holds."""
        return sql_conditions.holds(part, self.condition or "", f"{self.where}: dedup.where")


def dedup_stage(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> StageSpec:
    """Return the stage that drops duplicates among rows, and of reference data (``against``).

    Of a conversation all turns are compared, as different ones may end alike. With ``where``, an SQL condition, rows
    for which it does not hold are not compared, and stay.

    Args:
        state: The run's state.
        rows: The rows to deduplicate.
        step: The recipe's step.
        prompts: The prompts of candidates, whose columns the step may name; None where ``rows`` are prompts.

    Raises:
        UserError: A setting, a column or a condition is wrong, or the reference data cannot be read.
    """
    where = state.recipe.step_where(step)
    columns = rows.columns(prompts)
    text_column = step.settings.get("on", "prompt" if rows.table == "prompts" else "response")
    if not isinstance(text_column, str) or columns.get(text_column) != pl.String:
        texts = [name for name, kind in columns.items() if kind == pl.String]
        raise unknown("column (to deduplicate on)", str(text_column), texts, where)
    by = step.settings.get("by")
    if by is not None and not (isinstance(by, str) and by in columns and columns[by].is_numeric()):
        numbers = [name for name, kind in columns.items() if kind.is_numeric()]
        raise unknown("number (to keep the best by) called", str(by), numbers, where)
    condition = step.settings.get("where")
    if condition is not None:
        sql_conditions.check(condition, columns, f"{where}: dedup.where")
    given = {k: v for k, v in step.settings.items() if k not in ("as", "where", "in_parts")}
    rule = read_row_rule(state, "dedup", step.use or "", given, where, text_column)
    in_parts = check_in_parts(step.settings.get("in_parts"), rule, rows.table, where)
    label = state.label(rows.table, "dedup", step.name)
    mentioned = sql_conditions.mentioned(condition, list(columns)) if condition else []
    turns = [TURNS[text_column]] if text_column in TURNS else []
    needed = list(dict.fromkeys([text_column, *turns, *([by] if by else []), *mentioned]))
    key = {"rule": rule.key(), "where": condition, **input_key(rows, prompts, needed)}
    dedup = DedupStep(rows, prompts, needed, rule, condition, mentioned, label, where)
    build, note = partial(write_duplicates, step=dedup), None
    if rule.step.name == "minhash":
        build = partial(write_in_parts, step=dedup, in_parts=in_parts)
        note = partial(parts_note, rows, rule, in_parts)
    elif rule.step.name == "semantic":
        build = partial(write_by_meaning, step=dedup, in_parts=in_parts)
        note = partial(meaning_note, rows, rule, in_parts)
    return decision_stage(rows, label, key, build, rule_code(rule), note)


def write_duplicates(writer: StageWriter, run: RunContext, *, step: DedupStep, decide: Decide | None = None) -> str:
    """Write a decision for every row; texts and ids stay on disk while the texts are compared.

    Args:
        writer: The stage.
        run: Its progress display.
        step: The step.
        decide: What decides, in place of the step's own function.
    """
    rows, rule = step.rows, step.rule
    run.progress.begin(step.label, rows.height)
    scores, compared = [pl.Series(rule.by or "", [], dtype=pl.Float64)], [np.zeros(0, bool)]

    def texts_to_compare() -> Iterator[pl.Series]:
        for part in read_batches(rows, step.columns, step.prompts):
            if step.condition:
                holds = step.holds(part)
                compared.append(holds.to_numpy())
                part = part.filter(holds)
            if rule.by:
                scores.append(part[rule.by].cast(pl.Float64))
            turns = TURNS.get(rule.on)
            yield compared_texts(part[rule.on], part[turns] if turns else None)

    texts = mapped_texts(texts_to_compare(), run.store)
    holds = pl.Series(np.concatenate(compared)) if step.condition else None
    found = find_duplicates(run, rule, texts, pl.concat(scores) if rule.by else None, step.label, decide)
    del texts
    for part in found.parts(lambda: _ids(rows, holds)):
        writer.write("decisions", part)
    return _summary(writer, step, holds) + found.note


def write_in_parts(
    writer: StageWriter, run: RunContext, *, step: DedupStep, in_parts: bool | None, sizes: Sizes | None = None
) -> str:
    """Do as ``write_duplicates``, in parts (``dedup_parts``) where it is to be: the same decisions, byte for byte."""
    rows, rule = step.rows, step.rule
    if not rows.height or not is_in_parts(in_parts, rule, rows.table, rows.height):
        return write_duplicates(writer, run, step=step)
    holds = _holding(step) if step.condition else None
    wanted, sizes = None if holds is None else holds.to_numpy(), sizes or sizes_for(rows.height)
    parts = PartsRun(writer, run, rule, rows, wanted, step.label, sizes)
    note = parts.write(lambda: _scores(step, holds))
    return _summary(writer, step, holds) + note


def write_by_meaning(writer: StageWriter, run: RunContext, *, step: DedupStep, in_parts: bool | None) -> str:
    """Do as ``write_duplicates``, in parts (``semantic_parts``) where it is to be: with the same decisions."""
    rows, rule = step.rows, step.rule
    if not rows.height or not is_in_parts(in_parts, rule, rows.table, rows.height):
        return write_duplicates(writer, run, step=step)
    parts = MeaningInParts(writer, run, step.label, task_sizes(rows.height))
    return write_duplicates(writer, run, step=step, decide=parts.dedup)


def _summary(writer: StageWriter, step: DedupStep, holds: pl.Series | None) -> str:
    """Write the decisions about the rows that are not compared; return how many rows are kept, and not compared."""
    if holds is None:
        return kept_summary(writer, step.rows)
    for ids in _ids(step.rows, ~holds):
        writer.write("decisions", pl.DataFrame({"row_id": ids}).with_columns(stage=pl.lit(step.label), kept=True))
    return f"{kept_summary(writer, step.rows)}; {holds.len() - holds.sum():,} not compared (where)"


def _holding(step: DedupStep) -> pl.Series:
    """Return for which rows the condition holds, by the columns that it mentions."""
    return pl.concat([step.holds(part) for part in read_batches(step.rows, step.mentioned, step.prompts)])


def _scores(step: DedupStep, wanted: pl.Series | None) -> Iterator[pl.Series]:
    """Yield the scores to keep rows by, a batch at a time; of rows for which ``wanted`` holds, if it is given."""
    name, start = step.rule.by or "", 0
    for part in read_batches(step.rows, [name], step.prompts):
        scores = part[name].cast(pl.Float64)
        yield scores if wanted is None else scores.filter(wanted[start : start + part.height])
        start += part.height


def _ids(rows: RowSet, wanted: pl.Series | None) -> Iterator[pl.Series]:
    """Yield the ids of rows, a batch at a time; those for which ``wanted`` holds, if it is given."""
    start = 0
    for part in read_batches(rows, []):
        yield part[rows.id] if wanted is None else part[rows.id].filter(wanted[start : start + part.height])
        start += part.height


@dataclass(frozen=True)
class FoundDuplicates:
    """The duplicates that a dedup step found among rows.

    Attributes:
        rule: The rule.
        label: The stage's label, for the decisions.
        dropped: The rows that are dropped (``row``), with what each duplicates, in order.
        note: A note on the result that begins with ``; ``, or "".
    """

    rule: RowRule
    label: str
    dropped: pl.DataFrame
    note: str

    def parts(self, ids: Callable[[], Iterable[pl.Series]]) -> Iterator[pl.DataFrame]:
        """Yield a decision for every row, in tables of at most ``PART`` rows.

        A dropped row's evidence names the row it duplicates (``of``, or ``file`` and ``line`` of reference data with
        its text) and their ``similarity``; where whole connected clusters are dropped, also the near row ``via`` which
        it is in the cluster.

        Args:
            ids: Yields the rows' ids, a part at a time.
        """
        before = self.rule.reference.rows.height if self.rule.reference else 0
        none = pl.Series("row_id", [], dtype=pl.String)
        numbered, named = with_named_ids(self.dropped, chain([none], ids()), before)
        rows, low = self.dropped["row"].to_numpy(), 0
        for table in parts_of((part.alias("row_id").to_frame() for part in chain([none], ids())), PART):
            first, end = np.searchsorted(rows, [low, low + table.height]).tolist()
            evidence = duplicate_evidence(self.rule, numbered[first:end], named)
            yield decisions(table["row_id"], rows[first:end] - low, evidence, self.label, duplicate_reason(self.rule))
            low += table.height


def find_duplicates(
    run: RunContext,
    rule: RowRule,
    texts: pl.Series,
    score: pl.Series | None,
    label: str,
    decide: Decide | None = None,
) -> FoundDuplicates:
    """Run a dedup step over rows, by its own function or by ``decide``."""
    columns, before = read_columns(run, rule, texts, score), rule.reference.rows.height if rule.reference else 0
    dropped, note = _dropped(rule, columns, decide)
    dropped = dropped.filter(pl.col("row") >= before).with_columns(pl.col("row") - before)
    if before:
        near = int((dropped["duplicate_of"] < before).sum())
        note = "; ".join(filter(None, [f"{near:,} near other data ({before:,} rows)", note]))
    return FoundDuplicates(rule, label, dropped, f"; {note}" if note else "")


def _dropped(rule: RowRule, columns: dict[str, pl.Series], decide: Decide | None) -> tuple[pl.DataFrame, str]:
    """Return the rows that a step drops, in order, with what each duplicates (``FOUND``), and the step's note."""
    own = None if decide else dropper(rule.step, rule.settings)
    if own:
        found = own(**columns)
        return found.with_columns(pl.lit(None).alias(name) for name in FOUND if name not in found.columns), ""
    result, note = decide(columns, rule.settings) if decide else rule.step.decide(columns, rule.settings, FOUND)
    rows = result["duplicate_of"].is_not_null().arg_true().cast(pl.Int64)
    return result[rows].with_columns(row=rows), note
