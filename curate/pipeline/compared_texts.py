"""The text of a row that a dedup step compares: of a conversation, all its turns."""

import polars as pl

from curate.algorithms.text import same_text


def compared_texts(text: pl.Series, turns: pl.Series | None) -> pl.Series:
    """Return the texts to compare.

    Args:
        text: The column that is compared.
        turns: The messages whose last text it has, if it is such a column: of a conversation all are compared, as
            different ones may end alike.
    """
    return text if turns is None else same_text.as_text(same_text.conversations(turns)).fill_null(text)
