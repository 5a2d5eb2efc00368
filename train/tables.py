"""The columns that trainings read and write, from the contract in ``schemas.rows``."""

import polars as pl

from curate.storage.polars_types import polars_schema

# Type of dataset -> its columns that hold messages: the prompt first, then the answers.
MESSAGE_COLUMNS = {
    "sft": ("prompt", "completion"),
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired": ("prompt", "completion"),
    "prompt": ("prompt",),
}


def empty_table(columns: dict[str, str]) -> pl.DataFrame:
    """Return an empty table with a contract's columns but ``training_id``, which is added when a stage is written."""
    return pl.DataFrame(schema=polars_schema({name: kind for name, kind in columns.items() if name != "training_id"}))
