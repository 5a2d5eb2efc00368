"""The section ``datasets``: views over the candidates, as SFT rows, preference pairs or RL prompts.

where (SQL) -> select (a rule) -> rows -> dedup -> diverse -> split. Whatever a step leaves out is in ``decisions``.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from curate import filter as conditions
from curate.embed import embed
from curate.frames import collect
from curate.models import ModelRef
from curate.split import assign, needs
from curate.steps import Step, find
from curate.store import StageWriter
from curate.verbs import EMBEDDER, chosen, duplicates
from curate.view_rows import by_prompt, preference_rows, rl_rows, sft_rows
from curate.walk import Walk
from schemas.errors import UserError, unknown
from schemas.recipe import Dataset
from schemas.rows import DATASET_TABLES


@dataclass(frozen=True)
class Rule:
    """A step named inside a dataset, with its checked settings."""

    step: Step
    settings: dict[str, Any]
    on: str = ""
    embedder: ModelRef | None = None

    def key(self) -> list[Any]:
        """What a stage that applies the rule depends on."""
        return [
            self.step.name,
            self.settings,
            self.step.source,
            self.on,
            self.embedder.identity if self.embedder else "",
        ]


def dataset(walk: Walk, name: str, view: Dataset) -> None:
    """Make one dataset."""
    where = walk.recipe.where("datasets", name)
    columns = _columns(walk, view)
    by = _by(walk, name, view)
    rule = _selection(walk, name, view)
    extra = [_rule(walk, name, kind, value) for kind, value in (("dedup", view.dedup), ("diverse", view.diverse))]
    if view.where:
        conditions.check(view.where, columns, f"{walk.recipe.where('datasets', name, 'where')}: where")
    for split, condition in walk.recipe.split.items():
        if isinstance(condition, str):
            conditions.check(condition, walk.prompts.columns(), f"{walk.recipe.where('split', split)}: split.{split}")
    label = walk.label("datasets", name)
    scores = sorted(walk.completions.scores)
    what = {"type": view.type, "by": by, "where": view.where, "rules": [r.key() for r in (rule, *extra) if r],
            "split": [*walk.recipe.split.items()], "seed": walk.recipe.seed, "input": walk.completions.depends(scores),
            "context": walk.prompts.depends(sorted(walk.prompts.scores))}  # fmt: skip

    def build(writer: StageWriter) -> str:
        walk.report.begin(label, None)
        decide = Decisions(writer, label)
        rows = _rows(walk, view, by, rule, decide, where)
        rows = _refine(walk, view, rows, extra, decide)
        return _write(walk, name, view, rows, writer)

    stage = walk.stage(label, what, build)
    if stage:
        walk.datasets[name] = stage


class Decisions:
    """Writes what the parts of a dataset's making leave out, each under a stage name of its own."""

    def __init__(self, writer: StageWriter, label: str) -> None:
        """Write through ``writer``, with stage names that begin with ``label``."""
        self.writer, self.label = writer, label

    def write(self, part: str, decisions: pl.DataFrame) -> pl.Series:
        """Write decisions (row_id, kept, reason, evidence) and return ``kept``."""
        self.writer.write("decisions", decisions.with_columns(stage=pl.lit(f"{self.label}.{part}")))
        return decisions["kept"]


def _columns(walk: Walk, view: Dataset) -> dict[str, pl.DataType]:
    """What ``where`` may name: a candidate's columns, or for RL prompts the prompt's and its candidates' summary."""
    candidate = walk.completions.columns(walk.prompts)
    if view.type != "prompt":
        return candidate
    summary = {f"{s}_{how}": pl.Float64() for s in walk.completions.scores for how in ("mean", "min", "max")}
    return walk.prompts.columns() | {"pass_rate": pl.Float64(), "n_completions": pl.Int64()} | summary


def _by(walk: Walk, name: str, view: Dataset) -> str | None:
    """The score a dataset goes by: the one named, or the only one there is."""
    known = [*walk.completions.scores]
    if view.by is not None:
        numbers = [c for c, t in walk.completions.columns(walk.prompts).items() if t.is_numeric()]
        if view.by not in numbers:
            raise unknown("score", view.by, [*known, *numbers], walk.recipe.where("datasets", name, "by"))
        return view.by
    return known[0] if len(known) == 1 or (view.type == "prompt" and known) else None


