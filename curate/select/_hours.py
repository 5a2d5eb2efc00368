"""Refuse a choice of rows that would take hours, with an estimate: the work grows with the rows times those kept."""

import numpy as np

from schemas.errors import UserError


def refuse_hours(name: str, rows: int, kept: int, seconds: float, hours: float) -> None:
    """Refuse a choice whose estimated time is above a limit. The clock is not read: it depends on the numbers alone.

    Args:
        name: The step's name.
        rows: How many rows there are.
        kept: How many of them are to be kept.
        seconds: Processor time, estimated, for each row and each row kept.
        hours: The hours of processor time that it may take.

    Raises:
        UserError: If it would take more, or for ``hours`` not above 0.
    """
    if not 0 < hours < np.inf:
        raise UserError(f"select {name}: hours: expected a number above 0, found {hours!r}")
    estimate = rows * kept * seconds / 3600
    if estimate > hours:
        most = max(1, int(hours * 3600 / (rows * seconds)))
        raise UserError(
            f"select {name}: to keep {kept:,} of {rows:,} rows would take about {estimate:.2g} hours of processor "
            f"time, and `hours` allows {hours:g}: set keep to {most:,} or less, allow more hours, or use k_center or "
            "facility_location, which skip most of this work"
        )
