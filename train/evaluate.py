"""The section ``evaluate`` of a recipe: models answer held-out prompts, and the scorers judge them, all alike.

Before and after are comparable because everything but the model is the same: the prompts, the sampling, the scorers'
settings. ``compare`` makes the table that says whether a training helped, and how sure that is.
"""

import hashlib
from contextlib import nullcontext
from typing import Any

import polars as pl

from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.models.scorer_requests import ScorerRequests
from curate.storage.store import Stage, Store
from schemas.errors import UserError
from schemas.ids import content_id, fingerprint
from schemas.messages import assistant_messages
from schemas.progress import Progress
from schemas.recipe import Evaluation, Recipe
from schemas.rows import DATASET_TABLES
from train.rewards import Judge, edge_of, judges, prompt_columns

LABEL = "evaluate"


def evaluate_recipe(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    progress: Progress,
    *,
    prompts: pl.DataFrame | None = None,
    answers: Gateway | None = None,
) -> Stage:
    """Evaluate a recipe's models, or reuse the result, and return the stage with the table ``evaluations``.

    ``models`` holds the refs of all models evaluated, trained ones too. ``prompts`` (prompt_id, ground_truth,
    metadata, tools) gives an ``sft`` or ``preference`` dataset what its rows do not carry and a scorer may read.
    ``answers`` is whom to ask: without it, models are asked for no run in particular.
    Raises ``UserError`` if there is nothing held out, or a model is not trained yet.
    """
    plan = plan_evaluation(recipe, store, datasets, models, prompts)
    with nullcontext(answers) if answers else Gateway(store, progress) as asked:
        stage = plan["stage"] or _make(recipe, store, plan, asked)
    progress.end(LABEL, stage.manifest["result"], reused=plan["stage"] is not None)
    return stage


