"""Choose the candidates, pairs or prompts of a dataset: its condition, then its rule.

Rows are integer indices until they are written; texts are loaded on demand. Every candidate, or prompt, that is left
out gets a decision under the part that left it out: where, select, dedup, diverse.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl

from curate.datasets.candidate_table import SLICE, Candidates, with_columns, with_ids
from curate.datasets.dataset_spec import DatasetSpec
from curate.datasets.decision_writer import DecisionWriter
from curate.datasets.labels import answers_of_pairs, unclear_note, with_clear_labels, with_labels
from curate.datasets.pairs import PairOptions, Texts, choose_pairs, number_pairs
from curate.datasets.trl_rows import by_prompt
from curate.pipeline.by_hand import without_kept
from curate.steps import sql_conditions
from curate.storage.row_table import RowTable, gather, read_row_table
from curate.storage.stage import PART, parts_of
from schemas.rows import PROMPTS

SHOWN = 5  # refused pairs that a prompt's decision names


def needed_columns(spec: DatasetSpec) -> set[str]:
    """Return the columns of candidates that choosing reads."""
    names = set(spec.selection.step.reads)
    if spec.entry.where:
        names.update(sql_conditions.mentioned(spec.entry.where, list(spec.columns)))
    if spec.pair_options.models:
        names.add("model")
    if spec.entry.match == "tokens":
        names.add("completion_tokens")
    names.update(name for name in (spec.by, *(rule.by for rule in spec.rules)) if name)
    return names


def choose_candidates(spec: DatasetSpec, candidates: Candidates, decisions: DecisionWriter) -> tuple[pl.DataFrame, str]:
    """Apply the condition and the rule of a dataset of candidates or pairs.

    Returns:
        The chosen rows by number, and a note on the pairs that were refused.
    """
    frame = candidates.short
    if spec.entry.where:
        names = ["completion_id", *sql_conditions.mentioned(spec.entry.where, list(spec.columns))]
        slices = with_columns(candidates, frame, names)
        kept = [_apply_condition(spec, part, "completion_id", decisions) for part in slices]
        frame = frame.filter(pl.concat(kept)) if kept else frame
    if not spec.of_pairs:
        chosen = _choose_answers(spec, candidates, frame, decisions)
        made = with_labels(spec, candidates, frame.filter(chosen).select("__row", "__place"))
        return with_clear_labels(candidates, made, decisions) if spec.entry.type == "unpaired" else (made, "")
    made, note = _choose_pairs(spec, candidates, frame, decisions)
    note += _absent_models_note(spec, candidates)
    if spec.entry.type == "preference":
        return made, note
    made, unclear = answers_of_pairs(candidates, made)
    if not unclear.is_empty():
        decisions.write("label", unclear)
    made, left_out = with_clear_labels(candidates, made, decisions)
    return made, note + unclear_note(unclear) + left_out


def _choose_answers(
    spec: DatasetSpec, candidates: Candidates, frame: pl.DataFrame, decisions: DecisionWriter
) -> pl.Series:
    """Write what the rule decides about candidates, some prompts at a time if it can; return which are kept."""
    order, ends = prompt_blocks(frame, whole=not spec.selection.step.within_prompts)

    def decided() -> Iterator[pl.DataFrame]:
        for low, high in ends:
            block = with_ids(candidates, frame[low:high] if order is None else frame[order[low:high]])
            result = apply_rule(spec, candidates, block).with_columns(pl.col("kept").fill_null(False))
            if spec.kept_by_hand and spec.entry.type == "sft":
                result = _with_kept_by_hand(spec, block, result)
            yield block.select(row_id="completion_id").hstack(result)

    parts = decided()
    if order is not None:
        parts = iter([pl.concat(parts)[np.argsort(order)]])
    kept = [decisions.write("select", part) for part in parts_of(parts, PART)]
    return pl.concat(kept)


def _choose_pairs(
    spec: DatasetSpec, candidates: Candidates, frame: pl.DataFrame, decisions: DecisionWriter
) -> tuple[pl.DataFrame, str]:
    """Write which prompts give a pair, some prompts at a time if the rule can; return the pairs, and a note."""
    order, ends = prompt_blocks(frame, whole=not spec.selection.step.within_prompts)
    made, counts, total = [], Counter[int](), 0

    def decided() -> Iterator[pl.DataFrame]:
        nonlocal total
        for low, high in ends:
            block = with_ids(candidates, frame[low:high] if order is None else frame[order[low:high]])
            pairs = number_pairs(candidates, block, apply_rule(spec, candidates, block), spec.selection.step.name)
            considered = choose_pairs(pairs, spec.pair_options, candidates, Texts(candidates))
            made.append(in_order(candidates, considered.filter(pl.col("code") == 0)))
            counts.update(dict(considered.filter(pl.col("code") > 0)["code"].value_counts().rows()))
            total += considered.height
            yield pair_decisions(candidates, block, considered, spec)

    for part in parts_of(decided(), PART):
        decisions.write("select", part)
    return pl.concat(made).sort("__place", maintain_order=True), refused_note(counts, total, spec.pair_options)


def prompt_blocks(
    frame: pl.DataFrame, *, whole: bool, size: int = SLICE
) -> tuple[np.ndarray | None, list[tuple[int, int]]]:
    """Return an order of candidates in which those of a prompt stand together, and blocks of whole prompts in it.

    Args:
        frame: The candidates, with ``__place``.
        whole: Whether all are one block, in their own order.
        size: The least number of candidates of a block; the last one may have fewer.

    Returns:
        The order, None for that which they have; and the first row of each block and the one after its last.
    """
    count = frame.height
    if whole or count <= size:
        return None, [(0, count)]
    place = frame["__place"].cast(pl.Int64).fill_null(-1).to_numpy()
    order, starts = None, np.flatnonzero(place[1:] != place[:-1]) + 1
    if len(starts) + 1 > len(np.unique(place)):
        first = np.empty(int(place.max()) + 2, np.int64)
        first[place[::-1]] = np.arange(count)[::-1]  # of each prompt the first candidate; the last place is of none
        order = np.argsort(first[place], kind="stable")
        starts = np.flatnonzero(place[order][1:] != place[order][:-1]) + 1
    at = np.searchsorted(starts, np.arange(size, count, size))
    cuts = [0, *np.unique(starts[at[at < len(starts)]]).tolist(), count]
    return order, list(pairwise(cuts))


def apply_rule(spec: DatasetSpec, candidates: Candidates, frame: pl.DataFrame) -> pl.DataFrame:
    """Call the dataset's rule on candidates (rows of ``candidates.frame``) and return what it returns."""
    step = spec.selection.step
    names = {read: spec.by if read == "score" else read for read in step.reads}
    on_disk = [name for name in names.values() if name is not None and name not in frame.columns]
    texts = _read_whole(candidates, frame, on_disk)
    columns = {}
    for read, name in names.items():
        if name is None:
            values = pl.select(pl.repeat(None, frame.height, dtype=pl.Float64)).to_series()
        elif name in frame.columns:
            values = frame[name]
        else:
            values = texts[name]
        if read == "score":  # a null or failed score never ranks
            values = values.cast(pl.Float64).fill_nan(None)
        columns[read] = values.rename(read)
    if step.makes == "select":
        return step.decide(columns, spec.selection.settings, ("kept", "reason", "evidence"))[0]
    return step.call(columns, spec.selection.settings)


