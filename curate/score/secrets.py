"""The number of API keys, tokens and private keys in the response; 0.0 is clean. The filter ``secrets > 0`` drops rows.

``curate/algorithms/text/secret_items.py`` defines them; ``generate: mask`` hides them instead.
"""

import polars as pl

from curate.algorithms.text.found_items import count_items
from curate.algorithms.text.secret_items import items, kinds_to_find, likely


def score(raw_response: pl.Series, *, kinds: list[str] | None = None) -> pl.DataFrame:
    """Return ``value`` (the number of secrets), ``detail`` and ``error`` ("no response").

    Args:
        raw_response: The texts, with their reasoning traces: they are learnt too.
        kinds: Kinds of secrets to count (keys of ``secret_items.FORMS``); None for all.

    Returns:
        A frame whose ``detail`` is JSON, a list of secrets: their ``kind``, their position (``at``, in characters) and
        their ``masked`` text.

    Raises:
        UserError: For a kind that does not exist.
    """
    text = raw_response.cast(pl.String)
    return count_items(text, likely(text, kinds_to_find(kinds)), items)