def _selection(walk: Walk, name: str, view: Dataset) -> Rule | None:
    where = walk.recipe.where("datasets", name, "select")
    if view.type == "prompt":
        if view.select or view.settings:
            key = "select" if view.select else next(iter(view.settings))
            raise UserError(
                f"{where}: datasets.{name}: a dataset of type prompt takes prompts, not candidates, so it "
                f"has no {key!r}; use 'where', such as \"pass_rate between 0.1 and 0.9\""
            )
        return None
    step = find("select", view.select or ("all" if view.type == "sft" else "best_vs_worst"), where)
    wanted = "select" if view.type == "sft" else "pair"
    if step.makes != wanted:
        raise UserError(
            f"{where}: datasets.{name}: {step.name!r} makes {step.makes}s; type {view.type} needs a rule "
            f"with a function {wanted!r}"
        )
    known = [*Dataset.model_fields, *step.required, *step.defaults]
    for key in view.settings:
        if key not in known:
            raise unknown(f"key in datasets.{name} called", key, known, walk.recipe.where("datasets", name, key))
    if "score" in step.reads and _by(walk, name, view) is None:
        raise UserError(
            f"{where}: datasets.{name}: {step.name!r} goes by a score; name it with 'by' "
            f"(there are: {', '.join(walk.completions.scores) or 'none: add a score step'})"
        )
    reads = [c for c in step.reads if c != "score"]
    for column in reads:
        if column not in walk.completions.columns(walk.prompts):
            raise unknown(
                f"column (which {step.name!r} reads) called", column, walk.completions.columns(walk.prompts), where
            )
    return Rule(step, step.settings(view.settings, where, walk.recipe.seed))


def _rule(walk: Walk, name: str, key: str, value: str | dict[str, Any] | None) -> Rule | None:
    """Read ``dedup:`` or ``diverse:`` of a dataset: a name, or a mapping with ``use``."""
    if value is None:
        return None
    where = walk.recipe.where("datasets", name, key)
    given = {"use": value} if isinstance(value, str) else dict(value)
    if not isinstance(given.get("use"), str):
        raise UserError(f"{where}: datasets.{name}.{key}: expected a name, or a mapping with 'use'")
    step = find("dedup" if key == "dedup" else "select", given.pop("use"), where)
    if key == "diverse" and step.makes != "subset":
        raise UserError(f"{where}: datasets.{name}.diverse: {step.name!r} does not choose a subset of rows")
    on = given.pop("on", "row" if key == "dedup" else "prompt")
    if on not in ("prompt", "response", "row"):
        raise unknown(f"column to {key} on", on, ("prompt", "response", "row"), where)
    model = given.pop("model", EMBEDDER)
    embedder = walk.model(model, where) if "embedding" in step.reads else None
    return Rule(step, step.settings(given, where, walk.recipe.seed), on, embedder)


def _rows(walk: Walk, view: Dataset, by: str | None, rule: Rule | None, decide: Decisions, where: str) -> pl.DataFrame:
    """Apply ``where`` and the selection rule, and put the chosen rows together with their texts."""
    if view.type == "prompt":
        frame = by_prompt(walk, by)
        if view.where:
            frame = frame.filter(_where(frame, "prompt_id", view.where, decide, where))
        return rl_rows(frame)
    columns = walk.completions.columns(walk.prompts)
    reads = [c if c != "score" else by for c in rule.step.reads]
    needed = dict.fromkeys(
        ["prompt_id", *reads, *(conditions.mentioned(view.where, list(columns)) if view.where else [])]
    )
    frame = collect(walk.completions, [c for c in needed if c != "completion_id"], walk.prompts)
    if view.where:
        frame = frame.filter(_where(frame, "completion_id", view.where, decide, where))
    if by in frame.columns:  # a null or failed score never ranks
        frame = frame.with_columns(pl.col(by).cast(pl.Float64).fill_nan(None))
    inputs = {r: frame[c].alias(r) for r, c in zip(rule.step.reads, reads, strict=True)}
    result = rule.step.call(inputs, rule.settings)
    if view.type == "sft":
        kept = decide.write("select", pl.DataFrame({"row_id": frame["completion_id"]}).with_columns(result))
        return sft_rows(walk, frame.filter(kept).select("completion_id"), by)
    decide.write("select", _unpaired(frame, result, by))
    return preference_rows(walk, result, by)


