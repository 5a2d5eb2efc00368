"""The facts of a model card, gathered where a training ends: a JSON record, which ``train.reports.card.card`` prints.

They are kept beside the model (``FACTS``), so that ``evaluate`` and an export can print the card again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.export.for_others import for_others
from curate.export.licences import source_licences
from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN, base_identity
from curate.sources.remote.hub_names import hub_name, is_hub_name, is_hub_url
from curate.storage.prompt_origins import source_counts
from curate.storage.stage import Stage
from curate.storage.store import Store
from curate.storage.training_records import training_records
from schemas.errors import UserError
from schemas.recipe import Recipe
from schemas.rows import DATASET_TABLES
from schemas.version import VERSION
from train.job import Outcome
from train.options.best_model import best_line
from train.plan import PlannedTraining
from train.record import learnt_line, merged_line
from train.reports.card.licence import licence_of
from train.reports.card.recipe_text import recipe_text

FACTS = "card.json"
COMPARED = ("reference", "teacher")


def card_facts(
    recipe: Recipe,
    planned: PlannedTraining,
    record: Mapping[str, Any],
    outcome: Outcome,
    dataset: Stage | None,
    store: Store,
    folder: Path,
    *,
    curves: bool,
) -> dict[str, Any]:
    """Return the facts of a model's card, all of them JSON values.

    Args:
        recipe: The recipe.
        planned: The training.
        record: Its row in the table ``trainings``.
        outcome: Its result.
        dataset: The stage of its dataset.
        store: The store.
        folder: The model's folder, whose files say what it is.
        curves: Whether the curves are beside the card.
    """
    metrics = json.loads(record["metrics"])
    return {
        "recipe": recipe.run_name,
        "recipe_text": recipe_text(recipe, planned.name),
        "name": planned.name,
        "training_id": record["training_id"],
        "trainer": record["trainer"],
        "model": record["model"],
        "base": record["base"],
        "chain": _chain(record["base"], store),
        "base_location": base_location(planned.ref),
        "base_hub": hub_id(planned.ref, store),
        "built_in": planned.ref.package,
        "licence": licence_of(planned.ref),
        "dataset": record["dataset"],
        "rows": record["rows"],
        "splits": _splits(dataset, recipe.datasets[record["dataset"]].type) if dataset else {},
        "sources": _sources(recipe, record["dataset"], dataset, store) if dataset else [],
        "hub_datasets": hub_datasets(recipe),
        "data": _data(recipe, record["dataset"], dataset) if dataset else {},
        "fates": dict(outcome.fates["fate"].value_counts(sort=True).sort("count", "fate", descending=True).rows()),
        "learnt": learnt_line(metrics["learnt"]).removesuffix(", "),
        "settings": json.loads(record["settings"]),
        "figures": {name: _figure(name, metrics) for name, one in metrics.items() if _is_figure(one)},
        "parameters": [(metrics.get("facts") or {}).get(key) for key in ("parameters", "trainable")],
        "best": best_line(metrics.get("best")),
        "damage": metrics.get("damage") or [],
        "compared": {role: metrics[role] for role in COMPARED if role in metrics},
        "merged": merged_line(metrics["merged"]) if "merged" in metrics else "",
        "steps": record["steps"],
        "seconds": record["seconds"],
        "versions": {"gristmill": VERSION} | {k: v for k, v in json.loads(record["versions"]).items() if v},
        "curves": curves,
        **folder_facts(folder, planned.ref),
    }


def folder_facts(folder: Path, ref: ModelRef) -> dict[str, Any]:
    """Return what a model's folder holds.

    Returns:
        ``adapter``: whether it is a LoRA adapter, not whole weights, and of which ``rank``; ``adapters_below``: the
        number of adapters that it is to be put on; ``classifier``: whether it gives scores, not text.
    """
    adapter, whole = _json(folder / "adapter_config.json"), _json(folder / "config.json")
    kinds = " ".join(map(str, whole.get("architectures") or ()))
    return {
        "adapter": bool(adapter),
        "rank": max([adapter.get("r") or 0, *(adapter.get("rank_pattern") or {}).values()], default=0),
        "adapters_below": len(ref.adapters) if adapter else 0,
        "classifier": adapter.get("task_type") == "SEQ_CLS" or "SequenceClassification" in kinds,
    }


def base_location(ref: ModelRef) -> str:
    """Return what the weights below a training's adapters are loaded by: a name on the hub, or a folder."""
    return BUILT_IN[base_identity(ref).split("@")[0]][1] if ref.package else ref.location


