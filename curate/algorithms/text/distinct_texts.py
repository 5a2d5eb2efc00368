"""Do once for each distinct text of a column what is done for every one: answers and ground truths repeat."""

from collections.abc import Callable

import polars as pl


def over_distinct(text: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return ``function(text)``, called with each distinct text once where that is half of the texts at most.

    Args:
        text: The texts, or nulls.
        function: Returns a value for each text that depends on that text alone, and null for null.
    """
    distinct = text.unique()
    if 2 * len(distinct) > len(text):
        return function(text)
    values = pl.DataFrame({"text": distinct, "value": function(distinct)})
    return pl.DataFrame({"text": text}).join(values, on="text", how="left", maintain_order="left")["value"]
