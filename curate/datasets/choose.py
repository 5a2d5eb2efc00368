"""Choosing what a dataset is made of: its condition, its rule, its refinements; and writing its rows with their splits.

Until rows are written all of it goes by row numbers (``curate.datasets.candidate_table``). Every candidate, or prompt, that is left out
gets a decision under the part that left it out: where, select, dedup, diverse.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from curate.datasets.candidate_table import SLICE, Candidates, Pool, gather, read_pool, with_columns
from curate.datasets.pairs import Options, Texts, numbered, settle
from curate.datasets.trl_rows import by_prompt, preference_rows, rl_rows, sft_rows, sides, summary_columns
from curate.pipeline.pipeline import Walk
from curate.pipeline.row_rule import RowRule
from curate.steps import sql_conditions as conditions
from curate.storage.store import StageWriter, empty
from schemas.recipe import Dataset
from schemas.rows import DATASET_TABLES, PROMPTS

NOUNS = {"sft": "rows", "preference": "pairs", "prompt": "prompts"}
SHOWN = 5  # refused pairs that a prompt's decision names


@dataclass(frozen=True)
class View:
    """A dataset as its recipe asks for it, checked. ``columns`` are those its condition may name."""

    name: str
    entry: Dataset
    label: str
    at: str
    columns: dict[str, pl.DataType]
    by: str | None
    rule: RowRule | None
    extra: list[RowRule | None]
    options: Options
    scored: bool  # the rule goes by the score


class Decisions:
    """Writes what the parts of a dataset's making leave out, each under a stage name of its own."""

    def __init__(self, writer: StageWriter, label: str) -> None:
        """Write through ``writer``, with stage names that begin with ``label``."""
        self.writer, self.label = writer, label

    def write(self, part: str, decisions: pl.DataFrame) -> pl.Series:
        """Write decisions (row_id, kept, reason, evidence) and return ``kept``."""
        self.writer.write("decisions", decisions.with_columns(stage=pl.lit(f"{self.label}.{part}")))
        return decisions["kept"]


def needed(view: View) -> set[str]:
    """The columns of candidates that making the dataset reads before it knows which of them it takes."""
    mentioned = conditions.mentioned(view.entry.where, list(view.columns)) if view.entry.where else []
    more = ["model"] * bool(view.options.models) + ["completion_tokens"] * (view.entry.match == "tokens")
    return {*view.rule.step.reads, *mentioned, *more, view.by, *(rule.by for rule in view.extra if rule)}


def choose_candidates(view: View, candidates: Candidates, decide: Decisions) -> tuple[pl.DataFrame, str]:
    """Apply the condition and the rule. Returns what is chosen by row number, and what to say of what was refused."""
    frame = candidates.frame
    if view.entry.where:
        names = conditions.mentioned(view.entry.where, list(view.columns))
        parts = [_where(view, part, "completion_id", decide) for part in with_columns(candidates, frame, names)]
        frame = frame.filter(pl.concat(parts)) if parts else frame
    result = apply(view, candidates, frame)
    if view.entry.type == "sft":
        result = result.with_columns(pl.col("kept").fill_null(False))
        kept = decide.write("select", frame.select(row_id="completion_id").hstack(result))
        return frame.filter(kept).select("__row", "__place"), ""
    pairs = numbered(candidates, frame, result, view.rule.step.name)
    looked = settle(pairs, view.options, candidates, Texts(candidates))
    decide.write("select", unpaired(candidates, frame, looked, view))
    made = in_order(candidates, looked.filter(pl.col("code") == 0))
    return made, said_refused(looked, view.options) + _said_models(view, candidates)


