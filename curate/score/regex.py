"""1.0 where a regular expression matches anywhere in the response, 0.0 where it does not.

The response is the answer without its reasoning trace; with ``reasoning: true`` the text as it was written is searched.
With ``literal: true`` the pattern is plain text: a name such as ``C++``.
"""

import polars as pl

from schemas.errors import UserError


def score(
    response: pl.Series, raw_response: pl.Series, *, pattern: str, reasoning: bool = False, literal: bool = False
) -> pl.Series:
    """Return 1.0 where ``pattern`` matches, 0.0 where it does not, null for a null response.

    Args:
        response: The answers.
        raw_response: The texts as they were written, with their reasoning traces.
        pattern: A Rust regular expression (linear time, no look-around); ``(?i)`` in front ignores case.
        reasoning: Whether the text is searched as it was written.
        literal: Whether ``pattern`` is the text to find, and no expression.

    Raises:
        UserError: If ``pattern`` is no such expression.
    """
    try:
        return (raw_response if reasoning else response).str.contains(pattern, literal=literal).cast(pl.Float64)
    except pl.exceptions.ComputeError as error:
        why = [line for line in str(error).splitlines() if line.startswith("error: ")] or [str(error)]
        why = why[0].removeprefix("error: ")
        raise UserError(f"pattern: expected a Rust regular expression, found {pattern!r}: {why}") from None
