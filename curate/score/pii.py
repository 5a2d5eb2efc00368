"""The number of personal items (mail addresses, phone, card and bank numbers ...) in the response; 0.0 is clean.

The value is a count, so ``filter: {personal: "pii > 0"}`` drops rows that have any (``generate: mask`` hides them
instead). ``curate/algorithms/text/personal_items.py`` defines the items and what only looks like one. A text that has
the form of an item by chance counts too: 1.2.3.4 may be a version. Names of people are not searched for.
"""

import polars as pl

from curate.algorithms.text.found_items import count_items
from curate.algorithms.text.personal_items import items, kinds_to_find, likely


def score(raw_response: pl.Series, *, kinds: list[str] | None = None, region: str = "US") -> pl.DataFrame:
    """Return ``value`` (the number of personal items), ``detail`` and ``error`` ("no response").

    Args:
        raw_response: The texts, with their reasoning traces: they are learnt too.
        kinds: Kinds of items to count (keys of ``personal_items.FORMS``); None for all.
        region: Region (ISO 3166, such as "DE") of phone numbers without a country code.

    Returns:
        A frame whose ``detail`` is JSON, a list of items: their ``kind``, their position (``at``, in characters) and
        their ``masked`` text.

    Raises:
        UserError: For a kind or region that does not exist.
    """
    kinds = kinds_to_find(kinds, region)
    text = raw_response.cast(pl.String)
    return count_items(text, likely(text, kinds), lambda one, kinds: items(one, kinds, region))
