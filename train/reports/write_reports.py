"""Writes what a training leaves for people: the plot of its curves and the card of its model."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from curate.storage.stage import Stage, StageWriter
from curate.storage.store import Store
from curate.storage.training_records import CURVES
from schemas.progress import Progress, StageWarning
from schemas.recipe import Recipe
from train.job import Outcome
from train.plan import PlannedTraining
from train.reports.card.card import card
from train.reports.card.card_facts import FACTS, card_facts
from train.reports.curves.curves import curves


def write_reports(
    writer: StageWriter,
    recipe: Recipe,
    planned: PlannedTraining,
    record: Mapping[str, Any],
    outcome: Outcome,
    dataset: Stage | None,
    store: Store,
    progress: Progress,
) -> None:
    """Write the curves beside the model and into its folder, and the model's card. A failure is said, and no more.

    Args:
        writer: The writer of the training's stage, which holds its model.
        recipe: The recipe.
        planned: The training.
        record: Its row in the table ``trainings``.
        outcome: Its result.
        dataset: The stage of its dataset.
        store: The store.
        progress: The display to report to.
    """
    metrics = json.loads(record["metrics"])
    title = f"{recipe.run_name}: {planned.name}, {record['trainer']} from {record['model']}"
    drawn: list[str] = []

    def draw() -> None:
        picture = curves(title, metrics["history"], metrics.get("best"))
        for name in (CURVES, f"model/{CURVES}") if picture else ():
            writer.write_text(name, picture)
        drawn.append(picture)

    def describe() -> None:
        facts = card_facts(recipe, planned, record, outcome, dataset, store, writer.folder("model"), curves=any(drawn))
        writer.write_text(FACTS, json.dumps(facts, indent=1))
        writer.write_text("model/README.md", card(facts))

    unharmed(draw, "the curves could not be drawn", f"train.{planned.name}", progress)
    unharmed(describe, "the model card could not be written", f"train.{planned.name}", progress)


def unharmed(write: Callable[[], None], what: str, stage: str, progress: Progress) -> None:
    """Write a report; if that fails in any way, warn: the model, and hours of training, are worth more."""
    try:
        write()
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        progress.warn(StageWarning(stage, f"{what}: {type(error).__name__}: {message}"))