def _read_whole(candidates: Candidates, frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return columns that are on disk for all rows of ``frame``."""
    parts = [part.select(names) for part in with_columns(candidates, frame, names)] if names else []
    return pl.concat(parts) if parts else frame.clear().select(pl.lit(None).alias(name) for name in names)


def _apply_condition(spec: DatasetSpec, part: pl.DataFrame, key: str, decisions: DecisionWriter) -> pl.Series:
    visible = part.drop("__row", "__place", strict=False)
    kept = sql_conditions.holds(visible, spec.entry.where or "true", f"{spec.where}: where")
    reason = pl.when("kept").then(None).otherwise(pl.lit(f"not: {spec.entry.where}"))
    made = pl.DataFrame({"row_id": part[key], "kept": kept}).with_columns(reason=reason)
    if spec.kept_by_hand:
        made = without_kept(made, list(spec.kept_by_hand)).with_columns(kept=pl.col("reason").is_null())
    return decisions.write("where", made)


def _with_kept_by_hand(spec: DatasetSpec, frame: pl.DataFrame, result: pl.DataFrame) -> pl.DataFrame:
    """Return a rule's result in which the candidates kept by hand are taken, and no other of their prompts."""
    kept = pl.col("completion_id").is_in(list(spec.kept_by_hand))
    by_hand, has_one = frame.select(kept.alias("own"), kept.max().over("__place").alias("of_prompt")).get_columns()
    other = pl.lit("another answer is kept by hand")
    return result.with_columns(
        kept=pl.when(has_one).then(by_hand).otherwise(pl.col("kept")),
        reason=pl.when(by_hand).then(None).when(has_one).then(other).otherwise(pl.col("reason")),
    )


def in_order(candidates: Candidates, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return pairs in the order of their prompts, then of their ids: ``chosen``, ``rejected``, ``__place``."""
    pairs = pairs.select("chosen", "rejected", __place="place")
    c, r = (candidates.own.ids_of(pairs[side]) for side in ("chosen", "rejected"))
    return pairs.with_columns(c=c, r=r).sort("__place", "c", "r").drop("c", "r")


def pair_decisions(
    candidates: Candidates, frame: pl.DataFrame, considered: pl.DataFrame, spec: DatasetSpec
) -> pl.DataFrame:
    """Return a decision for every prompt: whether it gave a pair, and if not why; its evidence is the refused pairs."""
    score = pl.col(spec.by).cast(pl.Float64) if spec.by in frame.columns else pl.lit(None, pl.Float64)
    prompts = frame.group_by("__place", maintain_order=True).agg(
        pl.col("prompt_id").first(), n=pl.len(), known=score.count(), low=score.min(), high=score.max()
    )
    refused = considered.filter(pl.col("code") > 0)
    refused = refused.with_columns(
        why=pl.Series(spec.pair_options.reasons())[refused["code"].cast(pl.UInt32)],
        chosen_id=candidates.own.ids_of(refused["chosen"]),
        rejected_id=candidates.own.ids_of(refused["rejected"]),
    )
    refused = refused.with_columns(
        text=pl.struct(chosen="chosen_id", rejected="rejected_id", why="why").struct.json_encode()
    )
    counts = refused.group_by("place", "why").len().sort("place", "len", "why", descending=[False, True, False])
    counts = counts.group_by("place", maintain_order=True).agg(why=pl.format("{} {}", "len", "why").str.join(", "))
    named = refused.group_by("place", maintain_order=True).agg(pl.col("text").head(SHOWN).str.join(","))
    made = considered.filter(pl.col("code") == 0).select("place").unique().with_columns(kept=pl.lit(True))
    for part in (counts, named, made):
        prompts = prompts.join(part, left_on="__place", right_on="place", how="left", maintain_order="left")
    reason = (
        pl.when(pl.col("why").is_not_null())
        .then(pl.format("no pair: refused: {}", "why"))
        .when(pl.col("n") == 1)
        .then(pl.lit("no pair: one candidate only"))
        .when(pl.lit(not spec.needs_score))
        .then(pl.lit(f"no pair: {spec.selection.step.name} finds none"))
        .when(pl.col("known") == 0)
        .then(pl.lit("no pair: no candidate has a score"))
        .when(pl.col("known") == 1)
        .then(pl.lit("no pair: one candidate only has a score"))
        .when(pl.col("low") == pl.col("high"))
        .then(pl.format("no pair: every score is {}", pl.col("low").round(4)))
        .otherwise(pl.format("no pair: scores from {} to {}", pl.col("low").round(4), pl.col("high").round(4)))
    )
    evidence = pl.concat_str(pl.lit('{"refused":['), "text", pl.lit("]}"))
    return prompts.select(
        row_id="prompt_id",
        kept=pl.col("kept").fill_null(False),
        reason=pl.when(pl.col("kept").is_null()).then(reason),
        evidence=evidence,
    )


def refused_note(counts: Counter[int], total: int, options: PairOptions) -> str:
    """Return ``; refused: 58% the same text (1,204)`` for counts of the codes of all pairs considered, or ""."""
    reasons, common = options.reasons(), sorted(counts.items(), key=lambda count: (-count[1], count[0]))
    refused = [f"{100 * n / total:.0f}% {reasons[code]} ({n:,})" for code, n in common]
    return f"; refused: {', '.join(refused)}" if refused else ""


def _absent_models_note(spec: DatasetSpec, candidates: Candidates) -> str:
    """Return a note on the models that the rule names and that made no candidate, or ""."""
    rule = spec.selection
    if "model" not in rule.step.reads:
        return ""
    present = candidates.short["model"].drop_nulls().unique().sort().to_list()
    absent = [v for k, v in rule.settings.items() if k in ("teacher", "student") and v not in present]
    return f"; no candidate is by {' or '.join(absent)} (there are: {', '.join(present) or 'none'})" if absent else ""


def choose_prompts(spec: DatasetSpec, decisions: DecisionWriter) -> tuple[RowTable, pl.DataFrame, str]:
    """Apply the condition of a dataset of prompts.

    Returns:
        The prompts, the chosen rows by number, and a note on the score that the pass rate is of.
    """
    prompts, made = prompt_rows(spec)
    if spec.entry.where:
        names = sql_conditions.mentioned(spec.entry.where, list(spec.columns))
        slices = _prompt_slices(prompts, made, names)
        kept = [_apply_condition(spec, part, "prompt_id", decisions) for part in slices]
        made = made.filter(pl.concat(kept)) if kept else made
    return prompts, made, _pass_rate_note(spec)


def _pass_rate_note(spec: DatasetSpec) -> str:
    """Return which of several scores the pass rate is of, where a condition names it and the recipe does not say."""
    condition = spec.entry.where or ""
    unsaid = spec.entry.by is None and len(spec.scorers) > 1 and "pass_rate" not in spec.scorers
    named = unsaid and sql_conditions.mentioned(condition, ["pass_rate"])
    return f"; pass_rate is the share with {spec.by} >= 1" if named else ""


def prompt_rows(spec: DatasetSpec) -> tuple[RowTable, pl.DataFrame]:
    """Return the prompts, and for each ``__place``, its id, its scores, and the summary of its candidates' scores."""
    prompts = read_row_table(spec.prompts)
    made = pl.DataFrame({"__place": np.arange(prompts.height, dtype=np.uint32)}).hstack(prompts.frame.get_columns())
    summary = by_prompt(spec.prompts, spec.completions, spec.by)
    return prompts, made.hstack(summary.select([c for c in summary.columns if c not in made.columns]))


def _prompt_slices(prompts: RowTable, made: pl.DataFrame, names: list[str]) -> Iterator[pl.DataFrame]:
    on_disk = [name for name in names if name not in made.columns and name in PROMPTS]
    for part in made.iter_slices(SLICE):
        yield part.hstack(gather(prompts, part["__place"], on_disk)) if on_disk else part
