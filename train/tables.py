"""The columns that trainings read and write, with their Polars types: derived from the contract in ``schemas.rows``."""

import polars as pl

from curate.storage.store import POLARS

# Type of dataset -> its columns that hold messages: the prompt first, then the answers.
MESSAGE_COLUMNS = {
    "sft": ("prompt", "completion"),
    "preference": ("prompt", "chosen", "rejected"),
    "prompt": ("prompt",),
}


def polars_types(columns: dict[str, str]) -> dict[str, pl.DataType]:
    """Return the Polars type of each column of a contract, whose types are SQL's."""
    return {name: POLARS[kind] for name, kind in columns.items()}


def empty_table(columns: dict[str, str]) -> pl.DataFrame:
    """Return an empty table with a contract's columns but ``training_id``, which is added when a stage is written."""
    return pl.DataFrame(schema=polars_types({name: kind for name, kind in columns.items() if name != "training_id"}))
