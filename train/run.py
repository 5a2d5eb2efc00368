"""The section ``train`` of a recipe: which trainings there are, which are done already, and doing the others.

A training's id is a hash of its trainer's source, its options, its rows, and the model it starts from; of a model that
is itself trained, the id of that training. So all ids are known before anything is trained, and without torch: a plan
costs nothing, and a training that is in the store already is not done again.
"""

import gc
import hashlib
import importlib.metadata
import importlib.util
import json
import math
import shutil
import time
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.models.engine import engine_of
from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.storage.store import Stage, StageWriter, Store, slug
from schemas.errors import UserError, needs_extra, unknown
from schemas.ids import fingerprint
from schemas.progress import Progress
from schemas.recipe import Recipe, Training
from schemas.rows import DATASET_TABLES
from train import find_trainer as trainers
from train import options
from train.card import write_card
from train.data import MESSAGES
from train.job import Job, Outcome
from train.rewards import Judge, edge_of, judges

VERSIONED = ("trl", "transformers", "peft", "torch", "accelerate", "datasets")


@dataclass(frozen=True)
class Plan:
    """A training as it would be done now. ``stage`` is its result if it has been done; ``what`` all that it depends on.

    ``stage_id`` is empty where the dataset has not been built, so that nothing can be said yet.
    """

    name: str
    training: Training
    ref: ModelRef
    stage_id: str
    stage: Stage | None
    rows: pl.DataFrame
    eval_rows: pl.DataFrame
    rewards: dict[str, Judge]
    what: dict[str, Any]


def train_recipe(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    names: list[str] | None,
    progress: Progress,
    answers: Gateway | None = None,
) -> list[Stage]:
    """Do the trainings of a recipe that are not in the store yet, in its order; return the stages of all.

    ``datasets`` are the recipe's built datasets, ``models`` what its names in ``models`` stand for. ``names`` selects
    some trainings (and those they start from). ``answers`` is whom rewards ask that need a model; without it, they are
    asked for no run in particular. Raises ``UserError`` for a name, a row or an option that cannot be.
    """
    refs, stages = dict(models), []
    for name in selected(recipe, names):
        plan = plan_training(recipe, name, store, datasets, refs)
        if not plan.stage_id:
            raise UserError(
                f"{recipe.where('train', name, 'dataset')}: the dataset {plan.training.dataset!r} is not "
                f"built yet; 'gristmill run {recipe.path}' builds it"
            )
        reused = plan.stage is not None
        stage = plan.stage or _make(recipe, plan, store, progress, answers)
        progress.end(f"train.{name}", stage.manifest["result"], reused=reused)
        refs[name] = trained_ref(stage, plan.ref, name)
        stages.append(stage)
    return stages


def plan_trainings(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    names: list[str] | None = None,
) -> list[Plan]:
    """Say of each training whether it is done, and check it, without doing any. Imports no torch."""
    refs, plans = dict(models), []
    for name in selected(recipe, names):
        plan = plan_training(recipe, name, store, datasets, refs)
        adapter = plan.training.lora not in (None, False)
        refs[name] = (
            trained_ref(plan.stage, plan.ref, name)
            if plan.stage
            else plan.ref.trained(name, plan.stage_id, Path(), adapter=adapter)
        )
        plans.append(plan)
    return plans


def trained_models(plans: list[Plan], models: dict[str, ModelRef]) -> dict[str, ModelRef]:
    """The models there are: those of the recipe, and those of the trainings that are done."""
    return models | {p.name: trained_ref(p.stage, p.ref, p.name) for p in plans if p.stage}


def trained_ref(stage: Stage, base: ModelRef, name: str | None = None) -> ModelRef:
    """The model that a training made of ``base``."""
    manifest = stage.manifest
    return base.trained(name or manifest["name"], stage.stage_id, stage.path / "model", adapter=manifest["adapter"])


def selected(recipe: Recipe, names: list[str] | None) -> list[str]:
    """These trainings of a recipe and those they start from, in the recipe's order; all of them for None or none."""
    for name in names or []:
        if name not in recipe.train:
            raise unknown("training", name, recipe.train, recipe.where("train"))
    wanted = set(names or recipe.train)
    for name in reversed(recipe.train):
        if name in wanted and recipe.train[name].model in recipe.train:
            wanted.add(recipe.train[name].model)
    return [name for name in recipe.train if name in wanted]


