"""One score from several, by an SQL expression over them: ``0.7 * math + 0.3 * (quality / 10) - 0.001 * length``.

Two corrections over the whole set: ``zscore`` first standardises scores (mean 0, standard deviation 1), and ``debias``
subtracts the part of the result that a linear regression on length explains, so that long answers are not chosen for
their length (arXiv 2404.04475 regresses a judge's preference on length for the same purpose).
"""

import polars as pl

from curate.steps.sql_conditions import mentioned, values
from schemas.errors import unknown


def score(
    scores: pl.DataFrame, *, sql: str, zscore: bool | list[str] = False, debias: str | None = None
) -> pl.DataFrame:
    """Return ``value`` for each row, ``error`` (which score is missing), ``detail`` and a ``note`` on the regression.

    Nulls are handled as in SQL, for example by ``coalesce``, ``case`` and ``greatest``.

    Args:
        scores: The columns that the settings name.
        sql: The expression.
        zscore: True to standardise every number that the expression names, or a list of those to standardise. A score
            that is the same everywhere becomes 0.
        debias: ``response`` to regress on the response's length in characters, or the name of a number to regress on.
            The mean of the values stays. ``detail`` is then JSON: the value ``before`` and the ``length``.

    Raises:
        UserError: If the expression is not valid or not a number, or a name is not a score.
    """
    inputs = mentioned(sql, scores.columns)
    if debias and debias not in scores.columns:
        raise unknown("column (to debias by) called", debias, scores.columns)
    numbers = [name for name in inputs if scores.schema[name].is_numeric()]
    for name in zscore if isinstance(zscore, list) else []:
        if name not in numbers:
            raise unknown("score (to standardise) in 'sql' called", name, numbers)
    chosen = zscore if isinstance(zscore, list) else numbers * zscore
    rows = scores.with_columns(_standard(name) for name in chosen)
    value = values(rows.select(inputs), sql, "sql") if inputs else pl.Series([None] * rows.height, dtype=pl.Float64)
    value = value.set(~value.is_finite().fill_null(True), None)
    missing = pl.concat_str(
        [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in inputs], separator=", ", ignore_nulls=True
    )
    rows = rows.with_columns(__value=value, __missing=missing)
    if not debias:
        return rows.select(value="__value", error=_why(), detail=pl.lit(None, pl.String))
    length = pl.col(debias).str.len_chars() if rows.schema[debias] == pl.String else pl.col(debias)
    return _debiased(rows.with_columns(__length=length.cast(pl.Float64)), debias)


def _why() -> pl.Expr:
    """Return why a row has no value."""
    reason = pl.when(pl.col("__missing") != "").then(pl.format("no {}", "__missing")).otherwise(pl.lit("not a number"))
    return pl.when(pl.col("__value").is_null()).then(reason)


def _standard(name: str) -> pl.Expr:
    """Return a score less its mean, in standard deviations."""
    column, spread = pl.col(name).fill_nan(None), pl.col(name).fill_nan(None).std()
    return pl.when(spread > 0).then((column - column.mean()) / spread).otherwise(column * 0.0).alias(name)


def _debiased(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Return the values less the part that a least-squares line on length explains; one length explains nothing."""
    known = rows.filter(pl.col("__value").is_not_null(), pl.col("__length").is_finite())
    fit = known.select(
        slope=pl.cov("__length", "__value") / pl.col("__length").var(),
        mean=pl.col("__length").mean(),
        r2=pl.corr("__length", "__value") ** 2,
    ).row(0, named=True)
    slope = fit["slope"] if known.height > 2 and known["__length"].n_unique() > 1 else 0.0
    value = pl.col("__value") - slope * (pl.col("__length") - (fit["mean"] or 0.0))
    detail = pl.struct(before=pl.col("__value"), length=pl.col("__length")).struct.json_encode()
    note = f"{by} explains {(fit['r2'] or 0.0) * bool(slope):.1%} of it, slope {slope:+.3g}"
    note = note.replace("response explains", "length in characters explains") if by == "response" else note
    nothing = pl.when(pl.col("__value").is_not_null() & value.is_null()).then(pl.format("no {}", pl.lit(by)))
    return rows.select(
        value=value,
        error=pl.coalesce(nothing, _why()),
        detail=pl.when(value.is_not_null()).then(detail),
        note=pl.lit(note),
    )
