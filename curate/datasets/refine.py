"""Refine the rows that a dataset has chosen: ``dedup``, then ``diverse``."""

import polars as pl

from curate.datasets.candidate_table import Candidates
from curate.datasets.dataset_spec import DatasetSpec
from curate.datasets.decision_writer import DecisionWriter
from curate.datasets.trl_rows import text_of
from curate.pipeline.dedup import duplicate_decisions
from curate.pipeline.row_rule import RowRule, read_columns
from curate.pipeline.select import subset_decisions
from curate.pipeline.stage_spec import RunContext


def refine(
    run: RunContext, spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame, decisions: DecisionWriter
) -> tuple[pl.DataFrame, str]:
    """Deduplicate the chosen rows, then choose a diverse subset of them.

    A row that is left out is in no table, so its decision is about what it was made of: the candidate (of a pair the
    chosen one) or the prompt.

    Returns:
        The rows that are left, and a note on the others.
    """
    notes = ""
    for part, rule in (("dedup", spec.dedup), ("diverse", spec.diverse)):
        if rule is None or made.is_empty():
            continue
        ids, texts = _ids(spec, candidates, made), text_of(candidates, made, rule.on, last=part == "diverse")
        score = _score(candidates, made, rule)
        if part == "dedup":
            decided, note = duplicate_decisions(run, rule, ids, texts, score, "")
        else:
            columns, label = read_columns(run, rule, texts, score), f"{spec.label}.diverse"
            decided, note = subset_decisions(rule, columns, ids, label, decisions.writer, spec.recipe.seed)
        # An answer that was chosen in several pairs is out if all of them are.
        of_answers = decided.sort("kept", descending=True, maintain_order=True).unique("row_id", keep="first")
        decisions.write(part, of_answers.sort("row_id"))
        left_out = made.height - decided["kept"].sum()
        notes += (f"; {left_out:,} left out by {part}" if left_out else "") + note
        made = made.filter(decided["kept"])
    return made, notes


def _ids(spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame) -> pl.Series:
    """Return the ids that decisions about rows are about."""
    if spec.entry.type == "prompt":
        return made["prompt_id"]
    return candidates.frame["completion_id"][made["__row" if "__row" in made.columns else "chosen"]]


def _score(candidates: Candidates, made: pl.DataFrame, rule: RowRule) -> pl.Series | None:
    """Return the score that a rule reads: the prompt's own, the candidate's, of a pair the chosen one's."""
    if rule.by is None:
        return None
    if rule.by in made.columns:
        return made[rule.by]
    return candidates.frame[rule.by][made["__row" if "__row" in made.columns else "chosen"]]
