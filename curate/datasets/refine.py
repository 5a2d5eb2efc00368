"""What a dataset does to the rows it has chosen: ``dedup``, then ``diverse``."""

import polars as pl

from curate.datasets.candidate_table import Candidates
from curate.datasets.choose import Decisions, View
from curate.datasets.trl_rows import text_of
from curate.pipeline.dedup import duplicates
from curate.pipeline.pipeline import Walk
from curate.pipeline.row_rule import RowRule, read_columns
from curate.pipeline.select import chosen


def refine(
    walk: Walk, view: View, candidates: Candidates, made: pl.DataFrame, decide: Decisions
) -> tuple[pl.DataFrame, str]:
    """Deduplicate the rows, then choose a diverse subset of them. Returns those left, and what to say of the others.

    A row that is left out is in no table, so its decision goes to what it was made of: the candidate (of a pair the
    chosen one) or the prompt.
    """
    told = ""
    for part, rule in zip(("dedup", "diverse"), view.extra, strict=True):
        if rule is None or made.is_empty():
            continue
        if view.entry.type == "prompt":
            ids = made["prompt_id"]
        else:
            ids = candidates.frame["completion_id"][made["__row" if view.entry.type == "sft" else "chosen"]]
        texts, score = text_of(candidates, made, rule.on), _score(candidates, made, rule)
        if part == "dedup":
            decided, said = duplicates(walk, rule, ids, texts, score, "")
        else:
            columns = read_columns(walk, rule, texts, score)
            decided, said = chosen(walk, rule, columns, ids, f"{view.label}.diverse", decide.writer)
        # An answer that was chosen in several pairs is out if all of them are.
        once = decided.sort("kept", descending=True, maintain_order=True).unique("row_id", keep="first")
        decide.write(part, once.sort("row_id"))
        out = made.height - decided["kept"].sum()
        told += (f"; {out:,} left out by {part}" if out else "") + said
        made = made.filter(decided["kept"])
    return made, told


def _score(candidates: Candidates, made: pl.DataFrame, rule: RowRule) -> pl.Series | None:
    """The score a rule goes by: the prompt's own, the candidate's, of a pair the chosen one's."""
    if rule.by is None or rule.by in made.columns:
        return None if rule.by is None else made[rule.by]
    return candidates.frame[rule.by][made["__row" if "__row" in made.columns else "chosen"]]
