"""How many personal items (mail addresses, phone, card and bank numbers ...) the response holds; 0.0 is clean.

The value is a count, so ``filter: {personal: "pii > 0"}`` drops what has any (``generate: mask`` hides them instead).
What counts as one, and what only looks like one, is in ``curate/algorithms/text/personal_items.py``. What has the form by chance
counts all the same: 1.2.3.4 may be a version. Names are not looked for.
"""

import polars as pl

from curate.algorithms.text.found_items import counted
from curate.algorithms.text.personal_items import checked, items, likely


def score(response: pl.Series, *, kinds: list[str] | None = None, region: str = "US") -> pl.DataFrame:
    """Return ``value`` (how many personal items, 0 and up), ``detail`` and ``error`` ("no response").

    ``kinds`` are those to look for (all of ``personal_items.FORMS``); ``region`` (ISO 3166, such as "DE") is where
    phone numbers without a country code belong. ``detail`` is JSON, a list of the ``kind``, where it stands (``at``,
    in characters) and what is left when it is ``masked``. Raises ``UserError`` for a kind or region that does not
    exist.
    """
    kinds = checked(kinds, region)
    text = response.cast(pl.String)
    return counted(text, likely(text, kinds), lambda one, kinds: items(one, kinds, region))
