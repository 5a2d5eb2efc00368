"""Keep random rows: the matched control for a subset chosen some other way.

A random number is made from each row's text and the seed, so the choice does not depend on the order of the rows.
"""

import polars as pl

from curate.algorithms.random_order import text_draws
from curate.select._keep import rows_to_keep


def subset(text: pl.Series, *, keep: int | float, seed: int = 0) -> pl.DataFrame:
    """Keep random rows.

    Args:
        text: The text of each row.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point.
        seed: The seed of the random choice.

    Returns:
        A row per text: ``kept``, and ``nearest`` and ``similarity``, which are null, as nothing was compared.

    Raises:
        UserError: For a ``keep`` out of range.
    """
    count = rows_to_keep(keep, len(text), "select random")
    draw = text_draws(text.cast(pl.String), seed)
    kept = pl.Series(draw.rank("ordinal") <= count, dtype=pl.Boolean)
    return pl.DataFrame({"kept": kept}).with_columns(
        nearest=pl.lit(None, pl.Int64), similarity=pl.lit(None, pl.Float64)
    )
