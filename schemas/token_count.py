"""How many tokens a reply may be said to have: servers, files and older stores write any number."""

import math
from typing import Any

MOST_TOKENS = 10**9  # of one prompt or one reply: no context is as long
MOST_SPENT = 10**15  # of one model in one run: sums of thousands of them are whole numbers of 64 bits


def token_count(found: Any, most: int = MOST_TOKENS) -> int | None:
    """Return a count of tokens, which may be written as a decimal number or as text; None for what can't be one.

    Args:
        found: Any value of JSON or of a database.
        most: The largest count that there can be.
    """
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    if not (math.isfinite(number) and 0 <= number <= most):
        return None
    return found if isinstance(found, int) else round(number)
