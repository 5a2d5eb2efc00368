"""The trainings of a store, and the recipes that they are of, found by id or by name: ``sft``, ``round1/sft``."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from curate.storage.records import RunInfo
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError, printable, unknown
from schemas.recipe import Recipe

CURVES = "curves.svg"  # in the stage of a training: the picture of its curves
ID = re.compile(r"[0-9a-f]{2,12}")  # of a training, or the start of one; a row's id has "_" in the second place


@dataclass(frozen=True)
class TrainingRecord:
    """A finished training.

    Attributes:
        stage: Its stage.
        recipes: The names of the recipes that did or reused it, latest first; ``demo.limit20`` of a smoke run.
        owners: The same recipes without limits.
    """

    stage: Stage
    recipes: tuple[str, ...]
    owners: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its id."""
        return self.stage.stage_id

    @property
    def name(self) -> str:
        """Its name in its recipe."""
        manifest = self.stage.manifest
        return manifest.get("name") or manifest["label"].rpartition(".")[2]

    @property
    def trainer(self) -> str:
        """The name of its trainer."""
        return self.stage.read("trainings", ["trainer"])["trainer"][0]

    @property
    def title(self) -> str:
        """``round1/sft``, with the recipe that used it last."""
        return f"{self.recipes[0]}/{self.name}" if self.recipes else self.name

    @property
    def finished(self) -> str:
        """The time when it finished, in UTC, to the minute."""
        return self.stage.manifest["made_at"][:16].replace("T", " ")

    @property
    def limited(self) -> bool:
        """Whether it is of a smoke run."""
        return self.stage.manifest["what"].get("limit") is not None


def training_records(store: Store) -> list[TrainingRecord]:
    """Return all finished trainings of a store, the one that finished last first."""
    used: dict[str, list[RunInfo]] = {}
    for run in reversed(store.runs()):
        for stage in run["stages"]:
            used.setdefault(stage["stage_id"], []).append(run)
    records = []
    for stage in store.stages_labelled("train-"):
        runs = used.get(stage.stage_id, [])
        recipes = dict.fromkeys(run["recipe"] for run in runs)
        owners = dict.fromkeys(run.get("limit_of") or run["recipe"] for run in runs)
        records.append(TrainingRecord(stage, tuple(recipes), tuple(owners)))
    return sorted(records, key=lambda one: (one.stage.order, one.id), reverse=True)


def find_trainings(records: list[TrainingRecord], text: str) -> list[TrainingRecord]:
    """Return the trainings that a text names, in the order of ``records``.

    Args:
        records: The trainings to look in.
        text: A name, a recipe and a name (``round1/sft``), an id, or the start of an id (two characters or more). A
            name goes before an id.
    """
    named = [one for one in records if text == one.name or text in [f"{recipe}/{one.name}" for recipe in one.recipes]]
    return named or ([one for one in records if one.id.startswith(text)] if ID.fullmatch(text) else [])


def no_training(records: list[TrainingRecord], text: str, where: str = "") -> Exception:
    """Return the error for a text that names no training; it says the nearest."""
    return unknown("training in this store called", text, dict.fromkeys(one.title for one in records), where)


def check_trained(store: Store | None, text: str, recipe: Recipe | None = None) -> None:
    """Raise ``UserError`` where a text names a training that a recipe has, as the caller found none that is finished.

    Args:
        store: The store; the recipes of its runs are looked at, the last first.
        text: A name, or a recipe and a name (``round1/sft``).
        recipe: A recipe to look at before.
    """
    found = [(recipe.name, recipe.argument, list(recipe.train))] if recipe is not None else []
    for run in reversed(store.runs()) if store is not None else ():
        trainings = (run.get("resolved") or {}).get("train")
        held = list(trainings) if isinstance(trainings, dict) else []
        found.append((run.get("limit_of") or run["recipe"], "RECIPE", held))
    for owner, argument, names in found:
        name = next((one for one in names if text in (one, f"{owner}/{one}")), None)
        if name is not None:
            raise UserError(
                f"{name}: is a training of the recipe {printable(owner)!r}, and has not been run to its end "
                f"here; run it: gristmill train {argument} {name}"
            )


def built_on(store: Store, recipe: str, records: list[TrainingRecord]) -> set[str]:
    """Return a recipe's name, and those of recipes of which a run used its trainings, directly or through others.

    Such a run has a stage that depends on the id of one of the trainings: it started from its model, scored with it, or
    read its losses.
    """
    texts: dict[str, str] = {}
    for run in store.runs():
        owner = run.get("limit_of") or run["recipe"]
        texts[owner] = texts.get(owner, "") + json.dumps([stage.get("settings") for stage in run["stages"]])
    found, pending = {recipe}, [recipe]
    while pending:
        owner = pending.pop()
        ids = [one.id for one in records if owner in one.owners]
        more = [name for name, text in texts.items() if name not in found and _has_any(text, ids)]
        found.update(more)
        pending += more
    return found


def _has_any(text: str, ids: Iterable[str]) -> bool:
    return any(id in text for id in ids)
