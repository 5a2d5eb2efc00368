"""Describe what a stage is missing, where a budget ended its requests or some failed for now."""

from schemas.ids import fingerprint


def missing_note(unasked: int, transient: list[str]) -> str:
    """Return what is missing as words that change when it does; empty if nothing is.

    Args:
        unasked: How many requests were not made.
        transient: The keys of the requests that failed, and may succeed on another day.
    """
    parts = []
    if unasked:
        parts.append(f"{unasked:,} requests were not made: a budget is used up")
    if transient:
        parts.append(f"{len(transient):,} failed requests may succeed when run again ({fingerprint(transient)[:6]})")
    return ", ".join(parts)