def plan_training(
    recipe: Recipe, name: str, store: Store, datasets: dict[str, Stage], refs: dict[str, ModelRef]
) -> Plan:
    """Check one training and look whether it is done. ``refs`` holds the model it starts from."""
    training, where = recipe.train[name], recipe.where("train", name)
    kind = trainers.find(training.trainer, recipe.where("train", name, "trainer")).DATA
    rewards = _check(recipe, name, kind)
    if training.model not in refs:
        raise unknown("model", training.model, refs, recipe.where("train", name, "model"))
    ref = refs[training.model]
    if engine_of(ref).remote:
        raise UserError(
            f"{where}: the model {training.model!r} is behind a server (engine {ref.engine!r}), so its weights are not here "
            f"to be trained"
        )
    if training.dataset not in datasets or ref.identity.endswith(">"):  # the latter: of a training not known either
        nothing = pl.DataFrame()
        return Plan(name, training, ref, "", None, nothing, nothing, rewards, {})
    rows, eval_rows = split_rows(datasets[training.dataset].read(DATASET_TABLES[kind]))
    if rows.is_empty():
        raise UserError(
            f"{where}: the dataset {training.dataset!r} has no rows in the split 'train'"
            + (f" ({eval_rows.height} in {eval_rows['split'][0]!r})" if eval_rows.height else "")
        )
    evaluates = training.settings.get("eval_strategy", "no") not in ("no", False)
    what = {
        "trainer": training.trainer,
        "source": trainers.source(training.trainer),
        "settings": training.settings,
        "lora": _lora(training),
        "rewards": {name: judge.key() for name, judge in rewards.items()},
        "seed": recipe.seed,
        "base": ref.identity,
        "rows": _content(rows, kind),
        "eval_rows": _content(eval_rows, kind) if evaluates else "",
    }
    stage_id = fingerprint(what)[:12]
    return Plan(name, training, ref, stage_id, store.stage(stage_id), rows, eval_rows, rewards, what)


