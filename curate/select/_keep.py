"""Turn a ``keep`` setting into a number of rows: ``keep: 500`` is a number, ``keep: 0.1`` a share."""

from schemas.errors import UserError


def rows_to_keep(keep: int | float, rows: int, where: str) -> int:
    """Return the number of rows to keep: at least 1 of a table that has any, at most all.

    Args:
        keep: A number of rows (int), or a share of them (float).
        rows: How many rows there are.
        where: What the error message begins with.

    Raises:
        UserError: For a number below 1, and for a share outside (0, 1].
    """
    if isinstance(keep, bool) or not (keep >= 1 if isinstance(keep, int) else 0 < keep <= 1):
        raise UserError(
            f"{where}: keep: expected a number of rows from 1 up, or a share above 0.0 and at most 1.0, found {keep!r}"
        )
    count = keep if isinstance(keep, int) else max(1, round(keep * rows))
    return min(count, rows)
