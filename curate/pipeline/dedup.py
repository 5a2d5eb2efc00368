"""The verb ``dedup``: duplicates are dropped, with the kept row that each duplicates and how near it is as evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from curate.algorithms.text import same_text
from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.row_rule import TURNS, RowRule, read_columns, read_row_rule, rule_code
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.steps import sql_conditions
from curate.storage.mapped_columns import mapped_texts
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import PART, StageWriter
from schemas import recipe as recipes
from schemas.errors import unknown

SHOWN = 300  # characters of a text that evidence shows


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
    given = {k: v for k, v in step.settings.items() if k not in ("as", "where")}
    rule = read_row_rule(state, "dedup", step.use or "", given, where, text_column)
    label = state.label(rows.table, "dedup", step.name)
    mentioned = sql_conditions.mentioned(condition, list(columns)) if condition else []
    turns = [TURNS[text_column]] if text_column in TURNS else []
    needed = list(dict.fromkeys([text_column, *turns, *([by] if by else []), *mentioned]))
    key = {"rule": rule.key(), "where": condition, **input_key(rows, prompts, needed)}
    build = partial(
        write_duplicates,
        rows=rows,
        prompts=prompts,
        columns=needed,
        rule=rule,
        condition=condition,
        label=label,
        where=where,
    )
    return decision_stage(rows, label, key, build, rule_code(rule))


def write_duplicates(
    writer: StageWriter,
    run: RunContext,
    *,
    rows: RowSet,
    prompts: RowSet | None,
    columns: list[str],
    rule: RowRule,
    condition: str | None,
    label: str,
    where: str,
) -> str:
    """Write a decision for every row; texts and ids stay on disk while the texts are compared."""
    run.progress.begin(label, rows.height)
    scores, compared = [pl.Series(rule.by or "", [], dtype=pl.Float64)], [np.zeros(0, bool)]

    def texts_to_compare() -> Iterator[pl.Series]:
        for part in read_batches(rows, columns, prompts):
            if condition:
                holds = sql_conditions.holds(part, condition, f"{where}: dedup.where")
                compared.append(holds.to_numpy())
                part = part.filter(holds)
            if rule.by:
                scores.append(part[rule.by].cast(pl.Float64))
            turns = TURNS.get(rule.on)
            several = same_text.as_text(same_text.conversations(part[turns])) if turns else None
            yield part[rule.on] if several is None else several.fill_null(part[rule.on])

    texts = mapped_texts(texts_to_compare(), run.store)
    holds = pl.Series(np.concatenate(compared)) if condition else None
    ids = mapped_texts(_ids(rows, holds), run.store)
    found = find_duplicates(run, rule, ids, texts, pl.concat(scores) if rule.by else None, label)
    for part in found.parts():
        writer.write("decisions", part)
    beside = ""
    if holds is not None:
        for ids in _ids(rows, ~holds):
            writer.write("decisions", pl.DataFrame({"row_id": ids}).with_columns(stage=pl.lit(label), kept=True))
        beside = f"; {holds.len() - holds.sum():,} not compared (where)"
    return kept_summary(writer, rows) + beside + found.note


def _ids(rows: RowSet, wanted: pl.Series | None) -> Iterator[pl.Series]:
    """Yield the ids of rows, a batch at a time; those for which ``wanted`` holds, if it is given."""
    start = 0
    for part in read_batches(rows, []):
        yield part[rows.id] if wanted is None else part[rows.id].filter(wanted[start : start + part.height])
        start += part.height


@dataclass(frozen=True)
class FoundDuplicates:
    """What a dedup step has found among rows.

    Attributes:
        rule: The rule.
        ids: The rows' ids.
        label: The stage's label, for the decisions.
        dropped: The rows that are dropped (``row``), with what each duplicates, in order.
        note: A note on the result that begins with ``; ``, or "".
    """

    rule: RowRule
    ids: pl.Series
    label: str
    dropped: pl.DataFrame
    note: str

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield a decision for every row, in tables of at most ``PART`` rows.

        A dropped row's evidence names the row it duplicates (``of``, or ``file`` and ``line`` of reference data with
        its text) and their ``similarity``; where whole connected clusters are dropped, also the near row ``via`` which
        it is in the cluster.
        """
        name, rows = self.rule.step.name, self.dropped["row"].to_numpy()
        reason = "duplicate (exact)" if name == "exact" else f"near-duplicate ({name})"
        for low in range(0, max(1, len(self.ids)), PART):
            ids = self.ids[low : low + PART]
            first, end = np.searchsorted(rows, [low, low + len(ids)]).tolist()
            kept, evidence = np.ones(len(ids), bool), pl.Series("evidence", [None], dtype=pl.String)
            evidence = evidence.new_from_index(0, len(ids))
            if end > first:
                at = rows[first:end] - low
                kept[at] = False
                evidence = evidence.scatter(at, _evidence(self.rule, self.dropped[first:end], self.ids))
            decisions = pl.DataFrame({"row_id": ids.alias("row_id"), "kept": kept, "evidence": evidence})
            yield decisions.with_columns(stage=pl.lit(self.label), reason=pl.when(~pl.col("kept")).then(pl.lit(reason)))


def find_duplicates(
    run: RunContext, rule: RowRule, ids: pl.Series, texts: pl.Series, score: pl.Series | None, label: str
) -> FoundDuplicates:
    """Run a dedup step over rows."""
    columns = read_columns(run, rule, texts, score)
    result, note = rule.step.decide(columns, rule.settings, ("duplicate_of", "similarity", "via"))
    before = rule.reference.rows.height if rule.reference else 0
    rows = result[before:]["duplicate_of"].is_not_null().arg_true().cast(pl.Int64)
    dropped = result[before:][rows].with_columns(row=rows)
    if before:
        near = int((dropped["duplicate_of"] < before).sum())
        note = "; ".join(filter(None, [f"{near:,} near other data ({before:,} rows)", note]))
    return FoundDuplicates(rule, ids, label, dropped, f"; {note}" if note else "")


def _evidence(rule: RowRule, dropped: pl.DataFrame, ids: pl.Series) -> pl.Series:
    """Return each dropped row's evidence (JSON text)."""
    reference = rule.reference.rows if rule.reference else None
    before = reference.height if reference is not None else 0

    def ids_of(rows: pl.Series) -> pl.Series:
        own = ids.gather(pl.select(pl.when(rows >= before).then(rows - before)).to_series())
        if reference is None:
            return own
        return reference["row_id"].gather(pl.select(pl.when(rows < before).then(rows)).to_series()).fill_null(own)

    fields = {"of": ids_of(dropped["duplicate_of"]), "similarity": dropped["similarity"].round(4)}
    if rule.settings.get("cluster") == "connected":
        fields["via"] = ids_of(dropped["via"])
    as_json = pl.struct(pl.all()).struct.json_encode()
    own = pl.DataFrame(fields).select(evidence=as_json)["evidence"]
    near = dropped["duplicate_of"] < before
    if reference is None or not near.any():
        return own
    shown = reference[dropped["duplicate_of"].filter(near)].select("file", "line", pl.col("text").str.slice(0, SHOWN))
    evidence = shown.hstack(pl.DataFrame(fields).filter(near)).select(evidence=as_json)["evidence"]
    return own.scatter(near.arg_true(), evidence)
