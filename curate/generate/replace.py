"""A new candidate: an old one with every match of the pattern ``find`` replaced by ``put``.

``find`` is a Rust regular expression (linear time, no look-around; ``(?i)`` ignores case). ``put`` may refer to its
groups as ``$1`` or ``${name}``. Identity training uses it to put the new name into the model's own answers.
"""

import polars as pl

from schemas.errors import UserError


def write(response: pl.Series, *, find: str, put: str) -> pl.Series:
    """Return each response with its matches replaced; null (no new candidate) if that changes nothing.

    Raises ``UserError`` if ``find`` is not a regular expression.
    """
    text = response.cast(pl.String)
    try:
        new = text.str.replace_all(find, put)
    except pl.exceptions.ComputeError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"generate replace: find: {find!r} is not a regular expression: {reason}") from None
    return new.set((new == text).fill_null(False), None)
