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
from schemas.recipe import Recipe
from train.answer_scorers import AnswerScorer, answer_scorers, requests_for
from train.evaluating.expected import expected_by_split, taught_by_split
from train.evaluating.general.general_set import General, general_set
from train.evaluating.groups import check_keys
from train.evaluating.held_out import check_columns, evaluation_section, held_out_prompts
from train.evaluating.own_rows import WIN_RATE
from train.evaluating.prompt_facts import prompt_facts
from train.evaluating.prompt_families import PromptFamilies, family_table
from train.evaluating.retention import Retention, about_damage, start_model
from train.evaluating.scored_answers import score_answers, with_prompts
from train.evaluating.win_rows import answer_judge, win_rows

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
        judge: Who compares each model's answers with the first one's, or None.
        facts: What the figures are broken down by, a row for each prompt (``train.evaluating.prompt_facts``).
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
    judge: AnswerScorer | None
    facts: pl.DataFrame

    @property
    def every_scorer(self) -> dict[str, AnswerScorer]:
        """The scorers by name, and the judge."""
        return self.scorers | ({WIN_RATE: self.judge} if self.judge else {})

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
    evaluation, where = evaluation_section(recipe), recipe.where("evaluate")
    if evaluation.dataset not in datasets:
        raise UserError(
            f"{where}: the dataset {evaluation.dataset!r} is not built yet; 'gristmill run {recipe.argument}' builds it"
        )
    for name in evaluation.models:
        if name not in models:
            raise UserError(
                f"{where}: the model {name!r} is not trained yet; 'gristmill train {recipe.argument}' trains it"
            )
    scorers, judge = _scorers(recipe, models)
    if prompts is None:
        check_columns(recipe, scorers)
    rows = held_out_prompts(recipe, datasets[evaluation.dataset], prompts)
    facts = prompt_facts(rows, families.prompts if families else None)
    check_keys(evaluation.break_down or (), recipe.where("evaluate", "break_down"), facts)
    refs = {name: models[name] for name in evaluation.models}
    depends_on = {
        "rows": _hash(rows),
        "facts": _hash(facts),
        "scorers": {name: scorer.key() for name, scorer in scorers.items()},
        "settings": evaluation.model_dump(exclude={"models", "by", "retention", "break_down", "benchmark"}),
        "seed": recipe.seed,
        "code": code_hash(held_out_prompts, _evaluate, AnswerScorer, PromptFamilies),
    }
    if families is not None:
        depends_on["families"] = families.key()
    if judge is not None:
        depends_on["judge"] = judge.key()
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
    return PlannedEvaluation(
        refs, ids, rows, scorers, stage_id, stage, depends_on, general, expected, families, judge, facts
    )


def _scorers(recipe: Recipe, models: dict[str, ModelRef]) -> tuple[dict[str, AnswerScorer], AnswerScorer | None]:
    """Return the scorers by name, and the judge, or None where there is none or nothing to compare.

    Raises:
        UserError: One of them is not known, or asks a model that is not trained.
    """
    scorers = answer_scorers(recipe, evaluation_section(recipe).by, recipe.where("evaluate", "by"), models)
    judge = answer_judge(recipe, models)
    for ref in (ref for scorer in (*scorers.values(), *([judge] if judge else [])) for ref in scorer.models):
        if ref.untrained:
            raise UserError(
                f"{recipe.where('evaluate')}: the model {ref.name!r}, which is to score, is not trained yet; "
                f"'gristmill train {recipe.argument} {ref.name}' trains it"
            )
    return scorers, judge if len(set(evaluation_section(recipe).models)) > 1 else None


def _hash(table: pl.DataFrame) -> str:
    return hashlib.sha256(table.write_ndjson().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _evaluate(recipe: Recipe, store: Store, planned: PlannedEvaluation, gateway: Gateway) -> Stage:
    """Ask the models, score the answers and write the stage."""
    evaluation, answers = evaluation_section(recipe), {}
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
    if models := [ref for scorer in planned.every_scorer.values() for ref in scorer.models]:
        gateway.unload_except(models)
    requests = requests_for(planned.every_scorer, gateway, recipe.seed, f"{LABEL}, scores")
    scored = score_answers(tables, planned.scorers, requests)
    verdicts = [win_rows(tables, planned.judge, requests.answer)] if planned.judge else []
    scored = {
        name: pl.concat(
            [rows, *(one.filter(pl.col("model") == name) for one in verdicts), retention.rows(name)],
            how="diagonal_relaxed",
        )
        for name, rows in scored.items()
    }
    transient = [
        key for table in answers.values() if "transient" in table.columns for key in table.filter("transient")["key"]
    ] + [*requests.transient, *retention.transient]
    if transient:  # requests that failed but may succeed on another day: the next evaluation asks them again
        planned = planned.without_replies(transient, store)
        if planned.stage:
            return planned.stage
    return _write(recipe, store, planned, scored)


def _write(recipe: Recipe, store: Store, planned: PlannedEvaluation, scored: dict[str, pl.DataFrame]) -> Stage:
    evaluation, means, taught = evaluation_section(recipe), [], {}
    facts = planned.facts.join(family_table(planned.rows["prompt_id"], planned.families), on="prompt_id", how="left")
    label = LABEL + recipe.limit_suffix
    with store.new_stage(planned.stage_id, label, what=planned.depends_on, rows_in=planned.rows.height) as writer:
        for name, ref in planned.refs.items():
            training_id = ref.identity.rsplit(">", 1)[1] if ">" in ref.identity else None
            rows = (
                scored[name]
                .join(facts, on="prompt_id", how="left", maintain_order="left")
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
