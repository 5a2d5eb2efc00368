"""Describe what a stage is missing, where a budget ended its requests or some failed for now."""

from schemas.counted import counted
from schemas.ids import fingerprint


def missing_note(unasked: int, transient: list[str]) -> str:
    """Return what is missing as words that change when it does; empty if nothing is.

    Args:
        unasked: How many requests were not made.
        transient: The keys of the requests that failed, and may succeed on another day.
    """
    parts = []
    if unasked:
        parts.append(f"{counted(unasked, 'request was', 'requests were')} not made: a budget is used up")
    if transient:
        parts.append(
            f"{counted(len(transient), 'failed request')} may succeed when run again ({fingerprint(transient)[:6]})"
        )
    return ", ".join(parts)
