"""1.0 where a regular expression matches anywhere in the response, 0.0 where it does not."""

import polars as pl

from schemas.errors import UserError


def score(response: pl.Series, *, pattern: str) -> pl.Series:
    """Return 1.0 where ``pattern`` matches, 0.0 where it does not, null for a null response.

    Args:
        response: The texts.
        pattern: A Rust regular expression (linear time, no look-around); ``(?i)`` in front ignores case.

    Raises:
        UserError: If ``pattern`` is no such expression.
    """
    try:
        return response.str.contains(pattern).cast(pl.Float64)
    except pl.exceptions.ComputeError as error:
        why = [line for line in str(error).splitlines() if line.startswith("error: ")] or [str(error)]
        why = why[0].removeprefix("error: ")
        raise UserError(f"pattern: expected a Rust regular expression, found {pattern!r}: {why}") from None
