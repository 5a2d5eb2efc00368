"""Prints what came from where: the prompts, the answers and the rows of datasets of each source."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def show_sources(counts: "pl.DataFrame") -> None:
    """Print a table of a recipe's sources (``curate.storage.prompt_origins.source_counts``), if it has several."""
    from cli.tables import console, table

    if counts.height > 1:
        columns = [name.removeprefix("datasets.") for name in counts.columns]
        console().print(table("\nWhat came from where", columns, counts.rows()))