def _where(frame: pl.DataFrame, key: str, condition: str, decide: Decisions, where: str) -> pl.Series:
    kept = conditions.holds(frame, condition, f"{where}: where")
    return decide.write("where", pl.DataFrame({"row_id": frame[key], "kept": kept}).with_columns(
        reason=pl.when("kept").then(None).otherwise(pl.lit(f"not: {condition}"))))  # fmt: skip


def _unpaired(frame: pl.DataFrame, pairs: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """For every prompt: whether it gave a pair, and if not, how its candidates' scores stood."""
    paired = frame.filter(pl.col("completion_id").is_in(pairs["chosen_id"].implode()))["prompt_id"].unique()
    score = pl.col(by) if by in frame.columns else pl.lit(None, pl.Float64)
    prompts = frame.group_by("prompt_id", maintain_order=True).agg(
        n=pl.len(), known=score.count(), low=score.min(), high=score.max())  # fmt: skip
    reason = (
        pl.when(pl.col("n") == 1).then(pl.lit("no pair: one candidate only"))
        .when(pl.col("known") == 0).then(pl.lit("no pair: no candidate has a score"))
        .when(pl.col("low") == pl.col("high")).then(pl.format("no pair: every score is {}", pl.col("low").round(4)))
        .otherwise(pl.format("no pair: scores from {} to {}", pl.col("low").round(4), pl.col("high").round(4)))
    )  # fmt: skip
    kept = pl.col("prompt_id").is_in(paired.implode())
    return prompts.select(row_id="prompt_id", kept=kept, reason=pl.when(kept).then(None).otherwise(reason))


def _refine(walk: Walk, view: Dataset, rows: pl.DataFrame, extra: list[Rule | None], decide: Decisions) -> pl.DataFrame:
    """Deduplicate the rows, then choose a diverse subset of them.

    A row that is left out is in no table, so its decision goes to what it was made of: the candidate (of a pair the
    chosen one) or the prompt.
    """
    made_of = {"sft": "completion_id", "preference": "chosen_id", "prompt": "prompt_id"}[view.type]
    for part, rule in zip(("dedup", "diverse"), extra, strict=True):
        if rule is None or rows.is_empty():
            continue
        texts = rows[f"text_{rule.on}"]
        if part == "dedup":
            made = duplicates(rule.step, rule.settings, rows[made_of], texts, "")
        else:
            columns = {"text": texts}
            if rule.embedder:
                columns["embedding"] = embed(texts, rule.embedder, walk.store, walk.report)
            made = chosen(rule.step, rule.settings, {r: columns[r] for r in rule.step.reads}, rows[made_of], "")
        rows = rows.filter(decide.write(part, made))
    return rows


def _write(walk: Walk, name: str, view: Dataset, rows: pl.DataFrame, writer: StageWriter) -> str:
    """Assign the splits, write the table and say how many rows went where."""
    splits = walk.recipe.split
    prompts = collect(walk.prompts, needs(splits, list(walk.prompts.columns())))
    sides = prompts.select("prompt_id", split=assign(prompts, splits, walk.recipe.seed, walk.recipe.where("split")))
    rows = rows.join(sides.with_row_index("place"), on="prompt_id", how="left", maintain_order="left")
    rows = rows.sort("place", maintain_order=True).drop("place").with_columns(dataset=pl.lit(name))
    rows = rows.drop([c for c in rows.columns if c.startswith("text_")])
    writer.write(DATASET_TABLES[view.type], rows)
    counts = rows["split"].value_counts(sort=True).rows()
    noun = {"sft": "rows", "preference": "pairs", "prompt": "prompts"}[view.type]
    return f"{rows.height:,} {noun}" + (f" ({', '.join(f'{n:,} {s}' for s, n in counts)})" if counts else "")
