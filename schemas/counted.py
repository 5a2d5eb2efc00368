"""Counts in words: a number with its noun, in the singular for one."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 row``, ``2,000 rows``.

    Args:
        number: The number.
        noun: The noun; a verb may follow it, as in ``row is``.
        plural: Both in the plural, where an s at the end does not make it.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def the_first(number: int, noun: str) -> str:
    """Return the first of several things in words: ``the first row``, ``the first 20 rows``."""
    return f"the first {noun}" if number == 1 else f"the first {number:,} {noun}s"