def apply(view: View, candidates: Candidates, frame: pl.DataFrame) -> pl.DataFrame:
    """Call the view's rule on candidates (rows of ``candidates.frame``) and return what it returns."""
    step = view.rule.step
    names = {read: view.by if read == "score" else read for read in step.reads}
    wide = [n for n in names.values() if n is not None and n not in frame.columns]
    texts = list(with_columns(candidates, frame, wide)) if wide else []
    held = pl.concat(texts).select(wide) if texts else frame.clear().select(*(pl.lit(None).alias(n) for n in wide))
    columns = {}
    for read, name in names.items():
        if name is None:
            values = pl.select(pl.repeat(None, frame.height, dtype=pl.Float64)).to_series()
        else:
            values = frame[name] if name in frame.columns else held[name]
        if read == "score":  # a null or failed score never ranks
            values = values.cast(pl.Float64).fill_nan(None)
        columns[read] = values.rename(read)
    if step.makes == "select":
        return step.decide(columns, view.rule.settings, ("kept", "reason", "evidence"))[0]
    return step.call(columns, view.rule.settings)


def _where(view: View, part: pl.DataFrame, key: str, decide: Decisions) -> pl.Series:
    shown = part.drop("__row", "__place", strict=False)
    kept = conditions.holds(shown, view.entry.where, f"{view.at}: where")
    reason = pl.when("kept").then(None).otherwise(pl.lit(f"not: {view.entry.where}"))
    return decide.write("where", pl.DataFrame({"row_id": part[key], "kept": kept}).with_columns(reason=reason))


