"""How many keys, tokens and private keys the response holds; 0.0 is clean. Drop what has some with ``secrets > 0``.

What counts as one is in ``curate/algorithms/text/secret_items.py``; ``generate: mask`` hides them instead.
"""

import polars as pl

from curate.algorithms.text.found_items import counted
from curate.algorithms.text.secret_items import checked, items, likely


def score(response: pl.Series, *, kinds: list[str] | None = None) -> pl.DataFrame:
    """Return ``value`` (how many secrets, 0 and up), ``detail`` and ``error`` ("no response").

    ``kinds`` are those to look for (all of ``secret_items.FORMS``). ``detail`` is JSON, a list of the ``kind``, where
    it stands (``at``, in characters) and what is left when it is ``masked``. Raises ``UserError`` for a kind that does
    not exist.
    """
    text = response.cast(pl.String)
    return counted(text, likely(text, checked(kinds)), items)