def split_rows(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A dataset's rows to train on, and those of the first other split (by name) there is."""
    split = pl.col("split").fill_null("train")
    others = rows.filter(split != "train")["split"].unique().sort()
    return rows.filter(split == "train"), rows.filter(split == (others[0] if len(others) else ""))


def check_learning(recipe: Recipe) -> None:
    """Check the sections ``train`` and ``evaluate`` as far as the recipe alone allows, before anything is paid for."""
    for name, training in recipe.train.items():
        _check(recipe, name, trainers.find(training.trainer, recipe.where("train", name, "trainer")).DATA)
    if recipe.evaluate is not None:
        judges(recipe, recipe.evaluate.by, recipe.where("evaluate", "by"))


def _check(recipe: Recipe, name: str, kind: str) -> dict[str, Judge]:
    """Check what can be said of a training from the recipe alone; return its rewards."""
    training, where = recipe.train[name], recipe.where("train", name)
    found = recipe.datasets[training.dataset].type
    if found != kind:
        raise UserError(
            f"{recipe.where('train', name, 'dataset')}: the trainer {training.trainer!r} needs a dataset "
            f"of type {kind!r}; {training.dataset!r} is of type {found!r}"
        )
    options.check(training, where)
    if bool(training.rewards) != (kind == "prompt"):
        raise UserError(
            f"{where}: the trainer {training.trainer!r} "
            + ("needs 'rewards', such as [constraints]" if kind == "prompt" else "takes no 'rewards'")
        )
    return judges(recipe, training.rewards, recipe.where("train", name, "rewards"))


def _make(recipe: Recipe, plan: Plan, store: Store, progress: Progress, answers: Gateway | None) -> Stage:
    """Do a training and put its weights and tables into the store."""
    _check_installed(plan.training)
    work = store.path / "work" / plan.stage_id  # checkpoints: kept if we are killed, so that the next try goes on
    work.mkdir(parents=True, exist_ok=True)
    label, started, lora = f"train-{plan.name}", time.monotonic(), _lora(plan.training)
    with (
        nullcontext(answers) if answers else Gateway(store, progress) as asked,
        store.new_stage(
            plan.stage_id, label, what=plan.what, name=plan.name, adapter=lora is not None, rows_in=plan.rows.height
        ) as writer,
    ):
        job = Job(
            plan.name,
            plan.training.trainer,
            plan.ref,
            plan.rows,
            plan.eval_rows,
            plan.training.settings,
            lora,
            plan.rewards,
            recipe.seed,
            work,
            progress,
            edge_of(plan.rewards, asked, recipe.seed, f"{label}, rewards"),
        )
        folder = writer.folder / "model"
        with warnings.catch_warnings():  # TRL and transformers deprecate each other's defaults; no one here can help it
            warnings.simplefilter("ignore", FutureWarning)
            outcome = trainers.find(plan.training.trainer).train(job, folder)
        place = f"stages/{slug(label)}-{plan.stage_id}/model"
        record = _record(recipe, plan, outcome, time.monotonic() - started, place)
        _write(writer, record, outcome)
        write_card(folder, recipe, plan.training, record, adapter=lora is not None)
        writer.info["result"] = said(outcome)
        asked.unload_except([])
    gc.collect()  # a trainer and its model refer to each other; the next model needs the memory
    shutil.rmtree(work, ignore_errors=True)
    return store.stage(plan.stage_id)


def said(outcome: Outcome) -> str:
    """What came of a training, in a few words."""
    trained = outcome.fates.filter(pl.col("fate") == "trained").height
    parts = [f"{trained:,} rows, {outcome.steps:,} steps"]
    if outcome.fates.height > trained:
        reasons = outcome.fates.filter(pl.col("fate") != "trained")["fate"].value_counts(sort=True).rows()
        parts += [f"{count:,} left out: {reason}" for reason, count in reasons]
    for figure in ("reward", "rewards/margins", "loss"):  # the first that this trainer has is the one to look at
        ends = outcome.metrics.get(figure)
        if ends and isinstance(ends["first"], float) and isinstance(ends["last"], float):
            return ", ".join([*parts, f"{figure} {ends['first']:.3f} -> {ends['last']:.3f}"])
    return ", ".join(parts)


def _record(recipe: Recipe, plan: Plan, outcome: Outcome, seconds: float, path: str) -> dict[str, Any]:
    """The training's row in the table ``trainings``."""
    training = plan.training
    settings = training.settings | {"lora": _lora(training), "rewards": training.rewards, "seed": plan.what["seed"]}
    return {
        "training_id": plan.stage_id,
        "name": plan.name,
        "trainer": training.trainer,
        "dataset": training.dataset,
        "model": training.model,
        "base": plan.ref.identity,
        "rows": plan.rows.height,
        "steps": outcome.steps,
        "seconds": round(seconds, 1),
        "settings": json.dumps(settings, ensure_ascii=False),
        "metrics": json.dumps(_finite(outcome.metrics)),
        "path": path,
        "versions": json.dumps({name: _version(name) for name in VERSIONED}),
    }


def _write(writer: StageWriter, record: dict[str, Any], outcome: Outcome) -> None:
    writer.write("trainings", pl.DataFrame([record]))
    for table, rows in (
        ("training_rows", outcome.fates),
        ("row_losses", outcome.row_losses),
        ("rollouts", outcome.rollouts),
    ):
        if rows.height:
            writer.write(table, rows.with_columns(training_id=pl.lit(record["training_id"])))


def _content(rows: pl.DataFrame, kind: str) -> str:
    """A hash of what a training takes of its rows, in their order."""
    columns = ["row_id", *MESSAGES[kind], "tools", *(("ground_truth", "metadata") if kind == "prompt" else ())]
    held = rows.select(c for c in columns if c in rows.columns)
    return hashlib.sha256(held.write_ndjson().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _lora(training: Training) -> dict[str, Any] | None:
    """Options of the adapter to train, or None for full weights."""
    if isinstance(training.lora, bool):
        return {} if training.lora else None
    return training.lora


def _finite(value: Any) -> Any:
    """A JSON-able value without NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check_installed(training: Training) -> None:
    for package in ("trl", "peft") if _lora(training) is not None else ("trl",):
        if importlib.util.find_spec(package) is None:
            raise needs_extra("training", "train")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
