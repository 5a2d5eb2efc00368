"""Texts for messages: the first ids of many rows, and a share in percent."""

from collections.abc import Iterable

FIRST = 3  # rows that a message names


def first_rows(ids: Iterable[str], total: int) -> str:
    """Return the first ids of some rows as text: ``row r_1``, or ``rows r_1, r_2, r_3, ...``."""
    shown = [one for one, _ in zip(ids, range(FIRST), strict=False)]
    return f"{'row' if total == 1 else 'rows'} {', '.join(shown)}{', ...' if total > len(shown) else ''}"


def share(part: int, whole: int) -> str:
    """Return a share in percent, of which neither 0% nor 100% is rounded to: ``0.1%``, ``99.9%``."""
    percent = 100 * part / max(whole, 1)
    near = min(max(percent, 0.1), 99.9) if 0 < part < whole else percent
    return f"{near:.1f}%" if near < 1 or near > 99 else f"{near:.0f}%"
