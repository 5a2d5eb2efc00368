"""Refine the rows that a dataset has chosen: ``decontaminate``, then ``dedup``, then ``diverse``."""

import polars as pl

from curate.datasets.candidate_table import Candidates
from curate.datasets.dataset_spec import DatasetSpec
from curate.datasets.decision_writer import DecisionWriter
from curate.datasets.trl_rows import text_of
from curate.pipeline.decontaminate import overlap_decisions, overlaps_of
from curate.pipeline.dedup import find_duplicates
from curate.pipeline.row_rule import TURNS, RowRule, read_columns
from curate.pipeline.select import subset_decisions
from curate.pipeline.stage_spec import RunContext
from curate.storage.row_table import gather


def refine(
    run: RunContext, spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame, decisions: DecisionWriter
) -> tuple[pl.DataFrame, str]:
    """Take out the chosen rows that a benchmark holds too, deduplicate the others, then choose a diverse subset.

    A row that is left out is in no table, so its decision is about what it was made of: the candidate (of a pair the
    chosen one) or the prompt.

    Returns:
        The rows that are left, and a note on the others.
    """
    made, notes = _decontaminate(run, spec, candidates, made, decisions)
    for part, rule in (("dedup", spec.dedup), ("diverse", spec.diverse)):
        if rule is None or made.is_empty():
            continue
        ids, texts = _ids(spec, candidates, made), text_of(candidates, made, rule.on, last=part == "diverse")
        score = _score(candidates, made, rule)
        if part == "dedup":
            found = find_duplicates(run, rule, texts, score, "")
            decided, note = pl.concat(found.parts(lambda ids=ids: [ids])), found.note
        else:
            columns, label = read_columns(run, rule, texts, score), f"{spec.label}.diverse"
            decided, note = subset_decisions(rule, columns, ids, label, decisions.writer, spec.recipe.seed)
        made, left_out = _kept(made, decided, part, decisions)
        notes += left_out + note
    return made, notes


def _decontaminate(
    run: RunContext, spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame, decisions: DecisionWriter
) -> tuple[pl.DataFrame, str]:
    """Leave out the rows that overlap a benchmark; return the others, and a note."""
    if spec.overlap is None or made.is_empty():
        return made, ""
    rule, column = spec.overlap
    turns = TURNS[column]
    if column == "prompt":
        compared = gather(candidates.prompts, made["__place"], [column, turns])
    else:
        compared = gather(candidates.own, made["__row" if "__row" in made.columns else "chosen"], [column, turns])
    found = overlaps_of(compared[column], compared[turns], *rule.prepare(run))
    decided = overlap_decisions(_ids(spec, candidates, made), found, rule.benchmark.rows, "")
    return _kept(made, decided, "decontaminate", decisions)


def _kept(made: pl.DataFrame, decided: pl.DataFrame, part: str, decisions: DecisionWriter) -> tuple[pl.DataFrame, str]:
    """Write a part's decisions; return the rows that it keeps, and a note on the others."""
    # An answer that was chosen in several pairs is out if all of them are.
    of_answers = decided.sort("kept", descending=True, maintain_order=True).unique("row_id", keep="first")
    decisions.write(part, of_answers.sort("row_id"))
    left_out = made.height - decided["kept"].sum()
    return made.filter(decided["kept"]), f"; {left_out:,} left out by {part}" if left_out else ""


def _ids(spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame) -> pl.Series:
    """Return the ids that decisions about rows are about."""
    if spec.entry.type == "prompt":
        return made["prompt_id"]
    return candidates.own.ids_of(made["__row" if "__row" in made.columns else "chosen"])


def _score(candidates: Candidates, made: pl.DataFrame, rule: RowRule) -> pl.Series | None:
    """Return the score that a rule reads: the prompt's own, the candidate's, of a pair the chosen one's."""
    if rule.by is None:
        return None
    if rule.by in made.columns:
        return made[rule.by]
    return candidates.short[rule.by][made["__row" if "__row" in made.columns else "chosen"]]
