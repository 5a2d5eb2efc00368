"""Runs the section ``evaluate`` of a recipe: models answer held-out prompts, and scorers score the answers.

Base and trained models are comparable because everything but the model is the same: the prompts, the sampling, the
scorers' settings. ``train.evaluating.comparison`` makes the table that says whether a training helped.
"""

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.steps.code_hash import code_hash
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.ids import content_id, fingerprint
from schemas.progress import Progress
from schemas.recipe import Evaluation, Recipe
from schemas.rows import DATASET_TABLES
from train.answer_scorers import OPTIONAL, AnswerScorer, answer_scorers, prompt_columns, requests_for
from train.evaluating.expected import expected_by_split, taught_by_split
from train.evaluating.general.general_set import General, general_set
from train.evaluating.prompt_families import PromptFamilies, family_table
from train.evaluating.retention import Retention, about_damage, start_model
from train.evaluating.scored_answers import score_answers, with_prompts

LABEL = "evaluate"


@dataclass(frozen=True)
class PlannedEvaluation:
    """An evaluation as it would be done now.

    Attributes:
        refs: The models to evaluate, by name.
        ids: The evaluation's id for each model.
        rows: The held-out prompts, as ``held_out_prompts`` returns them.
        scorers: The scorers, by name.
        stage_id: The id of its stage.
        stage: Its result, or None if it has not been done.
        depends_on: Everything that the result depends on; ``stage_id`` is its hash.
        general: The general prompts and texts; None where retention is switched off.
        expected: Figures of the answers that the rows expect, by split (``train.evaluating.expected``).
        families: Finds the families of the prompts; None where each is one of its own.
    """

    refs: dict[str, ModelRef]
    ids: dict[str, str]
    rows: pl.DataFrame
    scorers: dict[str, AnswerScorer]
    stage_id: str
    stage: Stage | None
    depends_on: dict[str, Any]
    general: General | None
    expected: dict[str, Any]
    families: PromptFamilies | None

    def without_replies(self, keys: list[str], store: Store) -> "PlannedEvaluation":
        """Return the plan of the part that can be done while the replies to these requests are missing."""
        depends_on = self.depends_on | {"part_of": self.stage_id, "missing": fingerprint(keys)[:12]}
        stage_id = fingerprint(depends_on)[:12]
        ids = {name: content_id("e", stage_id, name) for name in self.ids}
        return replace(self, ids=ids, stage_id=stage_id, stage=store.stage(stage_id), depends_on=depends_on)


def evaluate_recipe(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    progress: Progress,
    *,
    prompts: pl.DataFrame | None = None,
    gateway: Gateway | None = None,
    families: PromptFamilies | None = None,
) -> Stage:
    """Evaluate a recipe's models, or reuse the result.

    Args:
        recipe: The recipe.
        store: The store, locked by this process.
        datasets: The recipe's datasets that are built, by name.
        models: The models by name, trained ones too.
        progress: The display to report to.
        prompts: Prompts (prompt_id, ground_truth, metadata, tools) that give rows of any other dataset than one
            of prompts the columns that they do not have and a scorer may read.
        gateway: Runs the model calls; if None, they belong to no run in the record of costs.
        families: Finds the families of the prompts; if None, each prompt is one of its own.

    Returns:
        The stage with the table ``evaluations``.

    Raises:
        UserError: Nothing is held out, or a model is not trained yet.
    """
    planned = plan_evaluation(recipe, store, datasets, models, prompts, families)
    with nullcontext(gateway) if gateway else Gateway(store, progress) as gateway:
        stage = planned.stage or _evaluate(recipe, store, planned, gateway)
    progress.end(LABEL, stage.manifest["result"], reused=planned.stage is not None)
    return stage