def hub_id(ref: ModelRef, store: Store) -> str | None:
    """Return the model on the hub that a model was made of; None where it is not known.

    Whole weights that a training of the store made are of the model that it started from.
    """
    location = base_location(ref)
    if not Path(location).is_dir():
        return location if location.count("/") == 1 and not location.startswith((".", "/", "~")) else None
    earlier = next((one for id in reversed(ref.identity.split(">")[1:]) if (one := store.stage(id))), None)
    facts = stored_facts(earlier) if earlier and Path(location) == earlier.folder("model") else None
    return facts["base_hub"] if facts else None


def stored_facts(stage: Stage) -> dict[str, Any] | None:
    """Return the facts that a finished training has kept; None of one that was made before there were any."""
    text = stage.text(FACTS)
    try:
        facts = json.loads(text) if text else None
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def hub_datasets(recipe: Recipe) -> list[str]:
    """Return the data sets on the hub that are sources of a recipe."""
    found = []
    for step in recipe.prompts:
        path = step.settings.get("path")
        if step.verb == "source" and isinstance(path, str):
            folder = recipe.path.parent
            try:
                found += [hub_name(path).repo] if is_hub_url(path) or is_hub_name(path, folder) else []
            except UserError:
                continue
    return list(dict.fromkeys(found))


def _chain(base: str, store: Store) -> list[list[str]]:
    """Return the title and the id of each training below this one, from the base on."""
    titles = {one.id: one.title for one in training_records(store)}
    return [[titles.get(id, "a training of another store"), id] for id in base.split(">")[1:]]


def _splits(dataset: Stage, kind: str) -> dict[str, int]:
    """Return the number of a dataset's rows in each split, ``train`` first."""
    counts = dict(dataset.read(DATASET_TABLES[kind], ["split"])["split"].fill_null("train").value_counts().rows())
    return dict(sorted(counts.items(), key=lambda one: (one[0] != "train", one[0])))


def _sources(recipe: Recipe, name: str, dataset: Stage, store: Store) -> list[list[Any]]:
    """Return how many rows of a dataset came from each source, as the run that made it says; none if none is there."""
    for run in reversed(store.runs()):
        ids = [one["stage_id"] for one in run["stages"]]
        if dataset.stage_id in ids:
            stages = [stage for id in ids if (stage := store.stage(id))]
            table = DATASET_TABLES[recipe.datasets[name].type]
            counts = source_counts(stages, {name: (table, dataset)}).select("source", f"datasets.{name}")
            return [[source, count] for source, count in counts.iter_rows() if count]
    return []


def _data(recipe: Recipe, name: str, dataset: Stage) -> dict[str, Any]:
    """Return the content of a dataset's rows, by which an export of them is known, and the licences of the sources."""
    steps = [{"verb": step.verb, "settings": for_others(step.settings)} for step in recipe.prompts]
    licences = [list(one) for one in source_licences({"prompts": steps})]
    return {"content": dataset.content(DATASET_TABLES[recipe.datasets[name].type]), "licences": licences}


def _is_figure(value: Any) -> bool:
    """Return whether an entry of a training's metrics is a figure of TRL's log, not a record of another kind."""
    return isinstance(value, dict) and value.keys() == {"first", "last"}


def _figure(name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first and last value of a figure, and the lowest and highest."""
    values = [v for entry in metrics["history"] if isinstance(v := entry.get(name), int | float)]
    ends = {"lowest": min(values), "highest": max(values)} if values else {}
    return metrics[name] | ends


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