def plan_evaluation(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    prompts: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """Check the evaluation; say what it would do: ``refs``, ``rows``, ``judges``, ``stage_id``, ``stage`` (or None)."""
    evaluation, where = recipe.evaluate, recipe.where("evaluate")
    if evaluation is None:
        raise UserError(f"{recipe.path}: has no section 'evaluate'")
    if evaluation.dataset not in datasets:
        raise UserError(
            f"{where}: the dataset {evaluation.dataset!r} is not built yet; 'gristmill run {recipe.path}' builds it"
        )
    for name in evaluation.models:
        if name not in models:
            raise UserError(
                f"{where}: the model {name!r} is not trained yet; 'gristmill train {recipe.path}' trains it"
            )
    if not (evaluation.by and evaluation.models):
        raise UserError(f"{where}: needs at least one model in 'models' and one scorer in 'by'")
    wanted = judges(recipe, evaluation.by, recipe.where("evaluate", "by"))
    kind = recipe.datasets[evaluation.dataset].type
    for name, judge in wanted.items():
        missing = [column for column in ("ground_truth", "metadata") if column in judge.reads]
        if missing and kind != "prompt" and prompts is None:  # the scorer would see nulls and judge nothing
            raise UserError(
                f"{recipe.where('evaluate', 'dataset')}: the scorer {name!r} reads {missing[0]}, which "
                f"rows of type {kind!r} do not carry; name a dataset of type 'prompt'"
            )
    rows = held_out(recipe, datasets[evaluation.dataset], prompts)
    refs = {name: models[name] for name in evaluation.models}
    what = {
        "rows": hashlib.sha256(rows.write_ndjson().encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "scorers": {name: judge.key() for name, judge in wanted.items()},
        "settings": evaluation.model_dump(exclude={"models", "by"}),
        "seed": recipe.seed,
    }
    ids = {name: content_id("e", fingerprint(what), name, ref.identity) for name, ref in refs.items()}
    what["models"] = [[name, ref.identity] for name, ref in refs.items()]
    stage_id = fingerprint(what)[:12]
    return {
        "refs": refs,
        "ids": ids,
        "rows": rows,
        "judges": wanted,
        "what": what,
        "stage_id": stage_id,
        "stage": store.stage(stage_id),
    }


def held_out(recipe: Recipe, dataset: Stage, prompts: pl.DataFrame | None = None) -> pl.DataFrame:
    """The prompts to evaluate on: one row a prompt of the splits ``evaluate.split`` names (default: all but train).

    Columns: row_id, prompt_id, split, messages, prompt, tools, ground_truth, metadata. Raises ``UserError`` if there
    are none.
    """
    evaluation, where = recipe.evaluate, recipe.where("evaluate")
    kind = recipe.datasets[evaluation.dataset].type
    rows = dataset.read(DATASET_TABLES[kind]).with_columns(pl.col("split").fill_null("train"))
    wanted = [evaluation.split] if isinstance(evaluation.split, str) else evaluation.split
    splits = sorted(rows["split"].unique())
    rows = rows.filter(pl.col("split").is_in(wanted) if wanted else pl.col("split") != "train")
    rows = rows.unique("prompt_id", keep="first", maintain_order=True)
    if rows.is_empty():
        raise UserError(
            f"{where}: the dataset {evaluation.dataset!r} has no rows in {wanted or 'any split but train'} "
            f"(it has: {', '.join(splits) or 'no rows at all'}); add a 'split', such as {{test: 0.1}}"
        )
    known = ["ground_truth", "metadata", "tools"]
    if prompts is not None and kind != "prompt":
        more = prompts.select("prompt_id", *known).unique("prompt_id")
        rows = rows.drop(known, strict=False).join(more, on="prompt_id", how="left", maintain_order="left")
    return pl.concat([rows.select("prompt_id", "split"), prompt_columns(rows)], how="horizontal")


def compare(stage: Stage) -> pl.DataFrame:
    """Sum up an evaluation: a row per split, scorer and model, in the recipe's order, the first model as the measure.

    Columns: split, scorer, model; ``n`` (answers scored), ``nulls`` (answers that could not be), ``mean``; and over
    the prompts that both models have a score for, ``difference`` to the first model (mean of the differences, prompt
    by prompt, of each model's mean over its samples) with ``low`` and ``high``, the ends of its 95% interval by the
    normal approximation: difference +/- 1.96 x standard error. The interval is null for fewer than two prompts, and
    too narrow for a handful; for a difference of two proportions it needs some dozens.
    """
    rows = stage.read("evaluations")
    keys = ["split", "scorer"]
    each = rows.group_by(*keys, "model", "prompt_id", maintain_order=True).agg(pl.col("value").mean())
    first = rows["model"][0] if rows.height else None
    base = each.filter(pl.col("model") == first).select(*keys, "prompt_id", base="value")
    gap = pl.col("value") - pl.col("base")
    error = 1.96 * gap.std() / gap.count().sqrt()
    paired = each.join(base, on=[*keys, "prompt_id"], how="left", maintain_order="left")
    differences = paired.group_by(*keys, "model", maintain_order=True).agg(
        difference=gap.mean(), low=gap.mean() - error, high=gap.mean() + error
    )
    itself = pl.col("model") == first
    return (
        rows.group_by(*keys, "model", maintain_order=True)
        .agg(n=pl.col("value").count(), nulls=pl.col("value").null_count(), mean=pl.col("value").mean())
        .join(differences, on=[*keys, "model"], how="left", maintain_order="left")
        .with_columns(pl.when(~itself).then(pl.col(c)).alias(c) for c in ("difference", "low", "high"))
        .sort(*keys, maintain_order=True)
    )


def _make(
    recipe: Recipe,
    store: Store,
    plan: dict[str, Any],
    asked: Gateway,
) -> Stage:
    evaluation: Evaluation = recipe.evaluate
    rows, stage_id, what, ids = plan["rows"], plan["stage_id"], plan["what"], plan["ids"]
    sampling = {"temperature": evaluation.temperature, "max_tokens": evaluation.max_tokens}
    answers = {
        name: asked.ask(
            ref,
            rows["messages"].to_list(),
            n=evaluation.n,
            sampling=sampling,
            seed=recipe.seed,
            label=f"{LABEL} {name}",
            tools=rows["tools"].to_list(),
        )
        for name, ref in plan["refs"].items()
    }
    tables = {name: _table(table, rows) for name, table in answers.items()}
    if models := [ref for judge in plan["judges"].values() for scorer in judge.scorers for ref, _ in scorer.models]:
        asked.unload_except(models)
    edge = edge_of(plan["judges"], asked, recipe.seed, f"{LABEL}, scores")
    scored = _judged(tables, plan["judges"], edge)
    passing = [
        key for table in answers.values() if "transient" in table.columns for key in table.filter("transient")["key"]
    ] + edge.transient
    if passing:  # requests that failed but may succeed on another day: the next evaluation asks them again
        what = what | {"part_of": stage_id, "missing": fingerprint(passing)[:12]}
        stage_id = fingerprint(what)[:12]
        ids = {name: content_id("e", stage_id, name) for name in ids}
        if part := store.stage(stage_id):
            return part
    means = []
    with store.new_stage(stage_id, LABEL, what=what, rows_in=rows.height) as writer:
        for name, ref in plan["refs"].items():
            training_id = ref.identity.rsplit(">", 1)[1] if ">" in ref.identity else None
            writer.write(
                "evaluations",
                scored[name].with_columns(
                    evaluation_id=pl.lit(ids[name]),
                    dataset=pl.lit(evaluation.dataset),
                    training_id=pl.lit(training_id, pl.String),
                ),
            )
            means.append(f"{name} {_mean(scored[name], evaluation.by[0])}")
        writer.info["result"] = f"{rows.height:,} prompts: " + ", ".join(means)
    return store.stage(stage_id)


def _table(answers: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """A model's answers with what their prompts have, and the turns each comes to."""
    nothing = pl.lit(None, pl.String)
    columns = ("reasoning_content", "tool_calls", "error")
    table = answers.with_columns(nothing.alias(name) for name in columns if name not in answers.columns)
    turns = [
        assistant_messages(*said) for said in table.select("response", "reasoning_content", "tool_calls").iter_rows()
    ]
    table = table.with_columns(completion=pl.Series(turns, dtype=pl.String))
    return table.join(rows.with_row_index("row").cast({"row": pl.Int64}), on="row", how="left", maintain_order="left")


def _judged(tables: dict[str, pl.DataFrame], wanted: dict[str, Judge], edge: ScorerRequests) -> dict[str, pl.DataFrame]:
    """Score every model's answers with every scorer: of each model, the rows of ``evaluations``.

    All are scored together, so that what goes by the whole set (z-scores, a slope on length) is the same for all; each
    model's answers to a prompt are a group of their own.
    """
    columns = ["split", "row_id", "prompt_id", "sample_index", "prompt", "response", "finish_reason"]
    answers = pl.concat([table.with_columns(model=pl.lit(name)) for name, table in tables.items()]).with_row_index("at")
    failed = pl.col("response").is_null()  # the request failed for good: there is nothing to judge
    given = answers.filter(~failed)
    alone = given.with_columns(prompt_id=pl.concat_str("model", "prompt_id", separator=" "))
    rows = answers.rename({"error": "asked"}).select("at", "model", *columns, "asked")
    parts = []
    for name, judge in wanted.items():
        verdict = pl.concat([given.select("at"), judge.values(alone, edge.answer)], how="horizontal")
        scored = rows.join(verdict, on="at", how="left", maintain_order="left")
        parts.append(
            scored.select(
                "model",
                *columns,
                "value",
                "detail",
                scorer=pl.lit(name),
                error=pl.when(failed).then("asked").otherwise("error"),
            )
        )
    every = pl.concat(parts)
    return {name: every.filter(pl.col("model") == name) for name in tables}


def _mean(scored: pl.DataFrame, scorer: str) -> str:
    """The mean of a scorer's values as text."""
    mean = scored.filter(pl.col("scorer") == scorer)["value"].mean()
    return "has no score" if mean is None else f"{mean:.3f}"
