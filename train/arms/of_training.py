"""What the comparisons of a store (``gristmill compare``) say of the model of one training."""

import polars as pl

from curate.storage.store import Store
from train.arms.expected import LABEL
from train.arms.sentences import sentences

MOST = 20  # sentences


def comparisons_of(store: Store, training_id: str) -> list[str]:
    """Return the verdicts, with their 95% intervals, of the latest comparison in which a training is of an arm."""
    for stage in sorted(store.stages_labelled(LABEL), key=lambda one: one.order, reverse=True):
        rows = stage.read("comparisons")
        arms = rows.filter(pl.col("training_id") == training_id)["arm"].unique().to_list()
        if arms and stage.manifest["what"].get("limit") is None:
            own = rows.filter(pl.col("arm").is_in(arms) | pl.col("versus").is_in(arms))
            return sentences(own)[:MOST]
    return []