def plan_evaluation(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    prompts: pl.DataFrame | None = None,
    families: PromptFamilies | None = None,
) -> PlannedEvaluation:
    """Check the evaluation and find whether it is done. The arguments are those of ``evaluate_recipe``."""
    evaluation, where = _section(recipe), recipe.where("evaluate")
    if evaluation.dataset not in datasets:
        raise UserError(
            f"{where}: the dataset {evaluation.dataset!r} is not built yet; 'gristmill run {recipe.argument}' builds it"
        )
    for name in evaluation.models:
        if name not in models:
            raise UserError(
                f"{where}: the model {name!r} is not trained yet; 'gristmill train {recipe.argument}' trains it"
            )
    if not (evaluation.by and evaluation.models):
        raise UserError(f"{where}: needs at least one model in 'models' and one scorer in 'by'")
    scorers = answer_scorers(recipe, evaluation.by, recipe.where("evaluate", "by"), models)
    for ref in (ref for scorer in scorers.values() for ref in scorer.models if ref.untrained):
        raise UserError(
            f"{where}: the model {ref.name!r}, which is to score, is not trained yet; "
            f"'gristmill train {recipe.argument} {ref.name}' trains it"
        )
    if prompts is None:
        _check_columns(recipe, scorers)
    rows = held_out_prompts(recipe, datasets[evaluation.dataset], prompts)
    refs = {name: models[name] for name in evaluation.models}
    depends_on = {
        "rows": hashlib.sha256(rows.write_ndjson().encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "scorers": {name: scorer.key() for name, scorer in scorers.items()},
        "settings": evaluation.model_dump(exclude={"models", "by", "retention"}),
        "seed": recipe.seed,
        "code": code_hash(held_out_prompts, _evaluate, AnswerScorer, PromptFamilies),
    }
    if families is not None:
        depends_on["families"] = families.key()
    if recipe.limit is not None:
        depends_on["limit"] = recipe.limit
    general = general_set(recipe)
    if general is not None and (start := start_model(refs)) is not None:
        depends_on["retention"] = [general.key(), refs[start].identity]
    ids = {name: content_id("e", fingerprint(depends_on), name, ref.identity) for name, ref in refs.items()}
    depends_on["models"] = [[name, ref.identity] for name, ref in refs.items()]
    stage_id = fingerprint(depends_on)[:12]
    stage = store.stage(stage_id)
    expected = {} if stage else expected_by_split(rows, datasets[evaluation.dataset])
    return PlannedEvaluation(refs, ids, rows, scorers, stage_id, stage, depends_on, general, expected, families)


def _section(recipe: Recipe) -> Evaluation:
    """Return the section ``evaluate`` of a recipe. Raises ``UserError`` if it has none."""
    if recipe.evaluate is None:
        raise UserError(f"{recipe.path}: has no section 'evaluate'")
    return recipe.evaluate


def held_out_prompts(recipe: Recipe, dataset: Stage, prompts: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the prompts to evaluate on, each once: those in the splits ``evaluate.split`` (default: all but train).

    Args:
        recipe: The recipe.
        dataset: The stage of the dataset that ``evaluate`` names.
        prompts: As in ``evaluate_recipe``.

    Returns:
        A table with row_id, prompt_id, split, messages, prompt, tools, ground_truth and metadata.

    Raises:
        UserError: There are none.
    """
    evaluation, where = _section(recipe), recipe.where("evaluate")
    dataset_type = recipe.datasets[evaluation.dataset].type
    rows = dataset.read(DATASET_TABLES[dataset_type]).with_columns(pl.col("split").fill_null("train"))
    wanted = [evaluation.split] if isinstance(evaluation.split, str) else evaluation.split
    splits = sorted(rows["split"].unique())
    rows = rows.filter(pl.col("split").is_in(wanted) if wanted else pl.col("split") != "train")
    rows = rows.unique("prompt_id", keep="first", maintain_order=True)
    if rows.is_empty():
        raise UserError(
            f"{where}: the dataset {evaluation.dataset!r} has no rows in {wanted or 'any split but train'} "
            f"(it has: {', '.join(splits) or 'no rows at all'}); add a 'split', such as {{test: 0.1}}"
        )
    if prompts is not None and dataset_type != "prompt":
        known = prompts.select("prompt_id", *OPTIONAL).unique("prompt_id")
        rows = rows.drop(OPTIONAL, strict=False).join(known, on="prompt_id", how="left", maintain_order="left")
    return pl.concat([rows.select("prompt_id", "split"), prompt_columns(rows)], how="horizontal")


def _check_columns(recipe: Recipe, scorers: dict[str, AnswerScorer]) -> None:
    """Refuse a scorer that reads a column which the dataset's rows do not have: it would see nulls only."""
    dataset_type = recipe.datasets[_section(recipe).dataset].type
    for name, scorer in scorers.items():
        missing = [column for column in ("ground_truth", "metadata") if column in scorer.reads]
        if missing and dataset_type != "prompt":
            raise UserError(
                f"{recipe.where('evaluate', 'dataset')}: the scorer {name!r} reads {missing[0]}, which "
                f"rows of type {dataset_type!r} do not carry; name a dataset of type 'prompt'"
            )


def _evaluate(recipe: Recipe, store: Store, planned: PlannedEvaluation, gateway: Gateway) -> Stage:
    """Ask the models, score the answers and write the stage."""
    evaluation, answers = _section(recipe), {}
    retention = Retention(planned.general, planned.refs, gateway, LABEL)
    for name, ref in planned.refs.items():
        answers[name] = gateway.ask(
            ref,
            planned.rows["messages"].to_list(),
            n=evaluation.n,
            sampling={"temperature": evaluation.temperature, "max_tokens": evaluation.max_tokens},
            seed=recipe.seed,
            label=f"{LABEL} {name}",
            tools=planned.rows["tools"].to_list(),
        )
        retention.ask(name)
    tables = {name: with_prompts(table, planned.rows) for name, table in answers.items()}
    retention.read_answers(tables)
    if models := [ref for scorer in planned.scorers.values() for ref in scorer.models]:
        gateway.unload_except(models)
    requests = requests_for(planned.scorers, gateway, recipe.seed, f"{LABEL}, scores")
    scored = score_answers(tables, planned.scorers, requests)
    scored = {name: pl.concat([rows, retention.rows(name)], how="diagonal_relaxed") for name, rows in scored.items()}
    transient = [
        key for table in answers.values() if "transient" in table.columns for key in table.filter("transient")["key"]
    ] + [*requests.transient, *retention.transient]
    if transient:  # requests that failed but may succeed on another day: the next evaluation asks them again
        planned = planned.without_replies(transient, store)
        if planned.stage:
            return planned.stage
    return _write(recipe, store, planned, scored)


def _write(recipe: Recipe, store: Store, planned: PlannedEvaluation, scored: dict[str, pl.DataFrame]) -> Stage:
    evaluation, means, taught = _section(recipe), [], {}
    family = family_table(planned.rows["prompt_id"], planned.families)
    label = LABEL + recipe.limit_suffix
    with store.new_stage(planned.stage_id, label, what=planned.depends_on, rows_in=planned.rows.height) as writer:
        for name, ref in planned.refs.items():
            training_id = ref.identity.rsplit(">", 1)[1] if ">" in ref.identity else None
            rows = (
                scored[name]
                .join(family, on="prompt_id", how="left", maintain_order="left")
                .with_columns(
                    evaluation_id=pl.lit(planned.ids[name]),
                    dataset=pl.lit(evaluation.dataset),
                    training_id=pl.lit(training_id, pl.String),
                )
            )
            writer.write("evaluations", rows)
            taught[name] = taught_by_split(rows, ref, store)
            means.append(f"{name} {_mean(rows, evaluation.by[0])}")
        writer.info["damage"] = about_damage(planned.refs, planned.general) | {
            "expected": planned.expected,
            "taught": taught,
        }
        writer.info["result"] = f"{planned.rows.height:,} prompts: " + ", ".join(means)
    return writer.stage()


def _mean(scored: pl.DataFrame, scorer: str) -> str:
    """Return the mean of a scorer's values as text."""
    mean = scored.filter(pl.col("scorer") == scorer)["value"].mean()
    return "has no score" if mean is None else f"{mean:.3f}"
