"""The stages of runs: all those that a run used, and the datasets of each recipe's latest run."""

import polars as pl

from curate.storage.records import RunInfo
from curate.storage.sql_views import current_stages, shown_runs
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.rows import DATASET_TABLES


def stages_of_run(store: Store, run: RunInfo) -> list[Stage]:
    """Return the stages that a run used, in order; those removed from the store since are left out."""
    names = [stage["path"] for stage in run["stages"] if (store.path / "stages" / stage["path"]).exists()]
    return [stage for name in names if (stage := store.stage_in(name))]


def recipe_datasets(store: Store, only: str | None = None) -> dict[str, dict[str, tuple[str, Stage]]]:
    """Return the datasets of each recipe, as the SQL tables show them, the recipe with the latest run first.

    Args:
        store: The store.
        only: The name of a recipe, or of its runs with a limit (``demo.limit20``); None for those the tables show.

    Returns:
        By recipe and dataset: the table that the dataset is in, and the stage that holds it.

    Raises:
        UserError: The store has no run of the recipe ``only``.
    """
    found: dict[str, dict[str, tuple[str, Stage]]] = {}
    runs = shown_runs(store.runs(), only)
    for recipe in dict.fromkeys(run["recipe"] for run in reversed(runs)):
        for folder in current_stages(store, [run for run in runs if run["recipe"] == recipe]):
            stage = store.stage_in(folder)
            if stage is None:
                continue
            section, _, name = stage.manifest["label"].partition(".")
            tables = [table for table in DATASET_TABLES.values() if table in stage.manifest["tables"]]
            if section == "datasets" and tables:
                found.setdefault(recipe, {})[name] = (tables[0], stage)
    return found


def read_dataset(table: str, stage: Stage) -> pl.DataFrame:
    """Return a dataset's rows; a row without a split is for training."""
    return stage.read(table).with_columns(pl.col("split").fill_null("train"))
