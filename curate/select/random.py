"""Keep a random part of the rows: the matched control for a subset chosen some other way.

The lot is drawn from each row's text and the seed, so the choice does not depend on the order of the rows.
"""

import polars as pl

from curate.algorithms.random_order import text_draws
from curate.select._keep import rows_to_keep


def subset(text: pl.Series, *, keep: int | float, seed: int = 0) -> pl.DataFrame:
    """Return, a row per text, ``kept``; ``nearest`` and ``similarity`` are null, for nothing was measured.

    ``keep`` is a number of rows, or a share in (0, 1] where it has a decimal point. Raises ``UserError`` for others.
    """
    count = rows_to_keep(keep, len(text), "select random")
    lot = text_draws(text.cast(pl.String), seed)
    kept = pl.Series(lot.rank("ordinal") <= count, dtype=pl.Boolean)
    blank = pl.DataFrame({"kept": kept})
    return blank.with_columns(nearest=pl.lit(None, pl.Int64), similarity=pl.lit(None, pl.Float64))
