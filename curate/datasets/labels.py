"""The labels of unpaired rows: which answers are good and which are bad, by a score or by the pairs of a rule.

A score labels an answer as good from a threshold on. Of a verdict (0 or 1, or -1) 1 is good, so that needs no
threshold. Of pairs, each chosen answer is good and each rejected one bad; one that is both has no label. Nor has an
answer that stands there several times, once as good and once as bad.
"""

import polars as pl

from curate.datasets.candidate_table import SLICE, Candidates, candidates_kept, with_columns
from curate.datasets.dataset_spec import DatasetSpec
from curate.datasets.decision_writer import DecisionWriter
from curate.datasets.recorded_verdicts import VERDICT_VALUES, column_in_sql, is_bad_name
from curate.datasets.trl_rows import text_of
from curate.pipeline.run_state import RunState
from curate.sources.rows.layout_names import RANKS
from curate.storage.rows import read_all
from schemas.errors import UserError
from schemas.recipe import Dataset

OF_A_VERDICT = 0.5  # the threshold where the values are those of a verdict
BOTH = "chosen in one pair and rejected in another"
UNCLEAR = "the same answer to the same prompt is labelled good and bad"


def label_threshold(state: RunState, name: str, entry: Dataset, by: str | None) -> float | None:
    """Return the least score of a good answer, of an unpaired dataset that takes candidates; None of other datasets.

    Args:
        state: The recipe's rows, as far as they are known: while the score is not, it is taken to be a verdict.
        name: The dataset's name.
        entry: Its entry in the recipe.
        by: The score that labels its answers.

    Raises:
        UserError: No score is named, or none of 0 and 1 without a threshold, or one whose high values are bad.
    """
    if entry.type != "unpaired":
        return None
    where = f"{state.recipe.where('datasets', name, 'by')}: datasets.{name}"
    if by is None:
        known = ", ".join(state.completions.scores) or "none: add a score step"
        raise UserError(
            f"{where}: a score says which answers are good: name it with 'by' (there are: {known}); or a rule that "
            f"pairs answers does, such as select: best_vs_worst"
        )
    if entry.threshold is not None:
        return entry.threshold
    if by in RANKS or is_bad_name(by):
        raise UserError(
            f"{where}: by its name the least {by} is the best, and a good answer is one with a high score; add "
            f'- score: {{use: combine, sql: "1 - {column_in_sql(by)}", as: good}} and set by: good; or set '
            f"threshold, the {by} from which an answer is good"
        )
    values = read_all(state.completions, [by], state.prompts)[by].cast(pl.Float64).fill_nan(None).drop_nulls()
    if values.is_in(VERDICT_VALUES).all():
        return OF_A_VERDICT
    middle = values.median()
    raise UserError(
        f"{where}: {by} is no verdict of 0 or 1 (it goes from {values.min():.4g} to {values.max():.4g}); set "
        f"threshold, the least {by} of a good answer, such as threshold: {middle:.4g}, the median"
    )


def scored(spec: DatasetSpec, candidates: Candidates, decisions: DecisionWriter) -> tuple[Candidates, str]:
    """Leave out candidates without the score that would label them, each with a decision; return a note on them."""
    kept = _scores(spec, candidates).is_not_null()
    if kept.all():
        return candidates, ""
    reason = pl.when("kept").then(None).otherwise(pl.lit(f"no label: {spec.by} is null"))
    decided = candidates.frame.select(row_id="completion_id", kept=kept).with_columns(reason=reason)
    decisions.write("label", decided)
    return candidates_kept(candidates, kept.to_numpy()), f"; {(~kept).sum():,} left out: {spec.by} is null"


def with_labels(spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame) -> pl.DataFrame:
    """Return candidates by number (``__row``, ``__place``) with their ``label``, where a score labels them."""
    if spec.threshold is None:
        return made
    return made.with_columns(label=_scores(spec, candidates).gather(made["__row"]) >= spec.threshold)


def answers_of_pairs(candidates: Candidates, pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return each answer of pairs once.

    Args:
        candidates: The candidates.
        pairs: Pairs by number: ``chosen``, ``rejected`` and ``__place``.

    Returns:
        ``__row``, ``__place`` and ``label`` in the order of the prompts and of the candidates; and a decision for each
        answer that one pair chooses and another rejects, which is left out.
    """
    sides = [
        pairs.select(pl.col(side).cast(pl.UInt32).alias("__row"), "__place", label=pl.lit(side == "chosen"))
        for side in ("chosen", "rejected")
    ]
    rows = pl.concat(sides).unique().with_columns(both=pl.len().over("__row") > 1).sort("__place", "__row")
    unclear = rows.filter("both")["__row"].unique(maintain_order=True)
    ids = candidates.own.ids_of(unclear)
    decided = pl.DataFrame({"row_id": ids}).with_columns(kept=pl.lit(False), reason=pl.lit(BOTH))
    return rows.filter(~pl.col("both")).drop("both"), decided


def unclear_note(unclear: pl.DataFrame) -> str:
    """Return a note on the answers that pairs both choose and reject, given as decisions, or ""."""
    count = unclear.height
    return f"; {count:,} answer{'' if count == 1 else 's'} left out: {BOTH}" if count else ""


def with_clear_labels(
    candidates: Candidates, made: pl.DataFrame, decisions: DecisionWriter
) -> tuple[pl.DataFrame, str]:
    """Leave out labelled answers that are there with the other label, too, each with a decision; return a note.

    Args:
        candidates: The candidates.
        made: Unpaired rows by number: ``__row``, ``__place`` and ``label``.
        decisions: Writes the decisions.
    """
    texts = [text_of(candidates, part, "row", last=False).hash(seed=0) for part in made.iter_slices(SLICE)]
    if not texts:
        return made, ""
    both = made.select(both=pl.col("label").n_unique().over(pl.concat(texts)) > 1)["both"]
    if not both.any():
        return made, ""
    ids = candidates.own.ids_of(made["__row"].filter(both))
    decided = pl.DataFrame({"row_id": ids}).with_columns(kept=pl.lit(False), reason=pl.lit(UNCLEAR))
    decisions.write("label", decided)
    return made.filter(~both), f"; {ids.len():,} answers left out: {UNCLEAR}"


def label_note(spec: DatasetSpec, made: pl.DataFrame) -> str:
    """Return how many rows are good and bad, and what says so."""
    good = int(made["label"].sum())
    of = f"by {spec.selection.step.name}" if spec.of_pairs else f"by {spec.by} >= {spec.threshold:g}"
    return f", {good:,} good and {made.height - good:,} bad {of}"


def _scores(spec: DatasetSpec, candidates: Candidates) -> pl.Series:
    """Return the score of every candidate that labels it."""
    name = spec.by or ""
    parts = [part.get_column(name) for part in with_columns(candidates, candidates.short, [name])]
    values = pl.concat(parts) if parts else pl.Series(name, [], dtype=pl.Float64)
    return values.cast(pl.Float64).fill_nan(None)