def in_order(candidates: Candidates, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return pairs in the order of their prompts, then of their ids: ``chosen``, ``rejected``, ``__place``."""
    ids = candidates.frame["completion_id"]
    pairs = pairs.select("chosen", "rejected", __place="place")
    return pairs.with_columns(c=ids[pairs["chosen"]], r=ids[pairs["rejected"]]).sort("__place", "c", "r").drop("c", "r")


def unpaired(candidates: Candidates, frame: pl.DataFrame, looked: pl.DataFrame, view: View) -> pl.DataFrame:
    """A decision for every prompt: whether it gave a pair, and if not, why; either way the pairs that were refused."""
    score = pl.col(view.by).cast(pl.Float64) if view.by in frame.columns else pl.lit(None, pl.Float64)
    prompts = frame.group_by("__place", maintain_order=True).agg(
        pl.col("prompt_id").first(), n=pl.len(), known=score.count(), low=score.min(), high=score.max()
    )
    ids = candidates.frame["completion_id"]
    refused = looked.filter(pl.col("code") > 0)
    refused = refused.with_columns(
        why=pl.Series(view.options.reasons())[refused["code"].cast(pl.UInt32)],
        chosen_id=ids[refused["chosen"]],
        rejected_id=ids[refused["rejected"]],
    )
    refused = refused.with_columns(
        text=pl.struct(chosen="chosen_id", rejected="rejected_id", why="why").struct.json_encode()
    )
    counts = refused.group_by("place", "why").len().sort("place", "len", "why", descending=[False, True, False])
    counts = counts.group_by("place", maintain_order=True).agg(why=pl.format("{} {}", "len", "why").str.join(", "))
    named = refused.group_by("place", maintain_order=True).agg(pl.col("text").head(SHOWN).str.join(","))
    made = looked.filter(pl.col("code") == 0).select("place").unique().with_columns(kept=pl.lit(True))
    for part in (counts, named, made):
        prompts = prompts.join(part, left_on="__place", right_on="place", how="left", maintain_order="left")
    reason = (
        pl.when(pl.col("why").is_not_null())
        .then(pl.format("no pair: refused: {}", "why"))
        .when(pl.col("n") == 1)
        .then(pl.lit("no pair: one candidate only"))
        .when(pl.lit(not view.scored))
        .then(pl.lit(f"no pair: {view.rule.step.name} finds none"))
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


def said_refused(looked: pl.DataFrame, options: Options) -> str:
    """``; refused: 58% the same text (1,204)``, of the pairs that were looked at."""
    counts = looked.filter(pl.col("code") > 0)["code"].value_counts(sort=True).rows()
    reasons, total = options.reasons(), looked.height
    said = [f"{100 * n / total:.0f}% {reasons[code]} ({n:,})" for code, n in counts]
    return f"; refused: {', '.join(said)}" if said else ""


def _said_models(view: View, candidates: Candidates) -> str:
    """Where a rule goes by models: which of those it was given gave no candidate at all."""
    if "model" not in view.rule.step.reads:
        return ""
    there = candidates.frame["model"].drop_nulls().unique().sort().to_list()
    lost = [v for k, v in view.rule.settings.items() if k in ("teacher", "student") and v not in there]
    return f"; no candidate is by {' or '.join(lost)} (there are: {', '.join(there) or 'none'})" if lost else ""


def choose_prompts(walk: Walk, view: View, decide: Decisions) -> tuple[Pool, pl.DataFrame, str]:
    """Apply the condition of a dataset of prompts. Returns the prompts, what is chosen, and what to say of it."""
    prompts, made = prompt_rows(walk, view)
    if view.entry.where:
        names = conditions.mentioned(view.entry.where, list(view.columns))
        parts = [_where(view, part, "prompt_id", decide) for part in _prompt_parts(prompts, made, names)]
        made = made.filter(pl.concat(parts)) if parts else made
    return prompts, made, _said_passed(walk, view)


def _said_passed(walk: Walk, view: View) -> str:
    """By which of several scores a pass rate goes, where a condition names it and the recipe leaves it open."""
    scores, where = list(walk.completions.scores), view.entry.where or ""
    open_ = view.entry.by is None and len(scores) > 1 and "pass_rate" not in scores
    told = open_ and conditions.mentioned(where, ["pass_rate"])
    return f"; pass_rate is the share with {view.by} >= 1" if told else ""


def prompt_rows(walk: Walk, view: View) -> tuple[Pool, pl.DataFrame]:
    """The prompts, and for each ``__place``, its id and scores, and what its candidates' scores come to."""
    prompts = read_pool(walk.prompts)
    made = prompts.frame.with_row_index("__place")
    summary = by_prompt(walk, view.by)
    return prompts, made.hstack(summary.select([c for c in summary.columns if c not in made.columns]))


def write_prompts(walk: Walk, view: View, prompts: Pool, made: pl.DataFrame, writer: StageWriter) -> str:
    """Write a dataset of prompts and say how many rows went where."""
    rows = rl_rows(prompts, made, [c for c in summary_columns(walk) if c in made.columns])
    return _write(view, rows, made, sides(walk, prompts), writer)


def _prompt_parts(prompts: Pool, made: pl.DataFrame, names: list[str]) -> Iterator[pl.DataFrame]:
    wide = [n for n in names if n not in made.columns and n in PROMPTS]
    for part in made.iter_slices(SLICE):
        yield part.hstack(gather(prompts, part["__place"], wide)) if wide else part


def write_rows(walk: Walk, view: View, candidates: Candidates, made: pl.DataFrame, writer: StageWriter) -> str:
    """Write a dataset of candidates or pairs, in the order of its prompts, and say how many rows went where."""
    made = made.sort("__place", maintain_order=True)
    form = sft_rows if view.entry.type == "sft" else preference_rows
    rows = form(candidates, made, view.by, list(walk.completions.scores))
    return _write(view, rows, made, sides(walk, candidates.prompts), writer)


def _write(view: View, rows: Iterator[pl.DataFrame], made: pl.DataFrame, split: pl.Series, writer: StageWriter) -> str:
    """Write rows part by part with the splits of their prompts."""
    table, done = DATASET_TABLES[view.entry.type], 0
    split = split[made["__place"]].rename("split")
    for part in rows:
        writer.write(table, part.with_columns(split[done : done + part.height], dataset=pl.lit(view.name)))
        done += part.height
    if not done:
        writer.write(table, empty(table))
    counts = split.value_counts(sort=True).rows()
    said = f" ({', '.join(f'{n:,} {s}' for s, n in counts)})" if counts else ""
    return f"{made.height:,} {NOUNS[view.entry.type]}{said}"
