"""The evaluations of a trained model that a store holds, and its card with them."""

from collections import Counter
from typing import Any

import polars as pl

from curate.storage.stage import Stage
from curate.storage.store import Store
from train.evaluating.changed import changed_examples
from train.evaluating.comparison import compare_models
from train.evaluating.further_tables import further_tables
from train.evaluating.paired_values import evaluation_rows
from train.reports.card.card import with_evaluations
from train.reports.card.damage import damage_of

CARD = "model/README.md"
MOST = 5  # evaluations in a card, and as many benchmarks of others
ROWS = 30  # of one of an evaluation's further tables
LABEL = "evaluate"


def evaluations_of(store: Store, training_id: str) -> list[dict[str, Any]]:
    """Return the evaluations of a training's model, the newest first, at most ``MOST``, and as many of benchmarks.

    Returns:
        ``dataset``, ``made_at``, ``stage_id``; ``rows``: those of ``compare_models`` that are of the first model or
        of this one; but for benchmarks, ``damage``: ``train.reports.card.damage.damage_of``; ``tables`` and
        ``examples``: those of these two models (``train.reports.card.evaluation_details``).
    """
    found: list[dict[str, Any]] = []
    held: Counter[bool] = Counter()
    whole = [one for one in store.stages_labelled(LABEL) if one.rows("evaluations") and _is_whole(one)]
    for stage in sorted(whole, key=lambda one: one.order, reverse=True):
        named = stage.read("evaluations", ["model", "training_id", "dataset"])
        own = named.filter(pl.col("training_id") == training_id)
        benchmark = stage.manifest.get("benchmark")
        if own.is_empty() or held[benchmark is not None] == MOST:
            continue
        held[benchmark is not None] += 1
        models = {named["model"][0], own["model"][0]}
        rows = compare_models(stage).filter(pl.col("model").is_in(models)).to_dicts()
        made_at = stage.manifest["made_at"][:16].replace("T", " ")
        dataset = benchmark["name"] if benchmark else own["dataset"][0]
        known = {"dataset": dataset, "made_at": made_at, "stage_id": stage.stage_id, "rows": rows}
        found.append(known if benchmark else known | _further(stage, models, own["model"][0]))
    return found


def _further(stage: Stage, models: set[str], own: str) -> dict[str, Any]:
    """Return what a card says of an evaluation's prompts beside the comparison.

    Args:
        stage: The evaluation's stage.
        models: The first model, and the one that the card is of.
        own: The latter.
    """
    seed = stage.manifest["what"].get("seed", 0)
    examples = changed_examples(evaluation_rows(stage).filter(pl.col("model").is_in(models)), seed, 1).to_dicts()
    return {
        "tables": further_tables(stage, models, ROWS),
        "examples": examples,
        "damage": damage_of(stage, own),
    }


def add_to_cards(store: Store, evaluation: Stage) -> None:
    """Write an evaluation into the cards of the trained models that it is of, as far as the store made them."""
    ids = evaluation.read("evaluations", ["training_id"])["training_id"].drop_nulls().unique().sort()
    for training_id in ids:
        stage = store.stage(training_id)
        text = stage.text(CARD) if stage else None
        if stage is not None and text is not None:
            stage.rewrite(CARD, with_evaluations(text, evaluations_of(store, training_id)))


def _is_whole(stage: Stage) -> bool:
    return "part_of" not in stage.manifest["what"]
